# What A3M stands on. Packages of Debian 12 for all of it: tools/packages.txt.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(MSGPACK REQUIRED IMPORTED_TARGET msgpack)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto)
find_program(PROTOC_C protoc-c REQUIRED)
# Used inline (XXH_INLINE_ALL), so only the header counts.
find_path(XXHASH_INCLUDE_DIR xxhash.h REQUIRED)

# The one list of what the library links, for the shared library, the static one and a3m.pc.
add_library(a3m_deps INTERFACE)
target_link_libraries(a3m_deps INTERFACE
  PkgConfig::UV PkgConfig::PROTOBUF_C PkgConfig::MSGPACK PkgConfig::CRYPTO Threads::Threads m)
set(A3M_PC_REQUIRES_PRIVATE "libuv libprotobuf-c msgpack libcrypto")
