// An engine beside others on the same machine: readers that stay, and resources that run out.
#include <pawl/engine.hpp>
#include <pawl/sqlite_store.hpp>
#include <pawl/verify.hpp>

#include "store/checked_vfs.hpp"
#include "support/catch.hpp"
#include "support/faulty_vfs.hpp"
#include "support/resource_limit.hpp"
#include "support/temp_folder.hpp"

#include <SQLiteCpp/Database.h>
#include <sqlite3.h>

#include <atomic>
#include <mutex>
#include <thread>

using namespace pawl;

namespace {

const std::string three_steps = R"({"flow": "three", "steps": {"a": {"run": "x"},
  "b": {"run": "x", "after": ["a"]}, "c": {"run": "x", "after": ["b"]}}})";

/// What an engine told.
class Heard {
 public:
  EventListener listener() {
    return [this](const EngineEvent& event) {
      const std::lock_guard<std::mutex> lock(mutex_);
      events_.push_back(event);
    };
  }

  std::vector<std::string> messages(EventKind kind) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<std::string> messages;
    for (const EngineEvent& event : events_)
      if (event.kind == kind) messages.push_back(event.message);
    return messages;
  }

  /// Waits until something of that kind was told; false if it never is.
  bool waits_for(EventKind kind) const {
    for (int tries = 0; tries < 30'000; ++tries) {
      if (!messages(kind).empty()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<EngineEvent> events_;
};

/// A store whose disk fails when the test says so.
std::unique_ptr<Store> faulty_store(const std::string& path) {
  SqliteStoreOptions options{path};
  options.vfs = FaultyVfs::name();
  return open_sqlite_store(options).value();
}

bool has_part(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("neighbours: an engine tells of a reader that keeps its log from being begun anew",
          "[actors]") {
  TempFolder folder;
  const std::string path = folder / "pawl.db";
  Heard heard;
  EngineOptions options;
  options.checkpoint_pages = 10;
  options.log_bytes_warn = 1 << 20;
  options.on_event = heard.listener();
  const auto large = [](const StepCall&) { return done(std::string(500'000, 'x')); };
  Engine engine = Engine::open(path, {{"x", large}}, options).value();
  const Flow flow = parse_flow(three_steps).value();
  const auto run = [&](const std::string& id) {
    CHECK(engine.start(flow, id).value().wait().succeeded());
  };
  run("before");
  CHECK(heard.messages(EventKind::log_grows).empty());
  {
    SQLite::Database reader(path, SQLite::OPEN_READONLY, 0, checked_vfs({}));
    reader.exec("BEGIN");
    reader.execAndGet("SELECT count(*) FROM runs");
    for (int i = 0; i < 3; ++i) run("beside" + std::to_string(i));
  }
  // At 1, 2 and 4 MiB, and never twice.
  const std::vector<std::string> told = heard.messages(EventKind::log_grows);
  REQUIRE(told.size() == 3);
  CHECK(has_part(told[0], "the store's log (-wal) has grown to 1 MiB, because somebody reads"));
  CHECK(has_part(told[2], "has grown to 4 MiB"));
  CHECK(heard.messages(EventKind::log_reset).empty());
  run("after");
  CHECK(heard.messages(EventKind::log_reset).size() == 1);
  CHECK(heard.messages(EventKind::log_grows).size() == 3);
}

TEST_CASE("neighbours: without descriptors no store is opened, and the error says why",
          "[actors]") {
  if (is_sanitized) return;  // which needs descriptors itself
  TempFolder folder;
  const std::string path = folder / "pawl.db";
  { Engine::open(path, {}).value(); }
  int refused = 0;
  int told = 0;
  for (rlim_t limit = 3; limit < 40; ++limit) {
    CAPTURE(limit);
    Error error{};
    bool opened = false;
    {
      const ResourceLimit few(RLIMIT_NOFILE, limit);
      const Result<Engine> engine = Engine::open(path, {});
      opened = engine.has_value();
      if (!opened) error = engine.error();
    }
    if (opened) continue;
    ++refused;
    CAPTURE(error.text());
    CHECK(error.code == Errc::io);
    told += has_part(error.message, "no file descriptors are left") ||
                    has_part(error.message, "Too many open files")
                ? 1
                : 0;
  }
  CHECK(refused > 3);
  CHECK(told == refused);
  {
    const ResourceLimit none(RLIMIT_NOFILE, 3);
    const Error error = open_sqlite_reader(path).error();
    CHECK(error.code == Errc::io);
    CHECK(has_part(error.message, "no file descriptors are left"));
  }
  CHECK(Engine::open(path, {}).has_value());
  CHECK(verify_sqlite_store(path).value().findings.empty());
}

TEST_CASE("neighbours: an engine that can open no descriptor goes on when it can", "[actors]") {
  if (is_sanitized) return;  // which needs descriptors itself
  TempFolder folder;
  const std::string path = folder / "pawl.db";
  Heard heard;
  std::atomic<int> bodies{0};
  EngineOptions options;
  options.on_event = heard.listener();
  std::optional<ResourceLimit> none;
  // Its output cannot be written, and for the next try the store has to be opened anew.
  const auto body = [&](const StepCall& call) {
    ++bodies;
    if (call.step == "b") {
      none.emplace(RLIMIT_NOFILE, 3);
      FaultyVfs::fail(FaultyVfs::Operation::write, 1, SQLITE_IOERR_WRITE);
    }
    return done(call.step);
  };
  {
    Engine engine = Engine::open(faulty_store(path), {{"x", body}}, options).value();
    const Run run = engine.start(parse_flow(three_steps).value(), "r1").value();
    REQUIRE(heard.waits_for(EventKind::write_failed));
    for (int tries = 0; tries < 30'000 && heard.messages(EventKind::write_failed).size() < 3;
         ++tries)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    // Nothing is acknowledged meanwhile.
    CHECK(heard.messages(EventKind::step_completed).size() == 1);
    CHECK(has_part(heard.messages(EventKind::write_failed).back(), "no file descriptors are left"));
    none->lift();
    CHECK(run.wait().succeeded());
  }
  FaultyVfs::heal();
  CHECK(bodies == 3);
  CHECK(verify_sqlite_store(path).value().findings.empty());
}
