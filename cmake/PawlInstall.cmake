# `cmake --install` gives a package: find_package(pawl) and link pawl::pawl, or pawl::lab in tests.
include(CMakePackageConfigHelpers)

set(pawl_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/pawl)

install(EXPORT pawlTargets NAMESPACE pawl:: DESTINATION ${pawl_package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/pawlConfig.cmake.in ${PROJECT_BINARY_DIR}/pawlConfig.cmake
  INSTALL_DESTINATION ${pawl_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/pawlConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
    ${PROJECT_BINARY_DIR}/pawlConfig.cmake
    ${PROJECT_BINARY_DIR}/pawlConfigVersion.cmake
    ${PROJECT_SOURCE_DIR}/cmake/FindCAF.cmake
    ${PROJECT_SOURCE_DIR}/cmake/FindRE2.cmake
  DESTINATION ${pawl_package_dir})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
