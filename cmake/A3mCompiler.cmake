# Language, warnings, hardening and instrumentation, carried by the interface target a3m_flags that
# every piece of our own code links. Generated code does not link a3m_warnings.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Debug or RelWithDebInfo" FORCE)
endif()

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON) # one set of objects serves both libraries
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)

# Warnings are errors on the compilers that the project is tested with; elsewhere a new warning
# must not keep anybody from building.
set(werror OFF)
if((CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_C_COMPILER_VERSION MATCHES "^12\\.")
   OR (CMAKE_C_COMPILER_ID STREQUAL "Clang" AND CMAKE_C_COMPILER_VERSION MATCHES "^14\\."))
  set(werror ${PROJECT_IS_TOP_LEVEL})
endif()
option(A3M_WERROR "Treat warnings as errors" ${werror})

add_library(a3m_warnings INTERFACE)
# Left out: -Wnull-dereference of gcc, which at -O2 reports paths that cannot be taken (the static
# analyzer behind tools/lint.sh looks for the same mistake with fewer false reports).
target_compile_options(a3m_warnings INTERFACE
  -Wall -Wextra
  -Wcast-qual -Wconversion -Wdate-time -Wdouble-promotion -Wformat=2 -Wimplicit-fallthrough
  -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wshadow -Wstrict-prototypes
  -Wundef -Wvla -Wwrite-strings
  $<$<C_COMPILER_ID:GNU>:-Wduplicated-cond -Wlogical-op>
  $<$<BOOL:${A3M_WERROR}>:-Werror>)

add_library(a3m_flags INTERFACE)
target_link_libraries(a3m_flags INTERFACE a3m_warnings)
target_compile_options(a3m_flags INTERFACE -fno-common -fstack-protector-strong)
# Empty rather than 1, so that a file which says "#define _GNU_SOURCE" itself does no harm.
target_compile_definitions(a3m_flags INTERFACE "_GNU_SOURCE=")
if(NOT A3M_SANITIZE)
  # Fortified calls hide plain ones from the sanitizers, and need an optimizing build.
  target_compile_options(a3m_flags INTERFACE $<$<CONFIG:RelWithDebInfo,Release>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2>)
  add_link_options(-Wl,-z,relro,-z,now -Wl,-z,defs -Wl,--as-needed)
endif()

# Instrumentation concerns every object, generated ones included.
if(A3M_SANITIZE)
  add_compile_options(-fsanitize=${A3M_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${A3M_SANITIZE})
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    # Instrumented code defeats gcc's flow analysis, which then reports what cannot happen.
    target_compile_options(a3m_warnings INTERFACE
      -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-stringop-overread -Wno-array-bounds)
  endif()
  if(A3M_SANITIZE MATCHES "thread")
    target_compile_definitions(a3m_flags INTERFACE A3M_TSAN=1)
    # ThreadSanitizer does not follow fences, and gcc says so at each one; the code knows A3M_TSAN.
    target_compile_options(a3m_warnings INTERFACE $<$<C_COMPILER_ID:GNU>:-Wno-tsan>)
  endif()
endif()
if(A3M_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "A3M_FUZZ needs clang (libFuzzer)")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(A3M_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()
