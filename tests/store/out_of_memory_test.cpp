// No memory, for SQLite or for pawl: whichever allocation fails, what was answered is there, and
// what was not can be asked again. A program of its own, because SQLite takes an allocator only
// before it is first used.
#include <pawl/engine.hpp>
#include <pawl/sqlite_store.hpp>
#include <pawl/verify.hpp>

#include "lab/course.hpp"
#include "lab/disk.hpp"
#include "support/catch.hpp"
#include "support/store_writes.hpp"
#include "support/temp_folder.hpp"

#include <sqlite3.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <new>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace pawl;

namespace {

/// Allocations of one sort, some of which fail.
class Allocations {
 public:
  /// The `nth` from now on fails, and the next ones, until `times` have failed.
  void fail(long nth, long times) {
    count_ = 0;
    first_ = nth;
    last_ = nth + times - 1;
  }

  /// None fails any more. Gives how many there were.
  long heal() {
    first_ = no_number;
    return count_;
  }

  bool next_fails() {
    const long number = ++count_;
    return number >= first_ && number <= last_;
  }

  static constexpr long no_number = 1'000'000'000'000;

 private:
  std::atomic<long> count_{0};
  std::atomic<long> first_{no_number};
  std::atomic<long> last_{no_number};
};

Allocations of_sqlite;
thread_local Allocations* of_this_thread = nullptr;  // by operator new

sqlite3_mem_methods real_memory;

const bool is_configured = [] {
  if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory) != SQLITE_OK) return false;
  sqlite3_mem_methods memory = real_memory;
  memory.xMalloc = [](int size) {
    return of_sqlite.next_fails() ? nullptr : real_memory.xMalloc(size);
  };
  memory.xRealloc = [](void* old, int size) {
    return of_sqlite.next_fails() ? nullptr : real_memory.xRealloc(old, size);
  };
  return sqlite3_config(SQLITE_CONFIG_MALLOC, &memory) == SQLITE_OK;
}();

/// How many positions of the failing allocation are tried; PAWL_ALLOCATIONS asks for more.
long stories_or(long few) {
  const char* const asked = std::getenv("PAWL_ALLOCATIONS");
  return asked == nullptr ? few : std::atol(asked);
}

/// What one run of five steps writes.
std::vector<Write> story() {
  std::vector<Write> writes{start_run("r1")};
  for (const std::string step : {"a", "b", "c", "d", "e"})
    writes.push_back(append(1, output_record(step, 1, std::string(3'000, step[0]))));
  writes.push_back(append(1, ended_record()));
  return writes;
}

/// Asks the store, with `allocations` for operator new on this thread. Whatever it throws, it gave
/// no answer, which is a failure.
template <class Question>
auto ask(Allocations* allocations, Question&& question) -> decltype(question()) {
  of_this_thread = allocations;
  try {
    auto answer = question();
    of_this_thread = nullptr;
    return answer;
  } catch (const std::exception& thrown) {
    of_this_thread = nullptr;
    FAIL("thrown at the caller: " << thrown.what());
    throw;
  }
}

/// Opens the store and writes the story, each part until it is answered, which `on_answer` is told.
/// `on_error` is called for each error, and makes the memory come back sooner or later.
void live_through(const SqliteStoreOptions& options,
                  const std::function<void(const Error&)>& on_error,
                  Allocations* allocations = nullptr, const std::function<void()>& on_answer = {}) {
  std::unique_ptr<Store> store;
  while (!store) {
    auto opened = ask(allocations, [&] { return open_sqlite_store(options); });
    if (opened)
      store = std::move(*opened);
    else
      on_error(opened.error());
  }
  for (const Write& write : story()) {
    for (;;) {
      const std::vector<const Write*> batch{&write};
      const auto replies = ask(allocations, [&] { return store->write(batch, 1000); });
      if (!replies) {
        on_error(replies.error());
        continue;
      }
      REQUIRE(replies->size() == 1);
      REQUIRE(replies->front().status != WriteStatus::refused);
      if (on_answer) on_answer();
      break;
    }
    // Reads fail as well, and are repeated.
    for (;;) {
      const std::string run = "r1";
      const auto stored = ask(allocations, [&] { return store->load(run); });
      if (stored) break;
      on_error(stored.error());
    }
  }
}

void check_whole(const SqliteStoreOptions& options) {
  const auto verified = verify_sqlite_store(options.path, options.vfs);
  REQUIRE(verified.has_value());
  CHECK(verified->records == 7);
  CHECK(open_sqlite_reader(options.path, options.vfs).value()->load("r1").value()->row.state ==
        RunState::succeeded);
}

class FreeOwnership final : public OwnerLock {};

/// A store in this process's memory: no sync takes time.
struct LabStore {
  LabStore() {
    lab::set_current_disk(&disk);
    options.path = "/lab.db";
    options.vfs = lab::lab_vfs;
    options.take_lock = [](const std::string&) -> Result<std::unique_ptr<OwnerLock>> {
      return std::unique_ptr<OwnerLock>(std::make_unique<FreeOwnership>());
    };
  }

  ~LabStore() { lab::set_current_disk(nullptr); }

  lab::Course course;
  lab::Disk disk{{}, course};
  SqliteStoreOptions options{""};
};

}  // namespace

// Of the whole program. Only what a test asks for fails. Compiled into their callers they look
// mismatched to GCC.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (of_this_thread != nullptr && of_this_thread->next_fails()) throw std::bad_alloc();
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}

[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}

[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

TEST_CASE(
    "out of memory: whichever allocation of SQLite's fails, nothing that was answered is lost",
    "[store]") {
  REQUIRE(is_configured);
  const long times = GENERATE(1L, 3L, Allocations::no_number);
  long all = 0;
  {
    LabStore lab;
    of_sqlite.fail(Allocations::no_number, 1);
    live_through(lab.options, [](const Error& error) { FAIL(error.text()); });
    all = of_sqlite.heal();
    check_whole(lab.options);
  }
  REQUIRE(all > 200);
  long tried = 0;
  long failed = 0;
  const long stories = stories_or(100);
  for (long nth = 1; nth <= all; nth += 1 + all / stories) {
    CAPTURE(nth, times);
    LabStore lab;
    int errors = 0;
    of_sqlite.fail(nth, times);
    live_through(lab.options, [&](const Error& error) {
      CAPTURE(error.text());
      REQUIRE(error.code == Errc::io);
      CHECK(error.message.find("memory") != std::string::npos);
      if (++errors == 4) of_sqlite.heal();
      REQUIRE(errors < 10);
    });
    of_sqlite.heal();
    ++tried;
    failed += errors > 0 ? 1 : 0;
    check_whole(lab.options);
  }
  CHECK(failed > tried / 4);  // SQLite does without some of them
}

TEST_CASE("out of memory: whichever allocation of pawl's fails, nothing that was answered is lost",
          "[store]") {
  // In a process of its own each time: destructors of the JSON library allocate, and what they
  // cannot get ends the process, which is a crash like any other.
  void* const shared = ::mmap(nullptr, sizeof(std::atomic<long>) * 2, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(shared != MAP_FAILED);
  auto* const answered = new (shared) std::atomic<long>(0);
  auto* const allocated = new (answered + 1) std::atomic<long>(0);
  const auto live = [&](const SqliteStoreOptions& options, long nth) {
    *answered = 0;
    const pid_t child = ::fork();
    if (child == 0) {
      std::signal(SIGABRT, SIG_DFL);
      const rlimit no_core{0, 0};
      ::setrlimit(RLIMIT_CORE, &no_core);
      if (std::freopen("/dev/null", "w", stderr) == nullptr) ::_exit(2);
      int code = 1;
      try {
        Allocations allocations;
        allocations.fail(nth, 1);
        bool errors_are_right = true;
        live_through(
            options, [&](const Error& error) { errors_are_right &= error.code == Errc::io; },
            &allocations, [&] { ++*answered; });
        *allocated = allocations.heal();
        code = errors_are_right ? 0 : 3;
      } catch (...) {
      }
      ::_exit(code);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
  };
  {
    const TempFolder folder;
    REQUIRE(live({folder / "pawl.db"}, Allocations::no_number) == 0);
  }
  const long all = *allocated;
  REQUIRE(all > 100);
  long tried = 0;
  long died = 0;
  const long stories = stories_or(12);
  for (long nth = 1; nth <= all; nth += 1 + all / stories) {
    const TempFolder folder;
    const SqliteStoreOptions options{folder / "pawl.db"};
    const int status = live(options, nth);
    CAPTURE(nth, status);
    const bool aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    REQUIRE((status == 0 || aborted));
    ++tried;
    died += aborted ? 1 : 0;
    // A run's start is one record, and so is each further write.
    const auto store = open_sqlite_store(options).value();
    const auto stored = store->load("r1").value();
    const long there = stored ? static_cast<long>(stored->records.size()) : 0;
    CHECK(there >= *answered);
    CHECK((aborted || there == 7));
  }
  CHECK(died < tried / 2);
  ::munmap(shared, sizeof(std::atomic<long>) * 2);
}

TEST_CASE("out of memory: an engine whose SQLite has none goes on when there is some", "[store]") {
  const Flow flow = parse_flow(R"({"flow": "five", "steps": {"a": {"run": "x"},
    "b": {"run": "x", "after": ["a"]}, "c": {"run": "x", "after": ["b"]},
    "d": {"run": "x", "after": ["c"]}, "e": {"run": "x", "after": ["d"]}}})")
                        .value();
  const TempFolder folder;
  const std::string path = folder / "pawl.db";
  std::atomic<int> bodies{0};
  std::atomic<int> failures{0};
  EngineOptions options;
  options.on_event = [&](const EngineEvent& event) {
    if (event.kind == EventKind::write_failed && ++failures % 3 == 0) of_sqlite.heal();
  };
  long at = 0;  // in the flow's step c: nothing but its output is asked of the store then
  const auto body = [&](const StepCall& call) {
    ++bodies;
    if (call.step == "c") of_sqlite.fail(at, Allocations::no_number);
    return done(call.step);
  };
  Engine engine = Engine::open(path, {{"x", body}}, options).value();
  for (at = 1; at <= 20; at += 3) {
    bodies = 0;
    const Run run = engine.start(flow, "r" + std::to_string(at)).value();
    CHECK(run.wait().succeeded());
    of_sqlite.heal();
    CHECK(bodies == 5);
  }
  CHECK(failures >= 3);
  CHECK(engine.close(1000).empty());
  CHECK(verify_sqlite_store(path).value().findings.empty());
}

TEST_CASE("out of memory: a step that has none is a failed attempt", "[store]") {
  const TempFolder folder;
  std::atomic<int> bodies{0};
  const auto body = [&](const StepCall&) {
    if (++bodies == 1) throw std::bad_alloc();
    return done(1);
  };
  Engine engine = Engine::open(folder / "pawl.db", {{"x", body}}).value();
  const Flow flow =
      parse_flow(
          R"({"flow": "f", "steps": {"a": {"run": "x", "retry": {"initial_ms": 0, "max_ms": 0}}}})")
          .value();
  CHECK(engine.start(flow, "r1").value().wait().succeeded());
  const json attempts = engine.describe("r1").value()["steps"]["a"]["attempts"];
  REQUIRE(attempts.size() == 2);
  CHECK(attempts[0]["end"] == "failed");
  CHECK(attempts[0]["error"]["message"].get<std::string>().find("bad_alloc") != std::string::npos);
}
