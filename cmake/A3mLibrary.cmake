# liba3m.so and liba3m.a, of the same objects. Targets: a3m, a3m_static (installed as a3m::…).
set(objects)
foreach(layer base core proto proto_gen runtime transport node sockets)
  if(TARGET a3m_${layer})
    list(APPEND objects $<TARGET_OBJECTS:a3m_${layer}>)
  endif()
endforeach()

add_library(a3m SHARED ${objects})
set_target_properties(a3m PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0)
# Hidden visibility keeps internals in; the version script states it a second time, and gives the
# symbols the version node that a later incompatible library can be told apart by.
target_link_options(a3m PRIVATE -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/a3m.map)
set_property(TARGET a3m PROPERTY LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/a3m.map)
target_link_libraries(a3m PRIVATE $<BUILD_INTERFACE:a3m_deps>)

add_library(a3m_static STATIC ${objects})
set_target_properties(a3m_static PROPERTIES OUTPUT_NAME a3m)
# Installed, the archive's dependencies are plain library names: the user of the package need not
# have their pkg-config files.
target_link_libraries(a3m_static
  PRIVATE $<BUILD_INTERFACE:a3m_deps>
  INTERFACE "$<INSTALL_INTERFACE:uv;protobuf-c;msgpackc;crypto;pthread;m>")

foreach(lib a3m a3m_static)
  target_include_directories(${lib} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/middleware/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  add_library(a3m::${lib} ALIAS ${lib})
endforeach()
