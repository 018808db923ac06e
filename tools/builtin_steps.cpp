#include "tools/builtin_steps.hpp"

#include <pawl/limits.hpp>

#include "tools/file_steps.hpp"
#include "tools/shell_step.hpp"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace pawl::tools {

namespace {

constexpr std::int64_t look_ms = 10;  // how often a sleeping step looks whether it is still wanted

StepResult sleep_step(const StepCall& call) {
  const auto ms = call.with.find("ms");
  if (ms == call.with.end() || !ms->is_number_integer() || ms->get<std::int64_t>() < 0 ||
      ms->get<std::int64_t>() > Limits::delay_ms_max)
    return fail("ms must be a whole number of milliseconds, 0 or more");
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(ms->get<std::int64_t>());
  for (;;) {
    if (call.cancelled()) return retry("woken before its time");
    const auto left = std::chrono::duration_cast<std::chrono::microseconds>(
        end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return done({{"ms", *ms}});
    std::this_thread::sleep_for(
        std::min<std::chrono::microseconds>(left, std::chrono::milliseconds(look_ms)));
  }
}

StepTypeInfo sleep_info() {
  return StepTypeInfo{"Waits, holding a thread.",
                      {{"ms", ParamInfo::Kind::integer, true, "for how many milliseconds"}},
                      true,
                      R"({"ms"})"};
}

StepTypeInfo echo_info() {
  return StepTypeInfo{"Gives its parameters back.", {}, false, "the parameters, whatever they are"};
}

}  // namespace

Steps builtin_steps(std::shared_ptr<Spawner> spawner) {
  Steps steps;
  steps.add(
      "echo", [](const StepCall& call) { return done(call.with); }, echo_info());
  steps.add("file.read", read_file_step, read_file_info());
  steps.add("file.write", write_file_step, write_file_info());
  // A step's body is copied; the programs under way are known to all copies.
  const auto shell = std::make_shared<ShellStep>(std::move(spawner));
  steps.add(
      "shell", [shell](const StepCall& call) { return (*shell)(call); }, ShellStep::info());
  steps.add("sleep", sleep_step, sleep_info());
  return steps;
}

}  // namespace pawl::tools
