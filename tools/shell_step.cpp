#include "tools/shell_step.hpp"

#include "tools/base64.hpp"
#include "tools/shell_progress.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>
#include <poll.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace pawl::tools {

namespace {

constexpr std::size_t stdout_bytes_max = 1u << 20;
constexpr std::size_t stderr_bytes_max = 64u << 10;
constexpr std::size_t stderr_shown_max = 500;
constexpr int look_ms = 20;  // how often a running program's step looks whether it is still wanted
constexpr std::chrono::seconds terminate_grace{5};

using SteadyClock = std::chrono::steady_clock;

/// What the program said and how it ended.
struct ProgramRun {
  std::string out;
  std::string err;  // its last part
  bool out_too_long = false;
  SpawnedProgram::Exit exit;
};

/// What a program gets: strings as they are; numbers and booleans, which a template may have
/// become, as JSON.
std::string word_of(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::optional<std::string> complaint_about(const json& value, const std::string& name) {
  if (!value.is_string() && !value.is_number() && !value.is_boolean())
    return name + " is " + value.type_name() + ", not text";
  if (word_of(value).find('\0') != std::string::npos) return name + " holds a NUL character";
  return std::nullopt;
}

/// Why the resolved parameters cannot be used; templates may have become anything.
std::optional<std::string> complaint_about(const json& with) {
  if (!with.contains("argv") || !with["argv"].is_array() || with["argv"].empty())
    return "argv must be an array with the program at least";
  for (std::size_t i = 0; i < with["argv"].size(); ++i)
    if (auto complaint = complaint_about(with["argv"][i], "argv[" + std::to_string(i) + "]"))
      return complaint;
  for (const char* name : {"cwd", "stdin", "encoding"})
    if (with.contains(name) && !with[name].is_string())
      return std::string(name) + " must be a string";
  if (with.contains("cwd"))
    if (auto complaint = complaint_about(with["cwd"], "cwd")) return complaint;
  const std::string encoding = with.value("encoding", "utf-8");
  if (encoding != "utf-8" && encoding != "base64")
    return "encoding must be \"utf-8\" or \"base64\"";
  const json variables = with.value("env", json::object());
  if (!variables.is_object()) return "env must be an object";
  for (const auto& [name, value] : variables.items()) {
    if (name.empty() || name.find_first_of(std::string("=\0", 2)) != std::string::npos)
      return "env has a name that is none";
    if (auto complaint = complaint_about(value, "env." + name)) return complaint;
  }
  const json codes = with.value("ok_exit_codes", json::array({0}));
  if (!codes.is_array() ||
      !std::all_of(codes.begin(), codes.end(), [](const json& c) { return c.is_number_integer(); }))
    return "ok_exit_codes must be an array of whole numbers";
  return std::nullopt;
}

SpawnRequest request_of(const StepCall& call, const ShellProgress& progress) {
  SpawnRequest request;
  for (const json& argument : call.with["argv"]) request.argv.push_back(word_of(argument));
  const std::string folder = call.with.value("cwd", "");
  request.folder = folder.empty()          ? call.folder
                   : folder.front() == '/' ? folder
                                           : call.folder + "/" + folder;
  json variables = call.with.value("env", json::object());
  variables["PAWL_KEY"] = call.key;
  variables["PAWL_RUN"] = call.run;
  variables["PAWL_STEP"] = call.step;
  variables["PAWL_ATTEMPT"] = std::to_string(call.attempt);
  variables["PAWL_PROGRESS_FILE"] = progress.path();
  // Also where there is none: a pawl may run in a program that another one runs.
  variables["PAWL_LAST_PROGRESS"] = call.last_progress.dump();
  for (char** inherited = environ; *inherited != nullptr; ++inherited) {
    const std::string variable(*inherited);
    if (!variables.contains(variable.substr(0, variable.find('='))))
      request.environment.push_back(variable);
  }
  for (const auto& [name, value] : variables.items())
    request.environment.push_back(name + "=" + word_of(value));
  return request;
}

/// Writes to a pipe whose reader may be gone, without the signal that this raises.
ssize_t write_quietly(int fd, const char* bytes, std::size_t size) {
  sigset_t pipe_signal;
  sigset_t before;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  const ssize_t written = ::write(fd, bytes, size);
  const int error = errno;
  if (written < 0 && error == EPIPE && sigismember(&before, SIGPIPE) == 0) {
    const timespec at_once{};
    ::sigtimedwait(&pipe_signal, nullptr, &at_once);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return written;
}

/// Reads what is there; false when the stream has ended.
bool read_into(int fd, std::string& text) {
  char buffer[65536];
  const ssize_t size = ::read(fd, buffer, sizeof buffer);
  if (size > 0) text.append(buffer, static_cast<std::size_t>(size));
  return size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR));
}

/// Stops a program that is not wanted any more: at once if its time is over, for the next attempt
/// may come at once; otherwise with time to clean up.
class Stopper {
 public:
  void look(const StepCall& call, const SpawnedProgram& program) {
    const auto reason = call.cancellation->reason();
    if (reason == Cancellation::Reason::none || killed_) return;
    const auto now = SteadyClock::now();
    if (reason == Cancellation::Reason::timed_out || (kill_at_ && now >= *kill_at_)) {
      program.kill();
      killed_ = true;
    } else if (!kill_at_) {
      program.terminate();
      kill_at_ = now + terminate_grace;
    }
  }

 private:
  std::optional<SteadyClock::time_point> kill_at_;
  bool killed_ = false;
};

/// Feeds the program, listens to it, and waits for its end.
Result<ProgramRun> attend(const StepCall& call, SpawnedProgram program, ShellProgress& progress) {
  ProgramRun run;
  const std::string input = call.with.value("stdin", "");
  std::size_t fed = 0;
  Stopper stopper;
  if (input.empty()) program.close_stdin();
  for (bool ended = false; !ended;) {
    stopper.look(call, program);
    pollfd waits[4] = {{program.exit_fd(), POLLIN, 0},
                       {program.stdout_fd(), POLLIN, 0},
                       {program.stderr_fd(), POLLIN, 0},
                       {program.stdin_fd(), POLLOUT, 0}};
    ::poll(waits, 4, look_ms);
    ended = waits[0].revents != 0;
    if (const std::optional<json> report = progress.look()) call.progress(*report);
    if (waits[3].revents != 0) {
      const ssize_t size =
          write_quietly(program.stdin_fd(), input.data() + fed, input.size() - fed);
      if (size > 0) fed += static_cast<std::size_t>(size);
      // A program that does not want all of its input is no error.
      if (fed == input.size() || (size < 0 && errno != EAGAIN && errno != EINTR))
        program.close_stdin();
    }
    if (waits[1].revents != 0 && !read_into(program.stdout_fd(), run.out)) program.close_stdout();
    if (waits[2].revents != 0 && !read_into(program.stderr_fd(), run.err)) program.close_stderr();
    if (run.err.size() > 2 * stderr_bytes_max) run.err.erase(0, run.err.size() - stderr_bytes_max);
    if (run.out.size() > stdout_bytes_max && !run.out_too_long) {
      run.out_too_long = true;
      program.kill();
    }
    if (run.out_too_long) run.out.clear();
  }
  const Result<SpawnedProgram::Exit> exit = program.exit();
  if (!exit) return exit.error();
  run.exit = *exit;
  // Its group is gone: what it said last lies in the pipes, and nothing more will come.
  for (std::size_t before = 1; program.stdout_fd() >= 0 && before != run.out.size();) {
    before = run.out.size();
    if (!read_into(program.stdout_fd(), run.out)) break;
  }
  for (std::size_t before = 1; program.stderr_fd() >= 0 && before != run.err.size();) {
    before = run.err.size();
    if (!read_into(program.stderr_fd(), run.err)) break;
  }
  run.out_too_long = run.out_too_long || run.out.size() > stdout_bytes_max;
  if (run.err.size() > stderr_bytes_max) run.err.erase(0, run.err.size() - stderr_bytes_max);
  return run;
}

std::string last_words(const std::string& err) {
  std::string text =
      err.size() > stderr_shown_max ? "..." + err.substr(err.size() - stderr_shown_max) : err;
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text.empty() ? "" : ": " + printable_text(text, stderr_shown_max + 3);
}

StepResult judge(const StepCall& call, const ProgramRun& run) {
  if (run.out_too_long)
    return fail("stdout has more than " + std::to_string(stdout_bytes_max) +
                " bytes; write to a file and hand its name on");
  if (run.exit.by_signal)
    return unclear("killed by signal " + std::to_string(run.exit.code) + " (" +
                   ::strsignal(run.exit.code) + ")" + last_words(run.err));
  const json ok_codes = call.with.value("ok_exit_codes", json::array({0}));
  if (std::find(ok_codes.begin(), ok_codes.end(), json(run.exit.code)) == ok_codes.end())
    return retry("exit code " + std::to_string(run.exit.code) + last_words(run.err));
  json output{{"exit_code", run.exit.code}, {"stderr", printable_text(run.err, stderr_bytes_max)}};
  if (call.with.value("encoding", "utf-8") == "base64") {
    output["stdout"] = base64(run.out);
  } else {
    if (!is_utf8(run.out)) return fail("stdout is not UTF-8; ask for \"encoding\": \"base64\"");
    output["stdout"] = run.out;
  }
  return done(std::move(output));
}

}  // namespace

StepTypeInfo ShellStep::info() {
  using Kind = ParamInfo::Kind;
  return StepTypeInfo{
      "Runs a program and waits for its end. Another exit code than expected is a failed attempt.",
      {{"argv", Kind::string_array, true, "the program and its arguments; no shell reads them"},
       {"cwd", Kind::string, false, "the working folder; default: where the run was started"},
       {"env", Kind::string_object, false, "variables besides the inherited ones"},
       {"stdin", Kind::string, false, "what the program reads; default: nothing"},
       {"ok_exit_codes", Kind::integer_array, false, "exit codes that mean success; default: [0]"},
       {"encoding", Kind::string, false, "of stdout: \"utf-8\" (default) or \"base64\""}},
      true,
      R"({"stdout", "stderr", "exit_code"}; the program finds its idempotency key in PAWL_KEY, and reports )"
      "by lines in the file PAWL_PROGRESS_FILE"};
}

/// One attempt of a key at a time.
class ShellStep::Turn {
 public:
  /// Waits until the attempt before has ended, or until nobody wants this one any more.
  Turn(ShellStep& step, const StepCall& call) : step_(step), key_(call.key) {
    std::unique_lock<std::mutex> lock(step_.mutex_);
    while (step_.under_way_.count(key_) > 0) {
      if (call.cancelled()) return;
      step_.ended_.wait_for(lock, std::chrono::milliseconds(look_ms));
    }
    taken_ = step_.under_way_.insert(key_).second;
  }

  ~Turn() {
    if (!taken_) return;
    const std::lock_guard<std::mutex> lock(step_.mutex_);
    step_.under_way_.erase(key_);
    step_.ended_.notify_all();
  }

  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  explicit operator bool() const { return taken_; }

 private:
  ShellStep& step_;
  const std::string& key_;
  bool taken_ = false;
};

StepResult ShellStep::operator()(const StepCall& call) {
  const Turn turn(*this, call);
  if (!turn || call.cancelled()) return retry("stopped before the program was started");
  return run(call);
}

StepResult ShellStep::run(const StepCall& call) {
  if (const auto complaint = complaint_about(call.with)) return fail(*complaint);
  ShellProgress progress;
  Result<SpawnedProgram> program = spawner_->spawn(request_of(call, progress));
  if (!program) {
    const std::string name = word_of(call.with["argv"][0]);
    const std::string why =
        "cannot run \"" + printable_text(name, 200) + "\": " + program.error().message;
    return program.error().code == Errc::invalid_argument ? fail(why) : retry(why);
  }
  const Result<ProgramRun> ended = attend(call, std::move(*program), progress);
  if (!ended) return unclear(ended.error().message);
  return judge(call, *ended);
}

}  // namespace pawl::tools
