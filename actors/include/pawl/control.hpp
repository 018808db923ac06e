/// The way to a store's owner for other processes: a Unix socket beside the store.
#pragma once

#include <pawl/error.hpp>
#include <pawl/json.hpp>
#include <pawl/resolution.hpp>
#include <pawl/retention.hpp>
#include <pawl/run_state.hpp>
#include <pawl/signal.hpp>

#include <string>

namespace pawl {

/// What can be asked of an owner about one of its runs.
enum class ControlVerb { cancel, unblock, pause, unpause, signal, resolve, fork };

/// A fork, as it is asked of an owner: see fork.hpp.
struct ControlFork {
  std::string step;
  std::string id;                ///< the fork's own
  json set = json::object();     ///< outputs, by step
  json flow = nullptr;           ///< another version of the flow; null: the run's own
  json labels = json::object();  ///< texts, by key
};

struct ControlQuestion {
  ControlVerb verb = ControlVerb::cancel;
  std::string run;
  Signal signal = {};          ///< with that verb
  Resolution resolution = {};  ///< with `resolve`
  ControlFork fork = {};       ///< with `fork`
};

/// Asks the engine that owns the store for something, and waits for its answer, which comes after
/// the commit.
///
/// Given:   `store_path`, as the owner opened it or not: links are resolved.
/// Returns: the run's state, as `Engine::cancel`, `unblock`, `pause`, `unpause`, `signal` and
/// `resolve` do; of a fork
///          its own.
/// Errors:  theirs; Errc::io when no owner listens, or it does not answer within `timeout_ms`.
Result<RunState> ask_owner(const std::string& store_path, const ControlQuestion& question,
                           int timeout_ms);

/// Asks the engine that owns the store to remove ended runs, as `Engine::prune` does.
///
/// Given:  `options`, whose `limit` should be small: others wait for the owner's ear meanwhile.
/// Errors: as `ask_owner`; Errc::busy when it takes the owner more than a few seconds, in which
///         case it goes on all the same.
Result<Pruned> ask_owner_to_prune(const std::string& store_path, const PruneOptions& options,
                                  int timeout_ms);

}  // namespace pawl
