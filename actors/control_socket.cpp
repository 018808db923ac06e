#include "actors/control_socket.hpp"

#include <pawl/limits.hpp>
#include <pawl/record.hpp>
#include <pawl/sqlite_store.hpp>

#include "actors/prune_question.hpp"
#include "actors/real_seams.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace pawl {

namespace {

constexpr std::size_t line_bytes_max =
    2 * Limits::output_bytes_max;  // a signal and what is around it
constexpr int accept_pause_ms = 100;

/// A file descriptor that closes itself.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}

  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

  Fd& operator=(Fd&& other) noexcept {
    Fd old(std::exchange(fd_, std::exchange(other.fd_, -1)));
    return *this;
  }

  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const { return fd_; }

  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

Error system_error(const std::string& what, const std::string& where) {
  return make_error(Errc::io, what + ": " + std::strerror(errno), where);
}

/// A socket's address may have about 100 bytes; a path may have more. Through a descriptor of its
/// folder any path fits.
struct Address {
  Fd folder;
  sockaddr_un name{};
};

Result<Address> address_of(const std::string& socket_path) {
  const auto slash = socket_path.rfind('/');
  Address address;
  address.folder =
      Fd(::open(socket_path.substr(0, slash + 1).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!address.folder) return system_error("the store's folder cannot be opened", socket_path);
  address.name.sun_family = AF_UNIX;
  const int size =
      std::snprintf(address.name.sun_path, sizeof address.name.sun_path, "/proc/self/fd/%d/%s",
                    address.folder.get(), socket_path.c_str() + slash + 1);
  if (size < 0 || static_cast<std::size_t>(size) >= sizeof address.name.sun_path)
    return make_error(Errc::io, "the store's file name is too long for a socket beside it",
                      socket_path);
  return address;
}

const sockaddr* generic(const sockaddr_un& name) {
  return reinterpret_cast<const sockaddr*>(&name);
}

/// Reads up to a line break; nothing if the whole line does not come in time.
std::string read_line(int fd, int timeout_ms) {
  const auto clock = make_system_clock();
  const std::int64_t end_ms = clock->steady_us() / 1000 + timeout_ms;
  std::string line;
  char buffer[4096];
  while (line.size() < line_bytes_max) {
    pollfd readable{fd, POLLIN, 0};
    const std::int64_t left_ms = end_ms - clock->steady_us() / 1000;
    if (left_ms <= 0 || ::poll(&readable, 1, static_cast<int>(left_ms)) <= 0) return {};
    const ssize_t size = ::recv(fd, buffer, sizeof buffer, 0);
    if (size <= 0) return {};
    line.append(buffer, static_cast<std::size_t>(size));
    if (line.back() == '\n') return line;
  }
  return {};
}

bool send_all(int fd, const std::string& text) {
  std::size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t size = ::send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (size <= 0) return false;
    sent += static_cast<std::size_t>(size);
  }
  return true;
}

const char* word(ControlVerb verb) {
  switch (verb) {
    case ControlVerb::cancel: return "cancel";
    case ControlVerb::unblock: return "unblock";
    case ControlVerb::pause: return "pause";
    case ControlVerb::unpause: return "unpause";
    case ControlVerb::signal: return "signal";
    case ControlVerb::resolve: return "resolve";
    case ControlVerb::fork: return "fork";
  }
  return "";
}

json answer_to(const std::string& line, const ControlSocket::Serve& serve,
               const ControlSocket::Prune& prune) {
  const auto error = [](const Error& why) {
    return json{{"error", {{"code", to_string(why.code)}, {"message", why.message}}}};
  };
  // As strict as with all JSON from outside, and no deeper.
  const Result<json> question = parse_json(line, line_bytes_max);
  const auto text = [&](const char* name) -> const std::string* {
    const auto member = question->find(name);
    return member == question->end() ? nullptr : member->get_ptr<const std::string*>();
  };
  if (prune && question && question->is_object() && text("ask") != nullptr &&
      *text("ask") == "prune") {
    const Result<PruneOptions> options = prune_options_from(*question);
    const Result<Pruned> pruned = options ? prune(*options) : Result<Pruned>(options.error());
    return pruned ? prune_answer(*pruned) : error(pruned.error());
  }
  if (!question || !question->is_object() || text("ask") == nullptr || text("run") == nullptr)
    return error(
        make_error(Errc::invalid_argument, "a question is {\"ask\":VERB,\"run\":RUN}" +
                                               (question ? "" : "; " + question.error().text())));
  for (const ControlVerb verb :
       {ControlVerb::cancel, ControlVerb::unblock, ControlVerb::pause, ControlVerb::unpause,
        ControlVerb::signal, ControlVerb::resolve, ControlVerb::fork}) {
    if (*text("ask") != word(verb)) continue;
    ControlQuestion asked{verb, *text("run"), {}, {}, {}};
    if (verb == ControlVerb::resolve) {
      const auto output = question->find("output");
      if (text("step") == nullptr || output == question->end())
        return error(
            make_error(Errc::invalid_argument, "a resolution has a \"step\" and an \"output\""));
      asked.resolution = {*text("step"), *output};
    }
    if (verb == ControlVerb::fork) {
      asked.fork.set = question->value("set", json::object());
      asked.fork.flow = question->value("flow", json());
      asked.fork.labels = question->value("labels", json::object());
      const json& labels = asked.fork.labels;
      if (text("step") == nullptr || text("id") == nullptr || !asked.fork.set.is_object() ||
          !labels.is_object() ||
          !std::all_of(labels.begin(), labels.end(), [](const json& l) { return l.is_string(); }))
        return error(make_error(Errc::invalid_argument,
                                "a fork has a \"step\" and an \"id\"; \"set\" and \"labels\" are "
                                "objects, the latter of texts"));
      asked.fork.step = *text("step");
      asked.fork.id = *text("id");
    }
    if (verb == ControlVerb::signal) {
      if (text("name") == nullptr || text("id") == nullptr)
        return error(make_error(Errc::invalid_argument, "a signal has a \"name\" and an \"id\""));
      const auto payload = question->find("payload");
      asked.signal = {*text("name"), payload == question->end() ? json() : *payload, *text("id")};
    }
    const Result<RunState> state = serve(asked);
    if (!state) return error(state.error());
    return json{{"state", to_string(*state)}};
  }
  return error(make_error(Errc::invalid_argument,
                          "this engine does not know what was asked; it may be older"));
}

std::string socket_path_of(const std::string& store_path) {
  return store_path + ".sock";
}

/// Sends the owner one line, and gives what it answers.
///
/// Errors: the owner's own; Errc::io when there is no answer.
Result<json> exchange(const std::string& store_path, const json& line, int timeout_ms) {
  const Result<std::string> text = canonical_json(line, line_bytes_max);
  if (!text) return text.error();
  Result<std::string> canonical = canonical_store_path(store_path);
  if (!canonical) return canonical.error();
  const std::string path = socket_path_of(*canonical);
  Result<Address> address = address_of(path);
  if (!address) return address.error();
  const Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return system_error("no socket", path);
  if (::connect(socket.get(), generic(address->name), sizeof address->name) != 0)
    return system_error("the store's owner does not listen", path);
  if (!send_all(socket.get(), *text + "\n"))
    return system_error("the store's owner does not listen any more", path);
  json answer = json::parse(read_line(socket.get(), timeout_ms), nullptr, false);
  if (!answer.is_object()) return make_error(Errc::io, "the store's owner does not answer", path);
  if (!answer.contains("error")) return answer;
  const json& error = answer["error"];
  return make_error(errc_from(error.value("code", "")), error.value("message", ""),
                    line.value("run", path));
}

}  // namespace

struct ControlSocket::Shared {
  std::string path;
  Serve serve;
  Prune prune;
  int line_wait_ms = 0;
  Fd listener;
  Fd stop_read;
  Fd stop_write;
  std::thread thread;

  void listen() {
    for (;;) {
      pollfd waits[2] = {{listener.get(), POLLIN, 0}, {stop_read.get(), POLLIN, 0}};
      if (::poll(waits, 2, -1) < 0 && errno != EINTR) return;
      if (waits[1].revents != 0) return;
      if (waits[0].revents == 0) continue;
      const Fd caller(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!caller) {
        // The process may be out of descriptors, and the caller go on waiting: no reason to spin.
        ::poll(&waits[1], 1, accept_pause_ms);
        continue;
      }
      const std::string line = read_line(caller.get(), line_wait_ms);
      if (!line.empty()) send_all(caller.get(), answer_to(line, serve, prune).dump() + "\n");
    }
  }
};

ControlSocket::ControlSocket(std::unique_ptr<Shared> shared) : shared_(std::move(shared)) {}

Result<std::unique_ptr<ControlSocket>> ControlSocket::open(const std::string& store_path,
                                                           Serve serve, int line_wait_ms,
                                                           Prune prune) {
  auto shared = std::make_unique<Shared>();
  shared->path = socket_path_of(store_path);
  shared->serve = std::move(serve);
  shared->prune = std::move(prune);
  shared->line_wait_ms = line_wait_ms;
  Result<Address> address = address_of(shared->path);
  if (!address) return address.error();
  ::unlink(shared->path.c_str());
  shared->listener = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!shared->listener) return system_error("no socket", shared->path);
  // Its file takes its mode from the descriptor, before anybody could open it.
  if (::fchmod(shared->listener.get(), 0600) != 0 ||
      ::bind(shared->listener.get(), generic(address->name), sizeof address->name) != 0 ||
      ::chmod(shared->path.c_str(), 0600) != 0 || ::listen(shared->listener.get(), 16) != 0)
    return system_error("the socket cannot be opened", shared->path);
  int stop[2];
  if (::pipe2(stop, O_CLOEXEC) != 0) return system_error("no pipe", shared->path);
  shared->stop_read = Fd(stop[0]);
  shared->stop_write = Fd(stop[1]);
  Shared* const raw = shared.get();
  shared->thread = std::thread([raw] { raw->listen(); });
  return std::unique_ptr<ControlSocket>(new ControlSocket(std::move(shared)));
}

ControlSocket::~ControlSocket() {
  ::unlink(shared_->path.c_str());
  shared_->stop_write = Fd();  // closed: its other end wakes the thread
  shared_->thread.join();
}

Result<RunState> ask_owner(const std::string& store_path, const ControlQuestion& question,
                           int timeout_ms) {
  json line{{"ask", word(question.verb)}, {"run", question.run}};
  if (question.verb == ControlVerb::signal) {
    line["name"] = question.signal.name;
    line["payload"] = question.signal.payload;
    line["id"] = question.signal.id;
  }
  if (question.verb == ControlVerb::resolve) {
    line["step"] = question.resolution.step;
    line["output"] = question.resolution.output;
  }
  if (question.verb == ControlVerb::fork) {
    line["step"] = question.fork.step;
    line["id"] = question.fork.id;
    line["set"] = question.fork.set;
    line["labels"] = question.fork.labels;
    if (!question.fork.flow.is_null()) line["flow"] = question.fork.flow;
  }
  const Result<json> answer = exchange(store_path, line, timeout_ms);
  if (!answer) return answer.error();
  if (const auto state = run_state_from(answer->value("state", ""))) return *state;
  return make_error(Errc::io, "the store's owner answers what this pawl does not understand",
                    store_path);
}

Result<Pruned> ask_owner_to_prune(const std::string& store_path, const PruneOptions& options,
                                  int timeout_ms) {
  const Result<json> answer = exchange(store_path, prune_question(options), timeout_ms);
  if (!answer) return answer.error();
  return pruned_from(*answer);
}

}  // namespace pawl
