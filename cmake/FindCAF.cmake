# Finds the C++ Actor Framework: its own package where there is one, else the headers and libraries as Debian and
# Ubuntu ship them, which come without one.
#
# Result: targets CAF::core, CAF::io, CAF::openssl for the components asked for; CAF_VERSION.
# Hints:  CAF_ROOT.
include(FindPackageHandleStandardArgs)

if(NOT CAF_FIND_COMPONENTS)
  set(CAF_FIND_COMPONENTS core)
endif()

find_path(CAF_INCLUDE_DIR NAMES caf/actor_system.hpp)
mark_as_advanced(CAF_INCLUDE_DIR)
set(_caf_version_file "${CAF_INCLUDE_DIR}/caf/config.hpp")
if(CAF_INCLUDE_DIR AND EXISTS "${_caf_version_file}")
  # One number: 1706 is 0.17.6.
  file(STRINGS "${_caf_version_file}" _caf_line REGEX "^#define CAF_VERSION [0-9]+")
  string(REGEX MATCH "[0-9]+$" _caf_number "${_caf_line}")
  if(_caf_number)
    math(EXPR _caf_major "${_caf_number} / 10000")
    math(EXPR _caf_minor "${_caf_number} / 100 % 100")
    math(EXPR _caf_patch "${_caf_number} % 100")
    set(CAF_VERSION "${_caf_major}.${_caf_minor}.${_caf_patch}")
  endif()
endif()

set(_caf_required CAF_INCLUDE_DIR)
foreach(_component IN LISTS CAF_FIND_COMPONENTS)
  find_library(CAF_${_component}_LIBRARY NAMES caf_${_component})
  mark_as_advanced(CAF_${_component}_LIBRARY)
  if(CAF_${_component}_LIBRARY)
    set(CAF_${_component}_FOUND TRUE)
  endif()
  if(CAF_FIND_REQUIRED_${_component})
    list(APPEND _caf_required CAF_${_component}_LIBRARY)
  endif()
endforeach()

find_package_handle_standard_args(CAF REQUIRED_VARS ${_caf_required} VERSION_VAR CAF_VERSION HANDLE_COMPONENTS)

if(CAF_FOUND)
  find_package(Threads QUIET)
  foreach(_component IN LISTS CAF_FIND_COMPONENTS)
    if(CAF_${_component}_FOUND AND NOT TARGET CAF::${_component})
      add_library(CAF::${_component} UNKNOWN IMPORTED)
      set_target_properties(CAF::${_component} PROPERTIES
        IMPORTED_LOCATION "${CAF_${_component}_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${CAF_INCLUDE_DIR}")
      if(_component STREQUAL "core")
        set_property(TARGET CAF::core PROPERTY INTERFACE_LINK_LIBRARIES Threads::Threads)
      else()
        set_property(TARGET CAF::${_component} PROPERTY INTERFACE_LINK_LIBRARIES CAF::core)
      endif()
    endif()
  endforeach()
endif()
unset(_caf_version_file)
unset(_caf_line)
unset(_caf_number)
unset(_caf_required)
