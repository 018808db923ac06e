// The kits that the lab gives to writers of stores and of steps, and the steps that it mocks.
#include <pawl/memory_store.hpp>
#include <pawl/mock_steps.hpp>
#include <pawl/sqlite_store.hpp>
#include <pawl/step_audit.hpp>
#include <pawl/store_conformance.hpp>

#include "support/broken_store.hpp"
#include "support/catch.hpp"
#include "support/temp_folder.hpp"

#include <chrono>
#include <map>
#include <thread>

using namespace pawl;

namespace {

class NoLock final : public OwnerLock {};

/// A memory store that forgets every third write that it acknowledges.
class Forgetful final : public ForwardingStore {
 public:
  explicit Forgetful(std::shared_ptr<MemoryFile> file)
      : ForwardingStore(open_memory_store(std::move(file))) {}

  Result<std::vector<WriteReply>> write(const std::vector<const Write*>& batch,
                                        std::int64_t now_ms) override {
    if (++writes_ % 3 != 0) return ForwardingStore::write(batch, now_ms);
    std::vector<WriteReply> replies(batch.size());
    for (WriteReply& reply : replies) reply.status = WriteStatus::written;
    return replies;
  }

 private:
  int writes_ = 0;
};

std::string all_of(const std::vector<lab::StepFinding>& findings) {
  std::string text;
  for (const lab::StepFinding& finding : findings) text += finding.step + ":" + finding.what + " ";
  return text;
}

}  // namespace

TEST_CASE("store kit: the model and SQLite keep every promise", "[lab]") {
  CHECK(lab::store_checks().size() >= 10);
  CHECK(lab::check_store([] {
          const auto file = make_memory_file();
          return lab::StoreUnderTest{[file] { return open_memory_store(file); }};
        }).empty());
  const auto findings = lab::check_store([] {
    const auto folder = std::make_shared<TempFolder>();
    return lab::StoreUnderTest{[folder] {
      SqliteStoreOptions options{*folder / "pawl.db"};
      options.take_lock = [](const std::string&) -> Result<std::unique_ptr<OwnerLock>> {
        return std::unique_ptr<OwnerLock>(std::make_unique<NoLock>());
      };
      return open_sqlite_store(options).value();
    }};
  });
  for (const lab::StoreFinding& finding : findings)
    FAIL_CHECK(finding.check << ": " << finding.message);
}

TEST_CASE("store kit: a store that forgets is found out", "[lab]") {
  const auto findings = lab::check_store([] {
    const auto file = make_memory_file();
    return lab::StoreUnderTest{[file] { return std::make_unique<Forgetful>(file); }};
  });
  CHECK(findings.size() >= 3);
}

TEST_CASE("step audit: names the steps that are not safe to repeat, and no others", "[lab]") {
  const Flow flow = parse_flow(R"({"flow": "f", "steps": {
    "safe": {"run": "safe"}, "unsafe": {"run": "unsafe"}, "fickle": {"run": "fickle"}}})")
                        .value();
  const auto findings = lab::audit_steps(flow, json::object(), [] {
    auto world = std::make_shared<json>(json::object());
    auto rolls = std::make_shared<int>(0);
    return lab::ObservedWorld{
        [world, rolls] {
          return Steps{{"safe",
                        [world](const StepCall& call) {
                          (*world)["by_key"][call.key] = 1;
                          return done();
                        }},
                       {"unsafe",
                        [world](const StepCall&) {
                          (*world)["list"].push_back(1);
                          return done();
                        }},
                       {"fickle", [rolls](const StepCall&) { return done(++*rolls); }}};
        },
        [world] { return *world; }};
  });
  CHECK(all_of(findings) == "fickle:differs unsafe:not_repeatable ");
}

TEST_CASE("step audit: a step that does not stop when it is told to is named", "[lab]") {
  const Flow flow =
      parse_flow(R"({"flow": "f", "steps": {"deaf": {"run": "deaf"}, "good": {"run": "good"}}})")
          .value();
  const auto release = std::make_shared<std::atomic<bool>>(false);
  const auto findings = lab::audit_steps(
      flow, json::object(),
      [release] {
        return lab::ObservedWorld{[release] {
                                    return Steps{{"deaf",
                                                  [release](const StepCall& call) {
                                                    while (call.cancelled() && !*release)
                                                      std::this_thread::yield();
                                                    return done();
                                                  }},
                                                 {"good", [](const StepCall&) { return done(); }}};
                                  },
                                  [] { return json(); }};
      },
      50);
  *release = true;
  CHECK(all_of(findings) == "deaf:ignores_cancellation ");
}

TEST_CASE("mock steps: outputs are what the file says, or what templates want", "[lab]") {
  const Flow flow = parse_flow(R"({"flow": "f", "steps": {
    "list": {"run": "shell", "with": {"argv": ["ls"]}},
    "sum": {"run": "shell", "with": {"argv": ["sum", "{{steps.list.output.files[1].name}}"]}}},
    "output": "{{steps.sum.output.stdout}}"})")
                        .value();
  const auto call = [](const Steps& steps, const std::string& step, int attempt = 1) {
    StepCall made;
    made.step = step;
    made.attempt = attempt;
    return (*steps.bodies().at("shell").function())(made);
  };
  const Steps plain = lab::mock_steps(flow).value();
  CHECK(call(plain, "list").output["files"][1]["name"] == "list.files[1].name");
  CHECK(call(plain, "sum").output["stdout"] == "sum.stdout");
  const Steps told = lab::mock_steps(flow, {{"list", {{"retry", "busy"}, {"times", 2}}},
                                            {"shell", {{"stdout", "x"}}}})
                         .value();
  CHECK(call(told, "list", 2).kind == StepResult::Kind::retry);
  CHECK(call(told, "list", 3).kind == StepResult::Kind::done);
  CHECK(call(told, "sum").output == json{{"stdout", "x"}});
  CHECK(lab::mock_steps(flow, {{"lists", 1}}).error().message.find("did you mean \"list\"") !=
        std::string::npos);
}
