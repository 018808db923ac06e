/// ControlSocket: the owner's side of `ask_owner`.
#pragma once

#include <pawl/control.hpp>

#include <functional>
#include <memory>
#include <string>

namespace pawl {

/// Listens on `STORE.sock`, which only this user may open, and serves one caller after the other on
/// a thread of its own. One line of JSON each way: `{"ask":"cancel","run":RUN}`, a signal with its
/// `"name"`, `"payload"` and `"id"`, a resolution with its `"step"` and `"output"`,
/// a fork with its `"step"`, `"id"`, `"set"`, `"flow"` and `"labels"`, answered by
/// `{"state":STATE}` or `{"error":{"code","message"}}`.
class ControlSocket {
 public:
  /// Answers one question; called on the socket's thread.
  using Serve = std::function<Result<RunState>(const ControlQuestion& question)>;

  /// The same for a prune: see prune_question.hpp.
  using Prune = std::function<Result<Pruned>(const PruneOptions& options)>;

  /// Given:  `store_path`, canonical. The caller owns the store, so that an old socket file there
  ///         is nobody's. `line_wait_ms`, how long a caller may take over its line: others wait.
  /// Errors: Errc::io.
  static Result<std::unique_ptr<ControlSocket>> open(const std::string& store_path, Serve serve,
                                                     int line_wait_ms = 2000, Prune prune = {});

  /// Stops listening and removes the socket's file.
  ~ControlSocket();

 private:
  struct Shared;

  explicit ControlSocket(std::unique_ptr<Shared> shared);

  std::unique_ptr<Shared> shared_;
};

}  // namespace pawl
