// The command's own step types, called as the engine would call them.
#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/temp_folder.hpp"
#include "tools/base64.hpp"
#include "tools/builtin_steps.hpp"
#include "tools/console.hpp"

#include <atomic>
#include <fstream>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace steps_test {

using namespace pawl;
using namespace pawl::tools;

namespace {

/// A folder and the built-in steps in it.
struct Bench {
  StepResult call(const std::string& type, const json& with) {
    StepCall call;
    call.run = "r1";
    call.step = "s";
    call.key = "r1/s";
    call.with = with;
    call.folder = folder.path();
    call.cancellation = cancellation;
    return (*steps.bodies().at(type).function())(call);
  }

  StepResult shell(const std::string& script, json with = json::object()) {
    with["argv"] = {"sh", "-c", script};
    return call("shell", with);
  }

  TempFolder folder;
  std::shared_ptr<Spawner> spawner{Spawner::start(folder / "lock").value()};
  Steps steps = builtin_steps(spawner);
  std::shared_ptr<Cancellation> cancellation = std::make_shared<Cancellation>();
};

}  // namespace

TEST_CASE("steps: shell gives stdout, stderr and exit code, and knows its key", "[tools]") {
  Bench bench;
  const StepResult result =
      bench.shell("echo out $PAWL_KEY $PAWL_RUN $PAWL_STEP $PAWL_ATTEMPT; echo err >&2; exit 3",
                  {{"ok_exit_codes", {0, 3}}});
  CHECK(result.kind == StepResult::Kind::done);
  CHECK(result.output ==
        json{{"stdout", "out r1/s r1 s 1\n"}, {"stderr", "err\n"}, {"exit_code", 3}});
}

TEST_CASE("steps: shell takes arguments as they are: no shell reads them", "[tools]") {
  Bench bench;
  const std::string nasty = "a b; rm -rf $HOME `id` \"quoted\" \n * ü";
  CHECK(bench.call("shell", {{"argv", {"printf", "%s", nasty}}}).output["stdout"] == nasty);
  CHECK(bench.call("shell", {{"argv", {"echo", 5, 1.5, true}}}).output["stdout"] == "5 1.5 true\n");
}

TEST_CASE("steps: shell has its folder, environment and input", "[tools]") {
  Bench bench;
  std::ofstream(bench.folder / "here.txt") << "x";
  CHECK(bench.shell("ls").output["stdout"] == "here.txt\nlock\n");
  CHECK(bench.shell("pwd", {{"cwd", "/"}}).output["stdout"] == "/\n");
  CHECK(
      bench.shell("echo $COLOUR $PAWL_KEY", {{"env", {{"COLOUR", "blue"}, {"PAWL_KEY", "forged"}}}})
          .output["stdout"] == "blue r1/s\n");
  CHECK(bench.shell("cat", {{"stdin", "some text"}}).output["stdout"] == "some text");
  CHECK(bench.shell("cat").output["stdout"] == "");
  const std::string large(900'000, 'y');
  CHECK(bench.shell("cat", {{"stdin", large}}).output["stdout"] == large);
  CHECK(bench.shell("true", {{"stdin", large}}).kind ==
        StepResult::Kind::done);  // reads none of it
}

TEST_CASE(
    "steps: another exit code than expected, or a signal, is a failed attempt that may be repeated",
    "[tools]") {
  Bench bench;
  const StepResult code = bench.shell("echo first >&2; echo the reason >&2; exit 9");
  CHECK(code.kind == StepResult::Kind::retry);
  CHECK(code.message == "exit code 9: first\nthe reason");
  const StepResult signal = bench.shell("kill -SEGV $$");
  CHECK(signal.kind == StepResult::Kind::retry);
  CHECK(signal.message.find("killed by signal 11") == 0);
}

TEST_CASE("steps: what can never run fails for good, with the reason", "[tools]") {
  Bench bench;
  const auto [with, words] = GENERATE(table<json, std::string>({
      {{{"argv", {"no-such-program-here"}}}, "No such file"},
      {{{"argv", {"/dev/null"}}}, "Permission denied"},
      {{{"argv", {"true"}}, {"cwd", "/none"}}, "No such file"},
      {{{"argv", {"true"}}, {"cwd", "/dev/null"}}, "Not a directory"},
      {{{"argv", {"true", std::string(200'000, 'x')}}}, "Argument list too long"},
      {{{"argv", json::array()}}, "argv"},
      {{{"argv", {"echo", nullptr}}}, "argv[1]"},
      {{{"argv", {"echo", {{"a", 1}}}}}, "argv[1]"},
      {{{"argv", {"echo", std::string("a\0b", 3)}}}, "NUL"},
      {{{"argv", {"true"}}, {"env", {{"A=B", "x"}}}}, "env"},
      {{{"argv", {"true"}}, {"env", {{"A", {1}}}}}, "env.A"},
      {{{"argv", {"true"}}, {"encoding", "latin1"}}, "encoding"},
      {{{"argv", {"true"}}, {"ok_exit_codes", "0"}}, "ok_exit_codes"},
  }));
  CAPTURE(with);
  const StepResult result = bench.call("shell", with);
  CHECK(result.kind == StepResult::Kind::fail);
  CHECK(result.message.find(words) != std::string::npos);
}

TEST_CASE("steps: what only now cannot run may be tried again", "[tools]") {
  Bench bench;
  const std::string program = bench.folder / "program";
  std::ofstream writer(program);
  writer << "#!/bin/sh\necho ran\n" << std::flush;
  REQUIRE(::chmod(program.c_str(), 0755) == 0);
  const StepResult busy = bench.call("shell", {{"argv", {program}}});  // it is being written
  CHECK(busy.kind == StepResult::Kind::retry);
  CHECK(busy.message.find("Text file busy") != std::string::npos);
  writer.close();
  CHECK(bench.call("shell", {{"argv", {program}}}).output["stdout"] == "ran\n");
}

TEST_CASE("steps: a spawner without a free descriptor refuses one program and starts the next",
          "[tools]") {
  Bench bench;
  CHECK(bench.shell("true").kind == StepResult::Kind::done);  // it is there, and waits
  const std::string self = std::to_string(::getpid());
  const int process = std::stoi(file_text("/proc/self/task/" + self + "/children"));
  rlimit before{};
  REQUIRE(::prlimit(process, RLIMIT_NOFILE, nullptr, &before) == 0);
  const rlimit few{4, before.rlim_max};
  REQUIRE(::prlimit(process, RLIMIT_NOFILE, &few, nullptr) == 0);
  CHECK(bench.shell("echo ran").kind == StepResult::Kind::retry);
  REQUIRE(::prlimit(process, RLIMIT_NOFILE, &before, nullptr) == 0);
  CHECK(bench.shell("echo ran").output["stdout"] == "ran\n");
}

TEST_CASE("steps: shell's output is text, or base64 when asked, and too much of it fails",
          "[tools]") {
  Bench bench;
  CHECK(bench.shell("printf '\\377\\000'").kind == StepResult::Kind::fail);
  CHECK(bench.shell("printf '\\377\\000'", {{"encoding", "base64"}}).output["stdout"] == "/wA=");
  CHECK(bench.shell("printf 'a\\000b'").output["stdout"] == std::string("a\0b", 3));
  CHECK(bench.shell("head -c 1048576 /dev/zero | tr '\\000' x").kind == StepResult::Kind::done);
  const StepResult large = bench.shell("yes");
  CHECK(large.kind == StepResult::Kind::fail);
  CHECK(large.message.find("1048576") != std::string::npos);
  const StepResult talkative =
      bench.shell("head -c 3000000 /dev/zero | tr '\\000' x >&2; echo end >&2");
  CHECK(talkative.kind == StepResult::Kind::done);
  CHECK(talkative.output["stderr"].get<std::string>().size() == 65536);
  CHECK(talkative.output["stderr"].get<std::string>().substr(65536 - 4) == "end\n");
}

TEST_CASE("steps: a cancelled program is asked to stop and may clean up", "[tools]") {
  Bench bench;
  std::thread canceller([&] {
    wait_until([&] { return !file_text(bench.folder / "began").empty(); });
    bench.cancellation->set(Cancellation::Reason::cancelled);
  });
  const StepResult result =
      bench.shell("trap 'echo bye > bye; exit 1' TERM; echo x > began; sleep 600 & wait");
  canceller.join();
  CHECK(result.kind == StepResult::Kind::retry);
  CHECK(file_text(bench.folder / "bye") == "bye\n");
}

TEST_CASE("steps: a program whose time is over is killed at once, with its whole group",
          "[tools]") {
  Bench bench;
  std::thread canceller([&] {
    wait_until([&] { return !file_text(bench.folder / "pid").empty(); });
    bench.cancellation->set(Cancellation::Reason::timed_out);
  });
  const StepResult result = bench.shell("trap '' TERM; sleep 600 & echo $! > pid; wait");
  canceller.join();
  CHECK(result.message.find("killed by signal 9") == 0);
  const int child = std::stoi(file_text(bench.folder / "pid"));
  CHECK(wait_until([&] { return ::kill(child, 0) != 0; }));
}

TEST_CASE("steps: an attempt waits for the one before, but not when nobody wants it any more",
          "[tools]") {
  Bench bench;
  std::thread before([&] { bench.shell("echo x > began; sleep 600"); });
  REQUIRE(wait_until([&] { return !file_text(bench.folder / "began").empty(); }));
  StepCall call;
  call.key = "r1/s";
  call.folder = bench.folder.path();
  call.with = {{"argv", {"true"}}};
  const auto unwanted = std::make_shared<Cancellation>();
  call.cancellation = unwanted;
  std::atomic<bool> ended{false};
  StepResult result;
  std::thread next([&] {
    result = (*bench.steps.bodies().at("shell").function())(call);
    ended = true;
  });
  detail::pause_briefly();
  CHECK_FALSE(ended);
  unwanted->set(Cancellation::Reason::cancelled);
  CHECK(wait_until([&] { return ended.load(); }, 10'000));
  bench.cancellation->set(Cancellation::Reason::timed_out);
  before.join();
  next.join();
  CHECK(result.kind == StepResult::Kind::retry);
}

TEST_CASE(
    "steps: what a program leaves behind in its group ends with it, and does not hold its step",
    "[tools]") {
  Bench bench;
  const StepResult result = bench.shell("sleep 600 & echo $! > pid; echo said");
  CHECK(result.kind == StepResult::Kind::done);
  CHECK(result.output["stdout"] == "said\n");
  const int child = std::stoi(file_text(bench.folder / "pid"));
  CHECK(wait_until([&] { return ::kill(child, 0) != 0; }));
}

TEST_CASE("steps: many programs at once, each with its own output", "[tools]") {
  Bench bench;
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      for (int j = 0; j < 10; ++j) {
        StepCall call;
        call.key = "r1/" + std::to_string(i);
        call.folder = "/";
        call.with = {{"argv", {"echo", std::to_string(i * 100 + j)}}};
        const StepResult result = (*bench.steps.bodies().at("shell").function())(call);
        if (result.output.is_object() &&
            result.output["stdout"] == std::to_string(i * 100 + j) + "\n")
          ++right;
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(right == 80);
}

TEST_CASE("steps: file.write replaces the whole file or nothing, and keeps its mode", "[tools]") {
  Bench bench;
  CHECK(bench.call("file.write", {{"path", "a.txt"}, {"text", "first"}}).output ==
        json{{"path", "a.txt"}, {"bytes", 5}});
  CHECK(file_text(bench.folder / "a.txt") == "first");
  REQUIRE(::chmod((bench.folder / "a.txt").c_str(), 0640) == 0);
  bench.call("file.write", {{"path", bench.folder / "a.txt"}, {"text", "second"}});
  CHECK(file_text(bench.folder / "a.txt") == "second");

  struct stat status {};

  REQUIRE(::stat((bench.folder / "a.txt").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0640);
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator(bench.folder.path()))
    ++files;
  CHECK(files == 1);  // nothing temporary is left
}

TEST_CASE("steps: file.write says why it cannot, and whether it may later", "[tools]") {
  Bench bench;
  CHECK(bench.call("file.write", {{"path", "none/a.txt"}, {"text", ""}}).kind ==
        StepResult::Kind::retry);
  CHECK(bench.call("file.write", {{"path", "."}, {"text", ""}}).kind == StepResult::Kind::retry);
  CHECK(bench.call("file.write", {{"path", ""}, {"text", ""}}).kind == StepResult::Kind::fail);
  CHECK(bench.call("file.write", {{"path", 1}, {"text", ""}}).kind == StepResult::Kind::fail);
  CHECK(bench.call("file.write", {{"path", "a"}, {"text", 1}}).kind == StepResult::Kind::fail);
}

TEST_CASE("steps: file.read gives text, and refuses what is none", "[tools]") {
  Bench bench;
  std::ofstream(bench.folder / "a.txt") << "tëxt\n";
  std::ofstream(bench.folder / "bytes") << "\xff";
  std::ofstream(bench.folder / "large") << std::string((1 << 20) + 1, 'x');
  CHECK(bench.call("file.read", {{"path", "a.txt"}}).output == json{{"text", "tëxt\n"}});
  CHECK(bench.call("file.read", {{"path", "bytes"}}).kind == StepResult::Kind::fail);
  CHECK(bench.call("file.read", {{"path", "large"}}).kind == StepResult::Kind::fail);
  CHECK(bench.call("file.read", {{"path", "none"}}).kind == StepResult::Kind::retry);
  CHECK(bench.call("file.read", {{"path", "."}}).kind == StepResult::Kind::retry);
}

TEST_CASE("steps: sleep and echo do what they say", "[tools]") {
  Bench bench;
  CHECK(bench.call("sleep", {{"ms", 1}}).output == json{{"ms", 1}});
  CHECK(bench.call("sleep", {{"ms", -1}}).kind == StepResult::Kind::fail);
  CHECK(bench.call("sleep", {{"ms", "1"}}).kind == StepResult::Kind::fail);
  CHECK(bench.call("echo", {{"a", {1, nullptr}}}).output == json{{"a", {1, nullptr}}});
  bench.cancellation->set(Cancellation::Reason::interrupted);
  CHECK(bench.call("sleep", {{"ms", 600'000}}).kind == StepResult::Kind::retry);
}

TEST_CASE("steps: base64 is RFC 4648's", "[tools]") {
  CHECK(base64("") == "");
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foo") == "Zm9v");
  CHECK(base64("foobar") == "Zm9vYmFy");
  CHECK(base64("\xff\xfe\xfd") == "//79");
}

TEST_CASE("steps: durations and tables are for people", "[tools]") {
  CHECK(duration_text(7) == "7 ms");
  CHECK(duration_text(1234) == "1.2 s");
  CHECK(duration_text(61'000) == "1 min 1 s");
  CHECK(duration_text(7'260'000) == "2 h 1 min");
  CHECK(time_text(1'700'000'000'000) == "2023-11-14 22:13:20 UTC");
  CHECK(table({{"A", "B"}, {"läng", "x"}}) == std::vector<std::string>{"A     B", "läng  x"});
}

namespace {

struct Reports final : ProgressSink {
  void report(const json& value) override { all.push_back(value); }

  json all = json::array();
};

}  // namespace

TEST_CASE("steps: a program reports by lines, and knows what its step reported before", "[tools]") {
  Bench bench;
  const auto reports = std::make_shared<Reports>();
  const auto shell = [&](const std::string& script, const json& last) {
    StepCall call;
    call.run = "r1";
    call.step = "s";
    call.key = "r1/s";
    call.with = {{"argv", {"sh", "-ec", script}}};
    call.folder = bench.folder.path();
    call.last_progress = last;
    call.progress_sink = reports;
    reports->all = json::array();
    return (*bench.steps.bodies().at("shell").function())(call).output["stdout"];
  };
  CHECK(shell("printf %s \"$PAWL_LAST_PROGRESS\"", {{"page", 7}}) == R"({"page":7})");
  CHECK(shell("printf %s \"$PAWL_LAST_PROGRESS\"", nullptr) == "null");
  CHECK(reports->all.empty());
  shell(
      R"(echo '{"page": 1}' >> "$PAWL_PROGRESS_FILE"; sleep 0.2; echo half >> "$PAWL_PROGRESS_FILE")",
      nullptr);
  CHECK(reports->all == json{{{"page", 1}}, "half"});
  // Of many at once the last one counts; what has no end of a line does not; `>` begins anew.
  shell(
      R"(for i in 1 2 3; do echo $i; done >> "$PAWL_PROGRESS_FILE"; printf 4 >> "$PAWL_PROGRESS_FILE"
    sleep 0.2; echo 5 > "$PAWL_PROGRESS_FILE")",
      nullptr);
  CHECK(reports->all == json{3, 5});
}

}  // namespace steps_test
