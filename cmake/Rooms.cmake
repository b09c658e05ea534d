# SPDX-License-Identifier: Apache-2.0
# One CMake library per room, one test binary per room.

# tests_LABEL builds what the tests of that label need.
foreach(label unit sim integration fault fuzz tidy quality)
  add_custom_target(tests_${label})
endforeach()

# freshline_find_missing(OUT NAME SOURCES DEPS) sets OUT to whether NAME has to
# be left out because a source or a room that it names is not there.
function(freshline_find_missing out name sources deps)
  set(missing "")
  foreach(src IN LISTS sources)
    if(NOT IS_ABSOLUTE ${src} AND NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${src})
      list(APPEND missing ${src})
    endif()
  endforeach()
  foreach(dep IN LISTS deps)
    if(dep MATCHES "^freshline" AND NOT TARGET ${dep})
      list(APPEND missing ${dep})
    endif()
  endforeach()
  set(${out} FALSE PARENT_SCOPE)
  if(missing)
    set(${out} TRUE PARENT_SCOPE)
    if(FRESHLINE_ALLOW_MISSING)
      message(WARNING "${name} left out: there is no ${missing}")
    else()
      message(SEND_ERROR "${name} cannot be built: there is no ${missing}")
    endif()
  endif()
endfunction()

# freshline_room(NAME SOURCES a.cc ... DEPS freshline::base absl::status ...)
# defines freshline_NAME, alias freshline::NAME. A room without sources is an
# interface library. Headers are included as "room/header.h".
function(freshline_room name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  freshline_find_missing(missing ${name} "${ARG_SOURCES}" "${ARG_DEPS}")
  if(missing)
    return()
  endif()
  if(ARG_SOURCES)
    add_library(freshline_${name} STATIC ${ARG_SOURCES})
    target_include_directories(freshline_${name}
      PUBLIC ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
    target_link_libraries(freshline_${name}
      PUBLIC ${ARG_DEPS} PRIVATE freshline_flags)
  else()
    add_library(freshline_${name} INTERFACE)
    target_include_directories(freshline_${name}
      INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
    target_link_libraries(freshline_${name} INTERFACE ${ARG_DEPS})
  endif()
  add_library(freshline::${name} ALIAS freshline_${name})
endfunction()

# freshline_test(NAME LABEL unit SOURCES ... DEPS ...) defines the executable
# NAME and registers it under that label; the whole binary is one ctest entry
# so that a start-up of gtest is paid once.
function(freshline_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  freshline_find_missing(missing ${name} "${ARG_SOURCES}" "${ARG_DEPS}")
  if(missing)
    return()
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} freshline_test_support
    GTest::gmock GTest::gtest_main freshline_flags)
  add_dependencies(tests_${ARG_LABEL} ${name})
  add_test(NAME ${name} COMMAND ${name})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES
    LABELS "${ARG_LABEL}" TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "${FRESHLINE_TEST_ENVIRONMENT}")
endfunction()
