// Runs and other versions of their flows, by the command.
#include <pawl/json.hpp>
#include <pawl/run_fixture.hpp>

#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/temp_folder.hpp"

#include <fstream>

using namespace pawl;

namespace {

/// A folder with a flow of three steps, of which the second may fail, and the command.
struct Bench {
  Bench() { write("flow.json", flow("420")); }

  static std::string flow(const std::string& price) {
    return R"({"flow": "f", "secret": ["input.card"], "steps": {
      "price": {"run": "echo", "with": {"cents": )" +
           price + R"(}},
      "charge": {"run": "shell", "with": {"argv": ["sh", "-c", "echo $PAWL_KEY >> charged.txt; printf %s $0", "{{steps.price.output.cents}}"],
                                          "stdin": "{{input.card}}"}},
      "ship": {"run": "shell", "with": {"argv": ["sh", "-c", "echo $PAWL_KEY >> shipped.txt; printf 'for %s' $0", "{{steps.charge.output.stdout}}"]}}}})";
  }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder / name) << text;
  }

  ProcessEnd pawl(std::vector<std::string> arguments,
                  const Process::Environment& environment = {}) {
    arguments.insert(arguments.begin(), PAWL_COMMAND);
    return run_process(arguments, folder.path(), environment, {});
  }

  ProcessEnd run(const std::string& id) {
    return pawl({"run", "flow.json", "--id", id, "--input", R"({"card": "4711"})"});
  }

  json shown(const std::string& run) { return json::parse(pawl({"show", run, "--json"}).out); }

  TempFolder folder;
};

}  // namespace

TEST_CASE("command: diff says whether a run fits another flow", "[tools]") {
  Bench bench;
  CHECK(bench.run("r1").code == 0);
  bench.write("new.json", Bench::flow("430"));
  const ProcessEnd same = bench.pawl({"diff", "r1", "flow.json"});
  CHECK(same.code == 0);
  CHECK(same.out == "fits\n");
  const ProcessEnd other = bench.pawl({"diff", "r1", "new.json"});
  CHECK(other.code == 1);
  CHECK(other.out ==
        "differs\n  breaks: step price: parameters_differ: its attempts had other parameters at "
        "/cents\n");
  const ProcessEnd document = bench.pawl({"diff", "r1", "new.json", "--json"});
  CHECK(document.code == 1);
  CHECK(json::parse(document.out)["run"] == "r1");
  CHECK(json::parse(document.out)["fits"] == false);
  CHECK(json::parse(document.out)["findings"][0]["kind"] == "parameters_differ");
}

TEST_CASE("command: diff of an unknown run or a flow that is none is bad usage", "[tools]") {
  Bench bench;
  CHECK(bench.run("r1").code == 0);
  CHECK(bench.pawl({"diff", "r2", "flow.json"}).code == 2);
  CHECK(bench.pawl({"diff", "r1", "gone.json"}).code == 2);
  CHECK(bench.pawl({"diff", "r1"}).code == 2);
}

TEST_CASE("command: export prints a run as a fixture that can be read back", "[tools]") {
  Bench bench;
  CHECK(bench.run("r1").code == 0);
  const ProcessEnd end = bench.pawl({"export", "r1"});
  CHECK(end.code == 0);
  const RunFixture fixture = parse_run_fixture(end.out).value();
  CHECK(fixture.run == "r1");
  CHECK(fixture.records.size() == 5);
  CHECK(fixture_text(fixture) == end.out);
  const ProcessEnd document = bench.pawl({"export", "r1", "--json"});
  CHECK(document.out.find('\n') == document.out.size() - 1);
  CHECK(fixture_text(parse_run_fixture(document.out).value()) == end.out);
  CHECK(bench.pawl({"export", "r2"}).code == 2);
}

TEST_CASE("command: export leaves out what the flow marks secret when it is told to", "[tools]") {
  Bench bench;
  CHECK(bench.run("r1").code == 0);
  CHECK(bench.pawl({"export", "r1"}).out.find("4711") != std::string::npos);
  const ProcessEnd end = bench.pawl({"export", "r1", "--redact"});
  CHECK(end.code == 0);
  CHECK(end.out.find("4711") == std::string::npos);
  CHECK(parse_run_fixture(end.out).has_value());
}
