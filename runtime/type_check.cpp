#include "runtime/type_check.hpp"

#include <pawl/limits.hpp>

#include "runtime/nearest_name.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace pawl {

namespace {

using Names = std::vector<std::string_view>;

Names names_of(const StepTypes& types) {
  Names names;
  for (const auto& [name, info] : types) names.push_back(name);
  return names;
}

/// Whether a literal can be of this kind; a string with a template may become anything.
bool fits(const json& value, ParamInfo::Kind kind) {
  if (value.is_string() && value.get_ref<const std::string&>().find("{{") != std::string::npos)
    return true;
  const auto all = [&](ParamInfo::Kind element) {
    return std::all_of(value.begin(), value.end(), [&](const json& e) { return fits(e, element); });
  };
  switch (kind) {
    case ParamInfo::Kind::any: return true;
    case ParamInfo::Kind::string: return value.is_string();
    case ParamInfo::Kind::integer: return value.is_number_integer();
    case ParamInfo::Kind::boolean: return value.is_boolean();
    case ParamInfo::Kind::object: return value.is_object();
    case ParamInfo::Kind::array: return value.is_array();
    case ParamInfo::Kind::string_array: return value.is_array() && all(ParamInfo::Kind::string);
    case ParamInfo::Kind::integer_array: return value.is_array() && all(ParamInfo::Kind::integer);
    case ParamInfo::Kind::string_object: return value.is_object() && all(ParamInfo::Kind::string);
  }
  return false;
}

void check_params(const std::string& step_type, const json& with, const StepTypeInfo& type,
                  const std::string& pointer, std::vector<Problem>& problems) {
  const auto complain = [&](const std::string& at, const char* code, std::string message) {
    problems.push_back({at, code, std::move(message)});
  };
  Names known;
  for (const ParamInfo& param : type.params) {
    known.push_back(param.name);
    const auto value = with.find(param.name);
    if (value == with.end()) {
      if (param.required)
        complain(pointer, "missing_parameter",
                 step_type + " needs \"" + param.name + "\": " + param.meaning);
    } else if (!fits(*value, param.kind)) {
      complain(pointer_to(pointer, param.name), "wrong_kind",
               std::string("expected ") + to_string(param.kind) + ", found " + value->type_name());
    }
  }
  for (const auto& [name, value] : with.items())
    if (std::find(known.begin(), known.end(), name) == known.end())
      complain(pointer_to(pointer, name), "unknown_parameter",
               step_type + " has no parameter \"" + printable_text(name, 80) + "\"" +
                   did_you_mean(name, known));
}

}  // namespace

const char* to_string(ParamInfo::Kind kind) {
  switch (kind) {
    case ParamInfo::Kind::any: return "any";
    case ParamInfo::Kind::string: return "string";
    case ParamInfo::Kind::integer: return "integer";
    case ParamInfo::Kind::boolean: return "boolean";
    case ParamInfo::Kind::object: return "object";
    case ParamInfo::Kind::array: return "array";
    case ParamInfo::Kind::string_array: return "string_array";
    case ParamInfo::Kind::integer_array: return "integer_array";
    case ParamInfo::Kind::string_object: return "string_object";
  }
  return "any";
}

/// `[A-Za-z0-9_][A-Za-z0-9._-]*`: flows and step types, which may have dots.
std::string dotted_name_complaint(const char* what, const std::string& name) {
  bool good = !name.empty() && name.size() <= Limits::name_bytes_max && name.front() != '.' &&
              name.front() != '-';
  for (const char c : name)
    good = good && ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                    c == '_' || c == '.' || c == '-');
  if (good) return {};
  return std::string(what) + " \"" + printable_text(name, 80) +
         "\" must match [A-Za-z0-9_][A-Za-z0-9._-]* and have at most " +
         std::to_string(Limits::name_bytes_max) + " bytes";
}

void check_type(const std::string& name, const json& with, const StepTypes* types,
                const std::string& pointer, std::vector<Problem>& problems) {
  const auto complain = [&](const std::string& at, const char* code, std::string message) {
    problems.push_back({at, code, std::move(message)});
  };
  const std::string complaint = dotted_name_complaint("the step type", name);
  if (!complaint.empty()) return complain(pointer + "/run", "bad_name", complaint);
  if (types == nullptr) return;
  const auto type = types->find(name);
  if (type == types->end())
    return complain(
        pointer + "/run", "unknown_step_type",
        "this program has no step type \"" + name + "\"" + did_you_mean(name, names_of(*types)));
  if (type->second.params_known)
    check_params(name, with, type->second, pointer + "/with", problems);
}

}  // namespace pawl
