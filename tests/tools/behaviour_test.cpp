// What the command says of its own step types.
#include <pawl/json.hpp>
#include <pawl/step_type.hpp>

#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/temp_folder.hpp"
#include "tools/builtin_steps.hpp"

#include <map>
#include <sstream>

using namespace pawl;

namespace {

json document_of(const std::string& type, const StepTypeInfo& info) {
  json parameters = json::array();
  for (const ParamInfo& parameter : info.params)
    parameters.push_back(json{{"name", parameter.name},
                              {"kind", to_string(parameter.kind)},
                              {"required", parameter.required},
                              {"meaning", parameter.meaning}});
  return json{{"type", type},
              {"summary", info.summary},
              {"parameters", parameters},
              {"output", info.output}};
}

}  // namespace

TEST_CASE("command: steps --json lists the built-in types and no other, one document a line",
          "[tools]") {
  TempFolder folder;
  const ProcessEnd end = run_process({PAWL_COMMAND, "steps", "--json"}, folder.path());
  CHECK(end.code == 0);
  CHECK(end.err.empty());
  std::map<std::string, json> told;
  std::istringstream lines(end.out);
  for (std::string line; std::getline(lines, line);) {
    const json document = json::parse(line);
    CAPTURE(line);
    CHECK(told.emplace(document.at("type").get<std::string>(), document).second);
    CHECK_FALSE(document.at("summary").get<std::string>().empty());
    for (const json& parameter : document.at("parameters"))
      CHECK_FALSE(parameter.at("meaning").get<std::string>().empty());
  }
  std::string names;
  for (const auto& [name, document] : told) names += name + " ";
  CHECK(names == "echo file.read file.write shell sleep ");

  const Steps builtin = tools::builtin_steps(nullptr);
  REQUIRE(told.size() == builtin.types().size());
  for (const auto& [name, info] : builtin.types()) CHECK(told.at(name) == document_of(name, info));

  // Not only what the program says of itself, but what stands in its documents.
  CHECK(told.at("echo").at("parameters") == json::array());
  CHECK(told.at("sleep").at("parameters") == json::parse(R"([{"name": "ms", "kind": "integer",
    "required": true, "meaning": "for how many milliseconds"}])"));
  std::string shell;
  for (const json& parameter : told.at("shell").at("parameters"))
    shell += parameter.at("name").get<std::string>() + ":" +
             parameter.at("kind").get<std::string>() +
             (parameter.at("required").get<bool>() ? "! " : " ");
  CHECK(shell ==
        "argv:string_array! cwd:string env:string_object stdin:string "
        "ok_exit_codes:integer_array encoding:string ");
}
