# a3m_layer(<name> [INCLUDE <dir>…] [LINK <target>…])
#
# Makes the OBJECT library a3m_<name> of the *.c files of this folder. INCLUDE are the roots of
# internal headers; every layer sees the public ones. Folders with no .c yet are fine.
function(a3m_layer name)
  cmake_parse_arguments(arg "" "" "INCLUDE;LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.c)
  if(NOT sources)
    set(sources ${PROJECT_SOURCE_DIR}/cmake/empty.c)
  endif()
  add_library(a3m_${name} OBJECT ${sources})
  target_include_directories(a3m_${name} PUBLIC ${PROJECT_SOURCE_DIR}/middleware/include ${arg_INCLUDE})
  target_link_libraries(a3m_${name} PRIVATE a3m_flags PUBLIC ${arg_LINK})
endfunction()
