// Commands about flows alone: no store is opened.
#include <pawl/flow.hpp>

#include "tools/builtin_steps.hpp"
#include "tools/commands.hpp"

namespace pawl::tools {

ExitCode validate_command(const Settings& settings, const std::string& path) {
  Console console(settings);
  const Steps steps = builtin_steps(nullptr);
  const Result<Flow> flow = load_flow(path, &steps.types());
  if (!flow && flow.error().code != Errc::invalid_flow) return console.flow_error(flow.error());
  if (console.json_wanted()) {
    json problems = json::array();
    if (!flow)
      for (const Problem& problem : flow.error().problems)
        problems.push_back(json{
            {"pointer", problem.pointer}, {"code", problem.code}, {"message", problem.message}});
    console.document(json{{"ok", flow.has_value()}, {"problems", problems}});
  } else if (flow) {
    console.data("ok");
  } else {
    for (const Problem& problem : flow.error().problems)
      console.data(path + ": " + (problem.pointer.empty() ? "/" : problem.pointer) + ": " +
                   problem.message);
  }
  return flow ? ExitCode::succeeded : ExitCode::usage;
}

ExitCode graph_command(const Settings& settings, const std::string& path,
                       const std::string& format) {
  Console console(settings);
  const Result<Flow> flow = load_flow(path);
  if (!flow) return console.flow_error(flow.error());
  std::string text = format == "mermaid" ? graph_mermaid(*flow) : graph_dot(*flow);
  if (console.json_wanted()) {
    console.document(json{{"format", format}, {"graph", text}});
  } else {
    text.pop_back();  // the line's own end
    console.data(text);
  }
  return ExitCode::succeeded;
}

ExitCode steps_command(const Settings& settings) {
  Console console(settings);
  const Steps steps = builtin_steps(nullptr);
  for (const auto& [name, info] : steps.types()) {
    if (console.json_wanted()) {
      json params = json::array();
      for (const ParamInfo& param : info.params)
        params.push_back(json{{"name", param.name},
                              {"kind", to_string(param.kind)},
                              {"required", param.required},
                              {"meaning", param.meaning}});
      console.document(json{{"type", name},
                            {"summary", info.summary},
                            {"parameters", params},
                            {"output", info.output}});
      continue;
    }
    console.data(name + ": " + info.summary);
    std::vector<std::vector<std::string>> rows;
    for (const ParamInfo& param : info.params)
      rows.push_back({"  " + param.name, to_string(param.kind), param.required ? "required" : "",
                      param.meaning});
    for (const std::string& line : table(rows)) console.data(line);
    console.data("  output: " + info.output);
  }
  return ExitCode::succeeded;
}

}  // namespace pawl::tools
