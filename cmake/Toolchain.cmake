# SPDX-License-Identifier: Apache-2.0
# Language level, warnings, sanitizers and the optional speed-ups of a build.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
# -O2 without NDEBUG: DCHECKs have their own switch, assert() is not used.
if(FRESHLINE_SANITIZE)
  # What instrumented code gains from -O2 is less than what it costs to build.
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1")
else()
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O3 -DNDEBUG -g1")

find_program(FRESHLINE_CCACHE ccache)
if(FRESHLINE_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${FRESHLINE_CCACHE})
endif()
find_program(FRESHLINE_MOLD mold)
if(FRESHLINE_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_library(freshline_flags INTERFACE)
target_compile_options(freshline_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion
  -fno-math-errno -fno-trapping-math
  # g++ 12 sees overlaps in std::string's own memcpy that are not there
  # (gcc bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
if(FRESHLINE_WERROR)
  target_compile_options(freshline_flags INTERFACE -Werror)
endif()
if(FRESHLINE_THREAD_SAFETY)
  target_compile_options(freshline_flags INTERFACE
    -Wthread-safety -Werror=thread-safety)
endif()
if(FRESHLINE_DCHECKS)
  target_compile_definitions(freshline_flags INTERFACE FRESHLINE_DCHECKS=1)
endif()

if(FRESHLINE_SANITIZE)
  add_compile_options(-fsanitize=${FRESHLINE_SANITIZE}
    -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${FRESHLINE_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # gcc 12 reports false ones in instrumented code.
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
endif()
if(FRESHLINE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# A sanitized test says where, and ends at the first finding.
set(FRESHLINE_TEST_ENVIRONMENT
  ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
  UBSAN_OPTIONS=print_stacktrace=1
  TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1)
