# SPDX-License-Identifier: Apache-2.0
# One CMake library per room, one test binary per room.

# freshline_room(NAME SOURCES a.cc ... DEPS freshline::base absl::status ...)
# defines freshline_NAME, alias freshline::NAME. A room without sources is an
# interface library. Headers are included as "room/header.h".
function(freshline_room name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  foreach(src IN LISTS ARG_SOURCES)
    if(NOT IS_ABSOLUTE ${src} AND NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${src})
      message(WARNING "${name} left out: there is no ${src}")
      return()
    endif()
  endforeach()
  foreach(dep IN LISTS ARG_DEPS)
    if(dep MATCHES "^freshline::" AND NOT TARGET ${dep})
      message(WARNING "${name} left out: there is no ${dep}")
      return()
    endif()
  endforeach()
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
  foreach(src IN LISTS ARG_SOURCES)
    if(NOT IS_ABSOLUTE ${src} AND NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${src})
      message(WARNING "${name} left out: there is no ${src}")
      return()
    endif()
  endforeach()
  foreach(dep IN LISTS ARG_DEPS)
    if(dep MATCHES "^freshline::" AND NOT TARGET ${dep})
      message(WARNING "${name} left out: there is no ${dep}")
      return()
    endif()
  endforeach()
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} freshline_test_support
    GTest::gmock GTest::gtest_main freshline_flags)
  add_test(NAME ${name} COMMAND ${name})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES
    LABELS "${ARG_LABEL}" TIMEOUT ${ARG_TIMEOUT})
endfunction()
