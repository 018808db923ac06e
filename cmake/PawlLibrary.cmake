# How pawl's own targets are built.

# Warnings and sanitizers for one of pawl's targets; nothing of it reaches the targets of others.
function(pawl_target_options target)
  target_compile_features(${target} PUBLIC cxx_std_17)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wold-style-cast
                                           -Wnon-virtual-dtor -Woverloaded-virtual)
  if(PAWL_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(CMAKE_UNITY_BUILD)
    # Files that are compiled as one see each other's unnamed namespaces, and g++ takes them for headers.
    target_compile_options(${target} PRIVATE -Wno-shadow $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  endif()
  if(PAWL_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${PAWL_SANITIZE} -fno-sanitize-recover=all
                                             -fno-omit-frame-pointer)
    # With sanitizers g++ 12 sees uninitialised members in its own <regex> and <functional>.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
    target_link_options(${target} PUBLIC -fsanitize=${PAWL_SANITIZE})
  endif()
  if(PAWL_MUTANTS)
    target_compile_definitions(${target} PRIVATE PAWL_MUTANTS)
  endif()
endfunction()

# One layer: pawl_library(NAME SOURCES ... HEADERS ... [PUBLIC libs...] [PRIVATE libs...])
#
# HEADERS are the public ones, below include/; a layer's private headers are found from the project's root.
function(pawl_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;HEADERS;PUBLIC;PRIVATE" ${ARGN})
  set(target pawl_${name})
  add_library(${target} ${ARG_SOURCES})
  add_library(pawl::${name} ALIAS ${target})
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${CMAKE_CURRENT_SOURCE_DIR}/include FILES ${ARG_HEADERS})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
  set_target_properties(${target} PROPERTIES
    EXPORT_NAME ${name}
    POSITION_INDEPENDENT_CODE ON
    # Shared layers find each other where they lie together.
    INSTALL_RPATH "$ORIGIN"
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  pawl_target_options(${target})
  if(PAWL_INSTALL)
    install(TARGETS ${target} EXPORT pawlTargets
      LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
      ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
      RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
      FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  endif()
endfunction()
