// The pawl command as a program: arguments in, data on stdout, words on stderr, an exit code.
#include <pawl/json.hpp>

#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/temp_folder.hpp"

#include <chrono>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

using namespace pawl;

namespace {

/// A folder with a flow in it, and the command.
struct Desk {
  Desk() { write("flow.json", small); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder / name) << text;
  }

  ProcessEnd pawl(std::vector<std::string> arguments, const std::string& input = {}) {
    arguments.insert(arguments.begin(), PAWL_COMMAND);
    return run_process(arguments, folder.path(), {}, input);
  }

  std::vector<std::string> command(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), PAWL_COMMAND);
    return arguments;
  }

  const std::string small = R"({"flow": "small", "input": {"who": "world"}, "steps": {
    "hello": {"run": "shell", "with": {"argv": ["printf", "hello %s", "{{input.who}}"]}},
    "keep": {"run": "file.write", "with": {"path": "out.txt", "text": "{{steps.hello.output.stdout}}"}},
    "look": {"run": "file.read", "with": {"path": "out.txt"}, "after": ["keep"]}},
    "output": {"text": "{{steps.look.output.text}}"}})";
  const std::string slow = R"({"flow": "slow", "steps": {
    "first": {"run": "echo"},
    "long": {"run": "shell", "with": {"argv": ["sh", "-c", "echo began > began.txt; sleep 600"]}, "after": ["first"]}}})";
  TempFolder folder;
};

}  // namespace

TEST_CASE("command: run prints the output alone on stdout and words on stderr", "[tools]") {
  Desk desk;
  const ProcessEnd end = desk.pawl({"run", "flow.json", "--id", "r1"});
  CHECK(end.code == 0);
  CHECK(json::parse(end.out) == json{{"text", "hello world"}});
  CHECK(end.err.find("done    hello") != std::string::npos);
  CHECK(file_text(desk.folder / "out.txt") == "hello world");
}

TEST_CASE("command: the same run again prints the same bytes and runs nothing", "[tools]") {
  Desk desk;
  const ProcessEnd first = desk.pawl({"run", "flow.json", "--id", "r1", "--json"});
  desk.write("out.txt", "changed");
  const ProcessEnd again = desk.pawl({"run", "flow.json", "--id", "r1", "--json"});
  CHECK(first.code == 0);
  CHECK(again.code == 0);
  CHECK(again.out == first.out);
  CHECK(again.err.empty());
  CHECK(file_text(desk.folder / "out.txt") == "changed");
  const json document = json::parse(first.out);
  CHECK(document["state"] == "succeeded");
  CHECK(document["steps"]["hello"]["output"]["exit_code"] == 0);
}

TEST_CASE("command: the same id with another input or flow exits 2 and says what differs",
          "[tools]") {
  Desk desk;
  desk.pawl({"run", "flow.json", "--id", "r1"});
  const ProcessEnd input =
      desk.pawl({"run", "flow.json", "--id", "r1", "--input", R"({"who": "you"})"});
  CHECK(input.code == 2);
  CHECK(input.out.empty());
  CHECK(input.err.find(R"(input /who was "world", is now "you")") != std::string::npos);
  desk.write("other.json", R"({"flow": "small", "steps": {"hello": {"run": "echo"}}})");
  const ProcessEnd flow = desk.pawl({"run", "other.json", "--id", "r1", "--json"});
  CHECK(flow.code == 2);
  CHECK(json::parse(flow.out)["error"]["code"] == "run_differs");
  // Equal input, spelt otherwise, is the same run.
  CHECK(desk.pawl({"run", "flow.json", "--id", "r1", "--input", R"( {"who" : "world"} )"}).code ==
        0);
}

TEST_CASE("command: input comes as text, from a file, or from stdin", "[tools]") {
  Desk desk;
  desk.write("in.json", R"({"who": "file"})");
  CHECK(json::parse(desk.pawl({"run", "flow.json", "--input", R"({"who": "text"})"}).out)["text"] ==
        "hello text");
  CHECK(json::parse(desk.pawl({"run", "flow.json", "--input", "@in.json"}).out)["text"] ==
        "hello file");
  CHECK(json::parse(
            desk.pawl({"run", "flow.json", "--input", "@-"}, R"({"who": "stdin"})").out)["text"] ==
        "hello stdin");
}

TEST_CASE("command: bad usage and bad input exit 2 with a reason, and no store is made",
          "[tools]") {
  Desk desk;
  desk.write("bad.json", R"({"flow": "f", "steps": {"a": {"run": "shel"}}})");
  desk.write("deep.json", std::string(100'000, '['));
  desk.write("latin.json", "{\"flow\": \"\xe9\"}");
  const auto [arguments, words] = GENERATE(table<std::vector<std::string>, std::string>({
      {std::vector<std::string>(), "subcommand"},
      {{std::string("fly")}, "subcommand"},
      {{std::string("run")}, "FLOW"},
      {{"run", "none.json"}, "cannot be read"},
      {{"run", "bad.json"}, "did you mean \"shell\"?"},
      {{"run", "deep.json"}, "nested deeper"},
      {{"run", "latin.json"}, "UTF-8"},
      {{"run", "flow.json", "--id", "a b"}, "character that is not allowed"},
      {{"run", "flow.json", "--input", "{"}, "--input"},
      {{"run", "flow.json", "--input", "[]"}, "object"},
      {{"run", "flow.json", "--input", "@none.json"}, "none.json"},
      {{"run", "flow.json", "--input", "@."}, "cannot be read"},
      {{"run", "flow.json", "--input", "@/dev/zero"}, "4194304"},
      {{"run", "flow.json", "--input", R"({"a":1,"a":2})"}, "twice"},
      {{"validate", "none.json"}, "cannot be read"},
      {{"graph", "."}, "cannot be read"},
      {{"list", "--limit", "-1"}, "--limit"},
      {{"validate", "bad.json"}, ""},
      {{"graph", "bad.json", "--format", "png"}, "png"},
      {{"list", "--state", "flying"}, "no run is ever in the state"},
  }));
  CAPTURE(arguments);
  const ProcessEnd end = desk.pawl(arguments);
  CHECK(end.code == 2);
  CHECK(end.err.find(words) != std::string::npos);
  CHECK(::access((desk.folder / "pawl.db").c_str(), F_OK) != 0);
}

TEST_CASE(
    "command: a failing program is retried, and the failed run exits 1 and names step and reason",
    "[tools]") {
  Desk desk;
  desk.write("f.json", R"({"flow": "f", "steps": {
    "a": {"run": "shell", "with": {"argv": ["sh", "-c", "echo $PAWL_KEY $PAWL_ATTEMPT >> tries; echo oops >&2; exit 7"]},
          "retry": {"max_attempts": 2, "initial_ms": 1}},
    "b": {"run": "echo", "after": ["a"]}}})");
  const ProcessEnd end = desk.pawl({"run", "f.json", "--id", "r1", "--json"});
  CHECK(end.code == 1);
  CHECK(file_text(desk.folder / "tries") == "r1/a 1\nr1/a 2\n");
  const json document = json::parse(end.out);
  CHECK(document["state"] == "failed");
  CHECK(document["error"] ==
        json{{"code", "attempts_exhausted"}, {"step", "a"}, {"message", "exit code 7: oops"}});
  CHECK(document["steps"]["b"]["state"] == "not_started");
  const ProcessEnd why = desk.pawl({"why", "r1"});
  CHECK(why.out.find("attempt 2: failed") != std::string::npos);
  CHECK(desk.pawl({"run", "f.json", "--id", "r1"}).code == 1);
}

TEST_CASE(
    "command: a second owner exits 3 within a second and names the first, and looking works "
    "meanwhile",
    "[tools]") {
  Desk desk;
  desk.write("slow.json", desk.slow);
  Process owner(desk.command({"run", "slow.json", "--id", "r1"}), desk.folder.path());
  REQUIRE(wait_until([&] { return !file_text(desk.folder / "began.txt").empty(); }));
  const auto began = std::chrono::steady_clock::now();
  const ProcessEnd second = desk.pawl({"run", "slow.json", "--id", "r2", "--json"});
  CHECK(second.code == 3);
  CHECK(json::parse(second.out)["error"]["code"] == "in_use");
  CHECK(second.err.find("process " + std::to_string(owner.id())) != std::string::npos);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(1));
  const ProcessEnd show = desk.pawl({"show", "r1", "--json"});
  CHECK(show.code == 0);
  CHECK(json::parse(show.out)["steps"]["long"]["state"] == "running");
  CHECK(desk.pawl({"list"}).out.find("r1") != std::string::npos);
  CHECK(desk.pawl({"why", "r1", "long"}).out.find("attempt 1 is open") != std::string::npos);
  CHECK(desk.pawl({"verify"}).code == 0);
}

TEST_CASE("command: cancel reaches the owner through its socket, which is private", "[tools]") {
  Desk desk;
  desk.write("slow.json", desk.slow);
  Process owner(desk.command({"run", "slow.json", "--id", "r1"}), desk.folder.path());
  REQUIRE(wait_until([&] { return !file_text(desk.folder / "began.txt").empty(); }));

  struct stat status {};

  REQUIRE(::stat((desk.folder / "pawl.db.sock").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  const ProcessEnd cancel = desk.pawl({"cancel", "r1", "--json"});
  CHECK(cancel.code == 0);
  CHECK(json::parse(cancel.out) == json{{"run", "r1"}, {"state", "cancelling"}});
  CHECK(desk.pawl({"cancel", "nobody"}).code == 2);
  const ProcessEnd end = owner.wait();
  CHECK(end.code == 1);
  CHECK(json::parse(desk.pawl({"show", "r1", "--json"}).out)["state"] == "cancelled");
  CHECK(::access((desk.folder / "pawl.db.sock").c_str(), F_OK) != 0);
}

TEST_CASE("command: signal reaches the owner, or the store, and a repeated one counts once",
          "[tools]") {
  Desk desk;
  desk.write("gate.json",
             R"({"flow": "gate", "steps": {"gate": {"await": "go"}, "more": {"await": "go"},
    "say": {"run": "echo", "with": {"n": "{{steps.gate.output.n}}"}}}, "output": "{{steps.say.output.n}}"})");
  {
    Process owner(desk.command({"run", "gate.json", "--id", "r1"}), desk.folder.path());
    REQUIRE(wait_until([&] {
      return desk.pawl({"why", "r1", "gate"}).out.find("\"go\" has not come") != std::string::npos;
    }));
    const ProcessEnd signal =
        desk.pawl({"signal", "r1", "go", "--payload", R"({"n": 7})", "--id", "s1", "--json"});
    CHECK(signal.code == 0);
    CHECK(json::parse(signal.out)["run"] == "r1");
    CHECK(desk.pawl({"signal", "r1", "went"}).code == 2);
    owner.signal(SIGKILL);
    CHECK(owner.wait().killed());
  }
  CHECK(desk.pawl({"signal", "r1", "go", "--payload", R"({"n": 7})", "--id", "s1"}).code == 0);
  CHECK(desk.pawl({"signal", "r1", "go", "--payload", "8", "--id", "s1"}).code == 2);
  CHECK(desk.pawl({"signal", "r1", "went"}).err.find("awaits a signal") != std::string::npos);
  CHECK(desk.pawl({"signal", "r1", "go", "--payload", "{"}).code == 2);
  const ProcessEnd later = desk.pawl({"signal", "r1", "go"});
  CHECK(later.code == 0);
  const ProcessEnd end = desk.pawl({"run", "gate.json", "--id", "r1"});
  CHECK(end.code == 0);
  CHECK(end.out == "7\n");
  CHECK(desk.pawl({"signal", "r1", "go"}).code != 0);
  CHECK(desk.pawl({"verify"}).code == 0);
}

TEST_CASE("command: the approval flow asks a person for large orders, and takes silence for a no",
          "[tools]") {
  Desk desk;
  const std::string flow = std::string(PAWL_SOURCES) + "/examples/flows/approval.json";
  const auto start = [&](const std::string& id, const std::string& input) {
    // Acknowledged at once, and taken when the run comes to it.
    Process owner(desk.command({"run", flow, "--id", id, "--input", input}), desk.folder.path());
    CHECK(wait_until([&] {
      return desk.pawl({"signal", id, "answer", "--payload", R"({"ok": true, "by": "ada"})"})
                     .code == 0 ||
             json::parse(desk.pawl({"show", id, "--json"}).out)["state"] == "succeeded";
    }));
    const ProcessEnd end = owner.wait();
    CHECK(end.code == 0);
    return json::parse(end.out);
  };
  const json large = start("large", "{}");
  CHECK(large["placed"] == json{{"order", "4711"}, {"by", "ada"}});
  CHECK(large["refused"] == nullptr);
  const json small = start("small", R"({"limit_cents": 50000})");
  CHECK(small["small"]["by"] == "rule");
  CHECK(small["placed"] == nullptr);
  const json shown = json::parse(desk.pawl({"show", "small", "--json"}).out);
  for (const char* step : {"ask", "answer", "approved", "place", "refuse", "cool_off"})
    CHECK(shown["steps"][step]["state"] == "excluded");
}

TEST_CASE("command: rubbish on the owner's socket is answered, or dropped, and harms nothing",
          "[tools]") {
  Desk desk;
  desk.write("slow.json", desk.slow);
  Process owner(desk.command({"run", "slow.json", "--id", "r1"}), desk.folder.path());
  REQUIRE(wait_until([&] { return !file_text(desk.folder / "began.txt").empty(); }));
  const auto ask = [&](const std::string& text) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    const std::string path = desk.folder / "pawl.db.sock";
    path.copy(name.sun_path, sizeof name.sun_path - 1);
    REQUIRE(::connect(fd, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0);
    REQUIRE(::send(fd, text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
    ::shutdown(fd, SHUT_WR);
    char answer[4096] = {};
    if (::recv(fd, answer, sizeof answer - 1, 0) < 0) answer[0] = '\0';
    ::close(fd);
    return std::string(answer);
  };
  CHECK(ask("hello\n").find("invalid_argument") != std::string::npos);
  CHECK(ask("{\"ask\":\"fly\",\"run\":\"r1\"}\n").find("invalid_argument") != std::string::npos);
  CHECK(ask("{\"ask\":1}\n").find("invalid_argument") != std::string::npos);
  const std::string deep(200'000, '[');
  CHECK(ask("{\"ask\":\"signal\",\"run\":\"r1\",\"name\":\"x\",\"id\":\"i\",\"payload\":" + deep +
            std::string(deep.size(), ']') + "}\n")
            .find("deeper") != std::string::npos);
  CHECK(ask("no line end").empty());
  CHECK(ask("").empty());
  CHECK(desk.pawl({"cancel", "r1"}).code == 0);
  CHECK(owner.wait().code == 1);
}

TEST_CASE("command: without an owner, cancel ends the run itself", "[tools]") {
  Desk desk;
  desk.write("slow.json", desk.slow);
  {
    Process owner(desk.command({"run", "slow.json", "--id", "r1"}), desk.folder.path());
    REQUIRE(wait_until([&] { return !file_text(desk.folder / "began.txt").empty(); }));
    owner.signal(SIGKILL);
    CHECK(owner.wait().killed());
  }
  const ProcessEnd cancel = desk.pawl({"cancel", "r1"});
  CHECK(cancel.code == 0);
  CHECK(cancel.out == "r1: cancelled\n");
  CHECK(desk.pawl({"cancel", "r1"}).code == 0);
  desk.pawl({"run", "flow.json", "--id", "done"});
  CHECK(desk.pawl({"cancel", "done"}).code == 1);
  CHECK(desk.pawl({"cancel", "r1", "--store", "none.db"}).code == 3);
  CHECK(::access((desk.folder / "none.db").c_str(), F_OK) != 0);
}

TEST_CASE(
    "command: unblock lets a run go on that a crash loop had blocked, and runs nothing itself",
    "[tools]") {
  Desk desk;
  desk.write("loop.json", R"({"flow": "loop", "steps": {
    "a": {"run": "shell", "with": {"argv": ["sh", "-c", "echo x >> ran.txt"]}}}})");
  const std::vector<std::string> run{"run", "loop.json", "--id", "r1"};
  for (int attempt = 1; attempt <= 10; ++attempt)
    REQUIRE(run_process(desk.command(run), desk.folder.path(),
                        {{"PAWL_KILL_AT", "step.before_body/a/" + std::to_string(attempt) + "/1"}})
                .killed());
  CHECK(desk.pawl(run).code == 4);
  CHECK(desk.pawl({"resume"}).out == "r1: blocked\n");
  const ProcessEnd unblocked = desk.pawl({"unblock", "r1"});
  CHECK(unblocked.code == 0);
  CHECK(unblocked.out == "r1: waiting\n");
  CHECK(unblocked.err == "run r1: unblocked; go on with it by pawl resume\n");
  CHECK(desk.pawl({"list"}).out.find("blocked") == std::string::npos);
  CHECK(file_text(desk.folder / "ran.txt").empty());
  const ProcessEnd again = desk.pawl({"unblock", "r1"});
  CHECK(again.code == 0);
  CHECK(again.err == "run r1 was not blocked\n");
  CHECK(desk.pawl({"resume"}).out == "r1: succeeded\n");
  CHECK(file_text(desk.folder / "ran.txt") == "x\n");
  CHECK(desk.pawl({"verify"}).code == 0);
  const ProcessEnd ended = desk.pawl({"unblock", "r1"});
  CHECK(ended.code == 1);
  CHECK(ended.err == "run r1 had ended before\n");
  CHECK(desk.pawl({"unblock", "nobody"}).code == 2);
}

TEST_CASE("command: an owner that does not listen yet, or any more, is asked again", "[tools]") {
  Desk desk;
  desk.pawl({"run", "flow.json", "--id", "r1"});
  const int lock = ::open((desk.folder / "pawl.db.lock").c_str(), O_RDWR | O_CLOEXEC);

  struct flock whole_file {};

  whole_file.l_type = F_WRLCK;
  whole_file.l_whence = SEEK_SET;
  REQUIRE(::fcntl(lock, F_OFD_SETLK, &whole_file) == 0);
  const std::string verb = GENERATE("cancel", "unblock");
  Process asker(desk.command({verb, "r1"}), desk.folder.path());
  for (int i = 0; i < 100; ++i) detail::pause_briefly();
  ::close(lock);
  CHECK(asker.wait().out == "r1: succeeded\n");
}

TEST_CASE("command: Ctrl-C lets steps clean up, exits 4, and the run can be resumed", "[tools]") {
  Desk desk;
  desk.write(
      "trap.json",
      R"({"flow": "trap", "steps": {"a": {"run": "shell", "retry": {"max_attempts": 1}, "with": {"argv": ["sh", "-c",
    "trap 'echo cleaned > cleaned.txt; exit 1' TERM; if [ -e cleaned.txt ]; then exit 0; fi; echo x > began.txt; sleep 600 & wait"]}}}})");
  const int signal = GENERATE(SIGINT, SIGTERM, SIGHUP);
  Process owner(desk.command({"run", "trap.json", "--id", "r1"}), desk.folder.path());
  REQUIRE(wait_until([&] { return !file_text(desk.folder / "began.txt").empty(); }));
  owner.signal(signal);
  const ProcessEnd end = owner.wait();
  CHECK(end.code == 4);
  CHECK(end.err.find("pawl resume") != std::string::npos);
  CHECK(file_text(desk.folder / "cleaned.txt") == "cleaned\n");
  const json attempts =
      json::parse(desk.pawl({"show", "r1", "--json"}).out)["steps"]["a"]["attempts"];
  CHECK(attempts[0]["end"] == "interrupted");
  const ProcessEnd resumed = desk.pawl({"resume"});
  CHECK(resumed.code == 0);
  CHECK(resumed.out == "r1: succeeded\n");
}

TEST_CASE("command: a run that comes to its end while it is interrupted is reported as ended",
          "[tools]") {
  Desk desk;
  desk.write("trap.json", R"({"flow": "trap", "steps": {
    "a": {"run": "shell", "retry": {"max_attempts": 1}, "with": {"argv": ["sh", "-c",
    "trap 'exit 0' TERM; echo x > began.txt; sleep 600 & wait"]}}},
    "output": {"code": "{{steps.a.output.exit_code}}"}})");
  const std::string verb = GENERATE("run", "resume");
  std::vector<std::string> arguments{"run", "trap.json", "--id", "r1"};
  if (verb == "resume") {
    Process owner(desk.command(arguments), desk.folder.path());
    REQUIRE(wait_until([&] { return !file_text(desk.folder / "began.txt").empty(); }));
    owner.signal(SIGKILL);
    owner.wait();
    ::unlink((desk.folder / "began.txt").c_str());
    arguments = {"resume"};
  }
  Process owner(desk.command(arguments), desk.folder.path());
  REQUIRE(wait_until([&] { return !file_text(desk.folder / "began.txt").empty(); }));
  owner.signal(SIGINT);
  const ProcessEnd end = owner.wait();
  CHECK(end.code == 0);
  if (verb == "run")
    CHECK(json::parse(end.out) == json{{"code", 0}});
  else
    CHECK(end.out == "r1: succeeded\n");
  CHECK(end.err.find("unfinished") == std::string::npos);
}

TEST_CASE("command: an interrupted run prints its document, as show does", "[tools]") {
  Desk desk;
  desk.write("slow.json", desk.slow);
  Process owner(desk.command({"run", "slow.json", "--id", "r1", "--json"}), desk.folder.path());
  REQUIRE(wait_until([&] { return !file_text(desk.folder / "began.txt").empty(); }));
  owner.signal(SIGINT);
  const ProcessEnd end = owner.wait();
  CHECK(end.code == 4);
  const json document = json::parse(end.out);
  CHECK(document["run"] == "r1");
  CHECK(document["error"].is_null());
  CHECK(document["steps"]["first"]["state"] == "succeeded");
  CHECK(document["steps"]["long"]["attempts"][0]["end"] == "interrupted");
  CHECK(end.out == desk.pawl({"show", "r1", "--json"}).out);
}

TEST_CASE("command: signals that are ignored already stay ignored, as nohup wants it", "[tools]") {
  Desk desk;
  desk.write("gate.json",
             R"({"flow": "gate", "steps": {"a": {"run": "shell", "with": {"argv": ["sh", "-c",
    "echo x > began.txt; until [ -e go.txt ]; do sleep 0.01; done"]}}}})");
  const auto [signal, name] = GENERATE(table<int, std::string>({{SIGHUP, "HUP"}, {SIGINT, "INT"}}));
  Process owner({"sh", "-c", "trap '' " + name + "; exec \"$0\" run gate.json", PAWL_COMMAND},
                desk.folder.path());
  REQUIRE(wait_until([&] { return !file_text(desk.folder / "began.txt").empty(); }));
  owner.signal(signal);
  desk.write("go.txt", "x");
  const ProcessEnd end = owner.wait();
  CHECK(end.code == 0);
  CHECK(end.err.find("interrupted") == std::string::npos);
}

TEST_CASE("command: a second Ctrl-C ends everything at once", "[tools]") {
  Desk desk;
  desk.write("deaf.json",
             R"({"flow": "deaf", "steps": {"a": {"run": "shell", "with": {"argv": ["sh", "-c",
    "trap '' TERM; echo $$ > pid.txt; while :; do sleep 1; done"]}}}})");
  Process owner(desk.command({"run", "deaf.json", "--id", "r1"}), desk.folder.path());
  REQUIRE(wait_until([&] { return !file_text(desk.folder / "pid.txt").empty(); }));
  owner.signal(SIGINT);
  // The first one must have been taken before the second: two pending signals of one kind are one.
  detail::pause_briefly();
  const auto ended = [&] { return ::kill(owner.id(), 0) != 0; };
  ProcessEnd end;
  std::thread again([&] {
    for (int i = 0; i < 1000 && !ended(); ++i) {
      owner.signal(SIGINT);
      detail::pause_briefly();
    }
  });
  end = owner.wait(4'000);
  again.join();
  CHECK(end.code == 4);
  const int program = std::stoi(file_text(desk.folder / "pid.txt"));
  CHECK(wait_until([&] { return ::kill(program, 0) != 0; }));
}

TEST_CASE("command: when pawl is killed its programs die with it, whole families of them",
          "[tools]") {
  Desk desk;
  desk.write("family.json",
             R"({"flow": "family", "steps": {"a": {"run": "shell", "with": {"argv": ["sh", "-c",
    "sh -c 'echo $$ >> pids.txt; sleep 600' & setsid sh -c 'echo $$ >> pids.txt; sleep 600' & echo $$ >> pids.txt; wait"]}}}})");
  Process owner(desk.command({"run", "family.json", "--id", "r1"}), desk.folder.path());
  const auto pids = [&] {
    std::vector<int> numbers;
    std::istringstream lines(file_text(desk.folder / "pids.txt"));
    for (int number = 0; lines >> number;) numbers.push_back(number);
    return numbers;
  };
  REQUIRE(wait_until([&] { return pids().size() == 3; }));
  owner.signal(SIGKILL);
  owner.wait();
  for (const int pid : pids()) CHECK(wait_until([&] { return ::kill(pid, 0) != 0; }, 10'000));
}

TEST_CASE("command: a resumed run never meets a program of its former self", "[tools]") {
  Desk desk;
  // Each program takes the place named `alone`, and complains if somebody is there.
  desk.write("alone.json",
             R"({"flow": "alone", "steps": {"a": {"run": "shell", "with": {"argv": ["sh", "-c",
    "if [ -e alone ] && kill -0 $(cat alone) 2>/dev/null; then echo met > met.txt; fi; echo $$ > alone; echo x >> tries.txt; if [ $(wc -l < tries.txt) -gt 8 ]; then exit 0; fi; sleep 600"]}}}})");
  for (std::size_t kills = 1; kills <= 8; ++kills) {
    Process owner(desk.command({"run", "alone.json", "--id", "r1"}), desk.folder.path());
    REQUIRE(wait_until([&] { return file_text(desk.folder / "tries.txt").size() == 2 * kills; }));
    owner.signal(SIGKILL);
    owner.wait();
  }
  CHECK(desk.pawl({"run", "alone.json", "--id", "r1"}).code == 0);
  CHECK(file_text(desk.folder / "met.txt").empty());
}

TEST_CASE(
    "command: resume goes on with all unfinished runs and exits with the highest of their codes",
    "[tools]") {
  Desk desk;
  desk.write(
      "gate.json",
      R"({"flow": "gate", "input": {"code": 0}, "steps": {"a": {"run": "shell", "retry": {"max_attempts": 1}, "with": {"argv": ["sh", "-c",
    "if [ -e go.txt ]; then exit $1; fi; echo x >> began.txt; sleep 600", "x", "{{input.code}}"]}}}})");
  for (const auto& [run, input] : {std::pair("good", "{}"), std::pair("bad", R"({"code": 5})")}) {
    ::unlink((desk.folder / "began.txt").c_str());
    Process owner(desk.command({"run", "gate.json", "--id", run, "--input", input}),
                  desk.folder.path());
    REQUIRE(wait_until([&] { return !file_text(desk.folder / "began.txt").empty(); }));
    owner.signal(SIGKILL);
    owner.wait();
  }
  desk.write("go.txt", "");
  const ProcessEnd resumed = desk.pawl({"resume", "--json"});
  CHECK(resumed.code == 1);
  std::istringstream lines(resumed.out);
  std::string good;
  std::string bad;
  std::getline(lines, good);
  std::getline(lines, bad);
  CHECK(json::parse(good)["run"] == "good");
  CHECK(json::parse(good)["state"] == "succeeded");
  CHECK(json::parse(bad)["state"] == "failed");
  CHECK_FALSE(json::parse(bad).contains("steps"));
  const ProcessEnd nothing = desk.pawl({"resume"});
  CHECK(nothing.code == 0);
  CHECK(nothing.err == "nothing to resume\n");
}

TEST_CASE("command: resume tells of a damaged run, goes on with the others, and exits 3",
          "[tools]") {
  Desk desk;
  desk.write("gate.json", R"({"flow": "gate", "input": {"mark": ""}, "steps": {"a": {"run": "shell",
    "with": {"argv": ["sh", "-c", "echo x > began.txt; [ -e go.txt ] || sleep 600"]}}}})");
  for (const char* run : {"good", "damaged"}) {
    Process owner(desk.command({"run", "gate.json", "--id", run, "--input",
                                json{{"mark", "the " + std::string(run) + " one"}}.dump()}),
                  desk.folder.path());
    REQUIRE(wait_until([&] { return !file_text(desk.folder / "began.txt").empty(); }));
    owner.signal(SIGKILL);
    owner.wait();
    ::unlink((desk.folder / "began.txt").c_str());
  }
  desk.pawl({"cancel", "nobody"});  // a clean close moves the log into the file
  std::string bytes = file_text(desk.folder / "pawl.db");
  const std::size_t at = bytes.find(R"({"mark":"the damaged one"})");
  REQUIRE(at != std::string::npos);
  bytes[at] = 'x';
  desk.write("pawl.db", bytes);
  desk.write("go.txt", "x");
  const ProcessEnd resumed = desk.pawl({"resume"});
  CHECK(resumed.code == 3);
  CHECK(resumed.out == "good: succeeded\n");
  CHECK(resumed.err.find("pawl: damaged: ") != std::string::npos);
}

TEST_CASE("command: resume reports every run that it found, however fast it ends", "[tools]") {
  Desk desk;
  desk.write("fast.json", R"({"flow": "fast", "steps": {"a": {"run": "echo"}}})");
  constexpr int runs = 20;
  std::string expected;
  for (int i = 0; i < runs; ++i) {
    const std::string run = "r" + std::to_string(i);
    REQUIRE(run_process(desk.command({"run", "fast.json", "--id", run}), desk.folder.path(),
                        {{"PAWL_KILL_AT", "step.before_body/a/1/1"}})
                .killed());
    expected += run + ": succeeded\n";
  }
  const ProcessEnd resumed = desk.pawl({"resume"});
  CHECK(resumed.code == 0);
  CHECK(resumed.out == expected);
}

TEST_CASE("command: list, show and verify speak JSON, one document per line", "[tools]") {
  Desk desk;
  for (const char* run : {"r1", "r2", "r3"}) desk.pawl({"run", "flow.json", "--id", run});
  const ProcessEnd list = desk.pawl({"list", "--json", "--limit", "2"});
  std::istringstream lines(list.out);
  std::string line;
  std::getline(lines, line);
  CHECK(json::parse(line)["run"] == "r3");
  CHECK(json::parse(line)["output"] == json{{"text", "hello world"}});
  CHECK_FALSE(json::parse(line).contains("steps"));
  std::getline(lines, line);
  CHECK(json::parse(line)["run"] == "r2");
  CHECK_FALSE(std::getline(lines, line));
  CHECK(json::parse(desk.pawl({"verify", "--json"}).out) ==
        json{{"ok", true}, {"runs", 3}, {"records", 15}, {"findings", json::array()}});
  CHECK(desk.pawl({"show", "r9"}).code == 2);
  CHECK(desk.pawl({"list", "--state", "failed", "--json"}).out.empty());
  CHECK(json::parse(desk.pawl({"steps", "--json"})
                        .out.substr(0, desk.pawl({"steps", "--json"}).out.find('\n')))["type"] ==
        "echo");
}

TEST_CASE("command: list picks runs by flow, id, time and text in the input", "[tools]") {
  Desk desk;
  desk.write("other.json", R"({"flow": "other", "steps": {"a": {"run": "echo"}}})");
  desk.pawl({"run", "flow.json", "--id", "s-1", "--input", R"({"who": "tea"})"});
  desk.pawl({"run", "flow.json", "--id", "s-2", "--input", R"({"who": "coffee"})"});
  desk.pawl({"run", "other.json", "--id", "o-1"});
  const auto listed = [&](std::vector<std::string> options) {
    options.insert(options.begin(), {"list", "--json"});
    const ProcessEnd end = desk.pawl(options);
    CHECK(end.code == 0);
    std::string ids;
    std::istringstream lines(end.out);
    for (std::string line; std::getline(lines, line);)
      ids += json::parse(line)["run"].get<std::string>() + " ";
    return ids;
  };
  CHECK(listed({"--flow", "small"}) == "s-2 s-1 ");
  CHECK(listed({"--id", "o-"}) == "o-1 ");
  CHECK(listed({"--input-text", R"("who":"tea")"}) == "s-1 ");
  CHECK(listed({"--since", "1h"}) == "o-1 s-2 s-1 ");
  CHECK(listed({"--since", "2020-01-01", "--until", "2030-02-03T04:05:06Z"}) == "o-1 s-2 s-1 ");
  CHECK(listed({"--until", "2h"}).empty());
  CHECK(listed({"--since", "2h", "--flow", "small", "--id", "s-", "--input-text", "coffee"}) ==
        "s-2 ");
  const auto [option, words] = GENERATE(table<std::string, std::string>({
      {"yesterday", "2026-11-24T18:30:00Z"},
      {"2026-02-30", "is no time"},
      {"2026-11-24T18:30:60Z", "is no time"},
      {"2026-11-24 18:30:00", "is no time"},
      {"1969-01-01", "is no time"},
      {"7", "7d"},
      {"d", "is no time"},
      {"-1d", "is no time"},
      {"99999999999d", "is no time"},
  }));
  CAPTURE(option);
  const ProcessEnd bad = desk.pawl({"list", "--until=" + option, "--json"});
  CHECK(bad.code == 2);
  CHECK(json::parse(bad.out)["error"]["message"].get<std::string>().find(words) !=
        std::string::npos);
  CHECK(bad.err.find("--until") != std::string::npos);
}

TEST_CASE("command: a step that asks when it fails waits for a person, who mends and unblocks",
          "[tools]") {
  Desk desk;
  desk.write("ask.json", R"({"flow": "ask", "steps": {"look": {"run": "file.read",
    "with": {"path": "there.txt"}, "on_failure": "ask", "retry": {"max_attempts": 1}}}})");
  const ProcessEnd blocked = desk.pawl({"run", "ask.json", "--id", "r1"});
  CHECK(blocked.code == 4);
  CHECK(blocked.err.find("then unblock the run to try again, or give its output") !=
        std::string::npos);
  desk.write("there.txt", "found");
  CHECK(desk.pawl({"unblock", "r1"}).code == 0);
  CHECK(desk.pawl({"resume"}).code == 0);
  desk.write("ask.json", R"({"flow": "ask", "steps": {"look": {"run": "file.read",
    "with": {"path": "gone.txt"}, "on_failure": "ask", "retry": {"max_attempts": 1}}}})");
  CHECK(desk.pawl({"run", "ask.json", "--id", "r2"}).code == 4);
  CHECK(desk.pawl({"resolve", "r2", "look", "--output", "7"}).code == 0);
  const ProcessEnd resolved = desk.pawl({"resume", "--json"});
  CHECK(resolved.code == 0);
  CHECK(resolved.out.find("7") != std::string::npos);
}

TEST_CASE("command: a child's run tells its parent, and is pruned with it", "[tools]") {
  Desk desk;
  desk.write("family.json", R"({"flow": "family", "steps": {
    "c": {"child": {"flow": "small", "steps": {"v": {"value": 1}}}}}})");
  CHECK(desk.pawl({"run", "family.json", "--id", "p"}).code == 0);
  CHECK(desk.pawl({"show", "p.c"}).out.find("child of run p, step c") != std::string::npos);
  const json shown = json::parse(desk.pawl({"show", "p.c", "--json"}).out);
  CHECK(shown["parent"] == json{{"run", "p"}, {"step", "c"}});
  const json dry = json::parse(desk.pawl({"prune", "--keep", "0", "--dry-run", "--json"}).out);
  CHECK(dry["runs"] == json::array({"p"}));
  CHECK(desk.pawl({"prune", "--keep", "0"}).code == 0);
  CHECK(desk.pawl({"list"}).out.find("p.c") == std::string::npos);
}

TEST_CASE("command: a priority is given to run, shown, and kept by the run", "[tools]") {
  Desk desk;
  CHECK(desk.pawl({"run", "--priority", "-7", "flow.json", "--id", "r1"}).code == 0);
  CHECK(desk.pawl({"run", "flow.json", "--id", "r1", "--priority", "9"}).code == 0);
  CHECK(json::parse(desk.pawl({"show", "--json", "r1"}).out)["priority"] == -7);
  CHECK(desk.pawl({"show", "r1"}).out.find("  priority -7\n") != std::string::npos);
  CHECK(desk.pawl({"run", "flow.json", "--id", "r2"}).code == 0);
  CHECK_FALSE(json::parse(desk.pawl({"show", "--json", "r2"}).out).contains("priority"));
  for (const char* bad : {"101", "-101", "high", "1.5"}) {
    CAPTURE(bad);
    CHECK(desk.pawl({"run", "flow.json", "--id", "r3", "--priority", bad}).code == 2);
  }
  CHECK(desk.pawl({"show", "r3"}).code == 2);
}

TEST_CASE("command: labels are pinned by run, and shown and found by list", "[tools]") {
  Desk desk;
  CHECK(desk.pawl({"run", "--label", "team=tea", "--label", "a=b=c", "flow.json", "--id", "r1"})
            .code == 0);
  CHECK(desk.pawl({"list"}).out.find("team=tea") != std::string::npos);
  desk.pawl({"run", "flow.json", "--id", "r2"});
  CHECK(desk.pawl({"run", "flow.json", "--id", "r1", "--label", "team=coffee"}).code == 0);
  const json shown = json::parse(desk.pawl({"show", "r1", "--json"}).out);
  CHECK(shown["labels"] == json{{"team", "tea"}, {"a", "b=c"}});
  CHECK(desk.pawl({"show", "r1"}).out.find("labels: a=b=c, team=tea") != std::string::npos);
  const json found = json::parse(desk.pawl({"list", "--json", "--label", "team=tea"}).out);
  CHECK(found["run"] == "r1");
  CHECK(found["labels"] == shown["labels"]);
  CHECK(desk.pawl({"list", "--json", "--label", "team=tea", "--label", "a=x"}).out.empty());
  CHECK(desk.pawl({"list", "--label", "team=coffee"}).out.find("LABELS") == std::string::npos);
  const auto [label, words] = GENERATE(table<std::string, std::string>({
      {"team", "KEY=VALUE"},
      {"=tea", "a key consists of"},
      {"two words=x", "a key consists of"},
      {"team=coffee", "given twice"},
      {"x=" + std::string(300, 'x'), "at most"},
  }));
  const ProcessEnd bad = desk.pawl(
      {"run", "flow.json", "--id", "r3", "--label", "team=tea", "--label", label, "--json"});
  CHECK(bad.code == 2);
  CHECK(json::parse(bad.out)["error"]["message"].get<std::string>().find(words) !=
        std::string::npos);
  CHECK(desk.pawl({"show", "r3"}).code == 2);
}

TEST_CASE("command: list and show tell when runs and steps began and ended", "[tools]") {
  Desk desk;
  desk.pawl({"run", "flow.json", "--id", "r1"});
  desk.write("f.json", R"({"flow": "f", "steps": {"a": {"await": "go"}}})");
  REQUIRE(run_process(desk.command({"run", "f.json", "--id", "r2"}), desk.folder.path(),
                      {{"PAWL_KILL_AT", "store.after_commit//0/1"}})
              .killed());
  std::istringstream lines(desk.pawl({"list", "--json"}).out);
  std::string line;
  std::getline(lines, line);
  CHECK(json::parse(line)["run"] == "r2");
  CHECK(json::parse(line)["started_ms"] > 1'700'000'000'000);
  CHECK(json::parse(line)["ended_ms"] == nullptr);
  std::getline(lines, line);
  const json listed = json::parse(line);
  CHECK(listed["ended_ms"] >= listed["started_ms"]);
  const json shown = json::parse(desk.pawl({"show", "r1", "--json"}).out);
  CHECK(shown["started_ms"] == listed["started_ms"]);
  CHECK(shown["ended_ms"] == listed["ended_ms"]);
  CHECK(shown["steps"]["hello"]["ended_ms"] >= shown["started_ms"]);
  CHECK(shown["steps"]["look"]["ended_ms"] >= shown["steps"]["keep"]["ended_ms"]);
  CHECK(shown["steps"]["look"]["ended_ms"] <= shown["ended_ms"]);
  const std::string text = desk.pawl({"list"}).out;
  CHECK(text.find("STARTED") < text.find("ENDED"));
  std::size_t times = 0;
  for (std::size_t at = text.find(" UTC"); at != std::string::npos; at = text.find(" UTC", at + 1))
    ++times;
  CHECK(times == 3);  // r2 has not ended
}

TEST_CASE("command: validate reports every problem, or ok", "[tools]") {
  Desk desk;
  CHECK(desk.pawl({"validate", "flow.json"}).out == "ok\n");
  CHECK(json::parse(desk.pawl({"validate", "flow.json", "--json"}).out) ==
        json{{"ok", true}, {"problems", json::array()}});
  desk.write(
      "bad.json",
      R"({"flow": "f", "steps": {"a": {"run": "shell", "with": {"argv": "ls"}}, "b": {"run": "sleep"}}})");
  const ProcessEnd bad = desk.pawl({"validate", "bad.json"});
  CHECK(bad.code == 2);
  CHECK(bad.out.find("bad.json: /steps/a/with/argv: expected string_array") == 0);
  CHECK(bad.out.find("/steps/b/with: sleep needs \"ms\"") != std::string::npos);
  CHECK(desk.pawl({"graph", "flow.json"}).out.find("digraph \"small\"") == 0);
  CHECK(desk.pawl({"graph", "flow.json", "--format", "mermaid"}).out.find("flowchart LR") == 0);
}

TEST_CASE("command: what is not a store is refused and left alone", "[tools]") {
  Desk desk;
  desk.write("text.db", std::string(5000, 'x'));
  const std::string before = file_text(desk.folder / "text.db");
  for (const char* verb : {"list", "verify", "resume"})
    CHECK(desk.pawl({verb, "--store", "text.db"}).code == 3);
  CHECK(desk.pawl({"run", "flow.json", "--store", "text.db"}).code == 3);
  CHECK(desk.pawl({"list", "--store", "none.db"}).code == 3);
  CHECK(desk.pawl({"run", "flow.json", "--store", "none/x.db"}).code == 3);
  CHECK(file_text(desk.folder / "text.db") == before);
}

TEST_CASE("command: with --json, usage errors are documents too", "[tools]") {
  Desk desk;
  const std::vector<std::string> arguments =
      GENERATE(std::vector<std::string>{"--json"}, std::vector<std::string>{"fly", "--json"},
               std::vector<std::string>{"run", "--json"},
               std::vector<std::string>{"list", "--json", "--limit", "x"},
               std::vector<std::string>{"graph", "flow.json", "--format", "png", "--json"});
  CAPTURE(arguments);
  const ProcessEnd end = desk.pawl(arguments);
  CHECK(end.code == 2);
  const json error = json::parse(end.out)["error"];
  CHECK(error["code"] == "invalid_argument");
  CHECK(error["step"] == "");
  CHECK(end.err == "pawl: " + error["message"].get<std::string>() + "\n");
}

TEST_CASE("command: what is said to a closed stream goes into no file", "[tools]") {
  Desk desk;
  desk.write("in.json", json{{"who", std::string(20'000, 'y')}}.dump());  // more than a buffer
  const ProcessEnd end = run_process(
      {"sh", "-c", "exec \"$0\" run flow.json --id r1 --input @in.json <&- >&-", PAWL_COMMAND},
      desk.folder.path());
  CHECK(end.code == 3);  // nobody can read the output
  CHECK(end.err.find("stdout cannot be written") != std::string::npos);
  CHECK(desk.pawl({"show", "r1"}).out.find("succeeded") != std::string::npos);
  CHECK(file_text(desk.folder / "pawl.db.lock").find("yyy") == std::string::npos);
  CHECK(desk.pawl({"verify"}).code == 0);
}

TEST_CASE("command: names that are no UTF-8 are told as well as JSON can", "[tools]") {
  Desk desk;
  const auto [arguments, code] = GENERATE(table<std::vector<std::string>, int>({
      {{"list", "--json", "--store", "\xff.db"}, 3},
      {{"show", "r1", "--json", "--store", "\xff.db"}, 3},
      {{"run", "\xff.json", "--json"}, 2},
      {{"list", "--json", "--state", "\xff"}, 2},
      {{"cancel", "\xff", "--json"}, 2},
  }));
  CAPTURE(arguments);
  const ProcessEnd end = desk.pawl(arguments);
  CHECK(end.code == code);
  CHECK(json::parse(end.out)["error"]["message"].is_string());
}

TEST_CASE("command: stdout that cannot be written is an error", "[tools]") {
  Desk desk;
  CHECK(run_process({"sh", "-c", std::string(PAWL_COMMAND) + " steps > /dev/full"},
                    desk.folder.path())
            .code == 3);
}

TEST_CASE("command: what a program reports is shown while it runs, and told to the next attempt",
          "[tools]") {
  Desk desk;
  desk.write("f.json", R"({"flow": "f", "steps": {"a": {"run": "shell", "timeout_ms": 0,
    "heartbeat_ms": 60000, "with": {"argv": ["sh", "-ec",
      "if [ \"$PAWL_LAST_PROGRESS\" != null ]; then printf %s \"$PAWL_LAST_PROGRESS\"; exit; fi; echo '{\"page\": 3}' >> \"$PAWL_PROGRESS_FILE\"; sleep 600"]}}}})");
  Process owner(desk.command({"run", "f.json", "--id", "r1"}), desk.folder.path());
  const auto shown = [&] { return desk.pawl({"show", "r1"}).out; };
  REQUIRE(
      wait_until([&] { return shown().find(R"((attempt 1): {"page":3})") != std::string::npos; }));
  CHECK(shown().find("    progress at ") != std::string::npos);
  const json document = json::parse(desk.pawl({"show", "r1", "--json"}).out);
  CHECK(document["steps"]["a"]["progress"]["value"] == json{{"page", 3}});
  CHECK(desk.pawl({"why", "r1"}).out.find("attempt 1 reported ") != std::string::npos);
  owner.signal(SIGKILL);
  owner.wait();
  CHECK(desk.pawl({"export", "r1"}).out.find(R"("body": {"page":3})") != std::string::npos);
  CHECK(desk.pawl({"resume"}).code == 0);
  const json end = json::parse(desk.pawl({"show", "r1", "--json"}).out);
  CHECK(end["steps"]["a"]["output"]["stdout"] == R"({"page":3})");
  CHECK(desk.pawl({"verify"}).code == 0);
}
