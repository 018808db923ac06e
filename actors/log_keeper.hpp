/// The log keeper: waits for the disk, while the store writes on.
#pragma once

#include "actors/messages.hpp"
#include "actors/reporter.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <memory>

namespace pawl {

struct LogKeeperState {
  static inline const char* name = "pawl.log_keeper";
};

LogKeeperActor::behavior_type log_keeper(LogKeeperActor::stateful_pointer<LogKeeperState> self,
                                         std::shared_ptr<Reporter> reporter);

}  // namespace pawl
