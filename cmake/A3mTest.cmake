# Tests, registered by what lies in a folder: a new test_x.c or test_x.sh needs no line here.
#
# a3m_c_tests(<label> <seconds> [<other>…])
#                                      every test_*.c is a program on cmocka; other .c files of the
#                                      folder are helpers that all of them link, but for <other>
# a3m_script_tests(<label> <seconds>)  every test_*.sh, given A3M_BIN (the command) and A3M_BUILD
#
# All of them are skipped when they exit with 77, and are named <label>/<x>.

# What tests, benchmarks and fuzz targets see: all of A3M, its internals included.
add_library(a3m_test_base INTERFACE)
target_include_directories(a3m_test_base INTERFACE
  ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/middleware
  ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/tests/support)
# A test may check by assert(), also where the library is built without.
target_compile_options(a3m_test_base INTERFACE -UNDEBUG)
target_link_libraries(a3m_test_base INTERFACE a3m_flags a3m_static a3m_deps)
if(TARGET a3m_proto_gen)
  target_include_directories(a3m_test_base SYSTEM INTERFACE ${PROJECT_BINARY_DIR}/proto/generated)
endif()

set(A3M_TEST_TIME_FACTOR 1)
set(A3M_TEST_ENVIRONMENT
  A3M_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/a3m
  A3M_BUILD=${PROJECT_BINARY_DIR}
  A3M_SOURCE=${PROJECT_SOURCE_DIR})
set(A3M_TEST_LAUNCHER)
if(A3M_LONG)
  list(APPEND A3M_TEST_ENVIRONMENT A3M_LONG=1)
  math(EXPR A3M_TEST_TIME_FACTOR "${A3M_TEST_TIME_FACTOR} * 30")
endif()
if(A3M_SANITIZE)
  math(EXPR A3M_TEST_TIME_FACTOR "${A3M_TEST_TIME_FACTOR} * 3")
  list(APPEND A3M_TEST_ENVIRONMENT
    ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
    UBSAN_OPTIONS=print_stacktrace=1
    TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1)
endif()
if(A3M_SANITIZE MATCHES "thread")
  # Where the kernel randomizes more address bits than ThreadSanitizer's shadow allows for, it only
  # runs without randomization; containers may forbid to switch that off, hence the trial.
  execute_process(COMMAND setarch -R true RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
  if(NOT failed)
    set(A3M_TEST_LAUNCHER setarch -R)
  endif()
endif()

# a3m_test(<name> <label> <seconds> <command>…)
function(a3m_test name label seconds)
  add_test(NAME ${name} COMMAND ${A3M_TEST_LAUNCHER} ${ARGN} COMMAND_EXPAND_LISTS)
  math(EXPR seconds "${seconds} * ${A3M_TEST_TIME_FACTOR}")
  set_tests_properties(${name} PROPERTIES
    LABELS ${label} TIMEOUT ${seconds} SKIP_RETURN_CODE 77 ENVIRONMENT "${A3M_TEST_ENVIRONMENT}")
endfunction()

function(a3m_c_tests label seconds)
  file(GLOB helpers CONFIGURE_DEPENDS *.c)
  file(GLOB tests CONFIGURE_DEPENDS test_*.c)
  set(others ${ARGN})
  list(TRANSFORM others PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  list(REMOVE_ITEM helpers ${tests} ${others} "")
  if(helpers)
    add_library(a3m_${label}_helpers OBJECT ${helpers})
    target_link_libraries(a3m_${label}_helpers PRIVATE a3m_test_base PkgConfig::CMOCKA)
    set(helpers $<TARGET_OBJECTS:a3m_${label}_helpers>)
  endif()
  foreach(source IN LISTS tests)
    cmake_path(GET source STEM stem)
    string(REGEX REPLACE "^test_" "" name ${stem})
    set(target ${label}_${name})
    add_executable(${target} ${source} ${helpers})
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/${label}
                                               OUTPUT_NAME ${stem})
    if(TARGET a3m_test_support)
      target_link_libraries(${target} PRIVATE a3m_test_support)
    endif()
    target_link_libraries(${target} PRIVATE a3m_test_base PkgConfig::CMOCKA)
    a3m_test(${label}/${name} ${label} ${seconds} $<TARGET_FILE:${target}>)
  endforeach()
endfunction()

function(a3m_script_tests label seconds)
  file(GLOB tests CONFIGURE_DEPENDS test_*.sh)
  foreach(source IN LISTS tests)
    cmake_path(GET source STEM stem)
    string(REGEX REPLACE "^test_" "" name ${stem})
    a3m_test(${label}/${name} ${label} ${seconds} bash ${source})
  endforeach()
endfunction()
