// The smallest program: one step, one run, one store. Start it twice: the second time the run is
// found finished.
#include <pawl/engine.hpp>

#include <iostream>

pawl::StepResult greet(const pawl::StepCall& call) {
  std::cout << "greeting\n";  // seen once, however often the program is started
  return pawl::done("hello, " + call.with.at("name").get<std::string>());
}

int main() {
  const auto flow = pawl::parse_flow(R"({
    "flow": "hello",
    "input": {"name": "world"},
    "steps": {"greet": {"run": "greet", "with": {"name": "{{input.name}}"}}}
  })");
  auto engine = pawl::Engine::open("hello.db", {{"greet", greet}}).value();
  const pawl::Run run = engine.start(flow.value(), "first").value();
  std::cout << run.wait().output << '\n';
}
