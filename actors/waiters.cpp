#include "actors/waiters.hpp"

#include <algorithm>
#include <iterator>

namespace pawl {

Outcome unfinished(const Error& why) {
  return Outcome{RunState::running, nullptr, RunError{why.code, "", why.message}};
}

void Waiters::sweep() {
  size_ = 0;
  for (auto entry = by_run_.begin(); entry != by_run_.end();) {
    std::vector<TicketPtr>& tickets = entry->second;
    tickets.erase(std::remove_if(tickets.begin(), tickets.end(),
                                 [](const TicketPtr& ticket) { return !ticket->is_awaited(); }),
                  tickets.end());
    size_ += tickets.size();
    entry = tickets.empty() ? by_run_.erase(entry) : std::next(entry);
  }
  sweep_at_ = 2 * size_ + some;
}

}  // namespace pawl
