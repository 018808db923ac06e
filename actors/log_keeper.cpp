#include "actors/log_keeper.hpp"

#include "actors/actor_manners.hpp"
#include "actors/worker_policy.hpp"

namespace pawl {

LogKeeperActor::behavior_type log_keeper(LogKeeperActor::stateful_pointer<LogKeeperState> self,
                                         std::shared_ptr<Reporter> reporter) {
  set_manners(self, reporter, LogKeeperState::name);
  return {
      [](const SyncPtr& sync) -> SyncAnswer {
        leave_to_others();
        return std::make_shared<const Result<void>>(sync->wait());
      },
  };
}

}  // namespace pawl
