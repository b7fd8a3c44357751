# SPDX-License-Identifier: Apache-2.0
# The three kinds of target in this project, and the flags they all share.

add_library(mesh_flags INTERFACE)
target_include_directories(mesh_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(
  mesh_flags
  INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
            # The order of float operations is part of the product: docs/numerics.md.
            -ffp-contract=off
            # Hardening that costs nothing measurable.
            -fstack-protector-strong $<$<CONFIG:Release>:-O3>)
if(MESH_SANITIZE)
  # What is tested is under all of them, the code of a test not under UBSan and not optimized: it compiles in half the
  # time. So it is without UBSan's checks of every pointer for null, of its dynamic type and of its object's size, which
  # the address sanitizer stands in for.
  string(REPLACE ",undefined" "" everywhere "${MESH_SANITIZE}")
  target_compile_options(mesh_flags INTERFACE -fsanitize=${everywhere} -fno-sanitize=null,vptr,object-size
                                              -fno-sanitize-recover=all -fno-omit-frame-pointer)
  set(tested_flags -fsanitize=${MESH_SANITIZE})
  set(tester_flags -O0)
  target_link_options(mesh_flags INTERFACE -fsanitize=${MESH_SANITIZE})
endif()
if(MESH_FUZZ)
  target_compile_options(mesh_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# mesh_library(NAME SRCS a.cc ... DEPS x ...): a static library with the alias mesh::NAME; built where something needs it.
function(mesh_library NAME)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  add_library(${NAME} STATIC EXCLUDE_FROM_ALL ${ARG_SRCS})
  add_library(mesh::${NAME} ALIAS ${NAME})
  target_compile_options(${NAME} PRIVATE -fno-exceptions ${tested_flags})
  target_link_libraries(${NAME} PUBLIC mesh_flags ${ARG_DEPS})
endfunction()

# mesh_binary(NAME SRCS main.cc ... DEPS x ...): a program bin/NAME; its target is NAME_program, because libraries have
# the same names.
function(mesh_binary NAME)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  add_executable(${NAME}_program ${ARG_SRCS})
  if(MESH_SANITIZE AND NOT MESH_SANITIZE_ALL)
    set_target_properties(${NAME}_program PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
  set_target_properties(${NAME}_program PROPERTIES OUTPUT_NAME ${NAME})
  target_compile_options(${NAME}_program PRIVATE -fno-exceptions ${tested_flags})
  target_link_libraries(${NAME}_program PRIVATE mesh_flags ${ARG_DEPS})
endfunction()

# mesh_test(NAME SRCS a_test.cc ... DEPS x ... [LABELS l ...]): a GoogleTest binary; each case is a ctest test. Label
# `grpc` keeps a test out of ThreadSanitizer runs (the packaged gRPC is built without it), `processes` out of all
# sanitizer runs.
function(mesh_test NAME)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS;LABELS" ${ARGN})
  if(MESH_SANITIZE STREQUAL thread AND "grpc" IN_LIST ARG_LABELS)
    return()
  endif()
  add_executable(${NAME} ${ARG_SRCS})
  target_link_libraries(${NAME} PRIVATE mesh_flags ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  target_compile_options(${NAME} PRIVATE ${tester_flags})
  target_compile_definitions(${NAME} PRIVATE MESH_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                                             MESH_BINARY_DIR="${PROJECT_BINARY_DIR}")
  set(properties TIMEOUT 600)
  if(ARG_LABELS)
    list(APPEND properties LABELS "${ARG_LABELS}")
  endif()
  # Tests of many processes have the machine to themselves.
  if("processes" IN_LIST ARG_LABELS)
    list(APPEND properties RUN_SERIAL ON)
  endif()
  gtest_discover_tests(${NAME} DISCOVERY_MODE PRE_TEST PROPERTIES ${properties})
endfunction()

# mesh_fuzz(NAME SRCS a_fuzz.cc CORPUS dir DEPS x ...): with MESH_FUZZ a libFuzzer binary;
# otherwise a program that replays the corpus, registered as a test.
function(mesh_fuzz NAME)
  cmake_parse_arguments(ARG "" "CORPUS" "SRCS;DEPS" ${ARGN})
  if(MESH_FUZZ)
    add_executable(${NAME} ${ARG_SRCS})
    target_compile_options(${NAME} PRIVATE -fsanitize=fuzzer)
    target_link_options(${NAME} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${NAME} ${ARG_SRCS} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cc)
    add_test(NAME ${NAME} COMMAND ${NAME} ${ARG_CORPUS})
  endif()
  target_link_libraries(${NAME} PRIVATE mesh_flags ${ARG_DEPS})
endfunction()

# mesh_bench(NAME SRCS a_bench.cc DEPS x ...): a program under bench/, never a test.
function(mesh_bench NAME)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  add_executable(${NAME} ${ARG_SRCS})
  target_link_libraries(${NAME} PRIVATE mesh_flags ${ARG_DEPS})
endfunction()
