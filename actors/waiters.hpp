/// Waiters: who wants to hear of a run's end.
#pragma once

#include <pawl/engine.hpp>

#include "actors/ticket.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace pawl {

/// What is told when there is no end to tell.
Outcome unfinished(const Error& why);

/// Invariants:
/// 1. Of tickets that nobody awaits any more at most as many are kept as of others, and some: a
///    million runs that were started and left to themselves cost no memory while they sleep.
class Waiters {
 public:
  using TicketPtr = std::shared_ptr<Ticket<Outcome>>;

  void add(const std::string& run, TicketPtr ticket) {
    if (size_ >= sweep_at_) sweep();
    ++size_;
    by_run_[run].push_back(std::move(ticket));
  }

  void answer(const std::string& run, const Outcome& outcome) {
    const auto found = by_run_.find(run);
    if (found == by_run_.end()) return;
    // Whoever is told may ask again.
    const std::vector<TicketPtr> tickets = std::move(found->second);
    by_run_.erase(found);
    size_ -= tickets.size();
    sweep_at_ = std::min(sweep_at_, 2 * size_ + some);
    for (const TicketPtr& ticket : tickets) ticket->answer(outcome);
  }

  void answer_all(const Outcome& outcome) {
    size_ = 0;
    for (const auto& [run, tickets] : std::exchange(by_run_, {}))
      for (const TicketPtr& ticket : tickets) ticket->answer(outcome);
  }

  std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t some = 1024;

  void sweep();

  std::unordered_map<std::string, std::vector<TicketPtr>> by_run_;
  std::size_t size_ = 0;  // in all entries
  std::size_t sweep_at_ = some;
};

}  // namespace pawl
