/// StepTypeInfo: what a program says about a step type, for validation and `pawl steps`.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace pawl {

/// One parameter of a step type.
struct ParamInfo {
  enum class Kind {
    any,
    string,
    integer,
    boolean,
    object,
    array,
    string_array,
    integer_array,
    string_object
  };

  std::string name;
  Kind kind = Kind::any;
  bool required = false;
  std::string meaning;  ///< one line
};

/// Gives the enumerator's own spelling.
const char* to_string(ParamInfo::Kind kind);

/// What is known of a step type besides its body.
struct StepTypeInfo {
  std::string summary;            ///< one line
  std::vector<ParamInfo> params;  ///< checked only when `params_known`
  bool params_known = false;      ///< a flow that gives any other parameter has a problem
  std::string output;             ///< the output's shape, one line
};

/// Step types by name.
using StepTypes = std::map<std::string, StepTypeInfo>;

}  // namespace pawl
