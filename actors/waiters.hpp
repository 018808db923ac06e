/// Waiters: who wants to hear of a run's end.
#pragma once

#include <pawl/engine.hpp>

#include "actors/ticket.hpp"

#include <cstddef>
#include <cstdint>
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
    Entry& entry = by_run_[run];
    entry.tickets.push_back(std::move(ticket));
    entry.newest = ++last_;
  }

  /// A number that grows with each ticket that is added about the run; 0 while there is none.
  std::uint64_t newest(const std::string& run) const {
    const auto found = by_run_.find(run);
    return found == by_run_.end() ? 0 : found->second.newest;
  }

  void answer(const std::string& run, const Outcome& outcome) {
    const auto found = by_run_.find(run);
    if (found == by_run_.end()) return;
    // Whoever is told may ask again.
    const std::vector<TicketPtr> tickets = std::move(found->second.tickets);
    by_run_.erase(found);
    size_ -= tickets.size();
    for (const TicketPtr& ticket : tickets) ticket->answer(outcome);
  }

  void answer_all(const Outcome& outcome) {
    size_ = 0;
    for (const auto& [run, entry] : std::exchange(by_run_, {}))
      for (const TicketPtr& ticket : entry.tickets) ticket->answer(outcome);
  }

  std::size_t size() const { return size_; }

 private:
  struct Entry {
    std::vector<TicketPtr> tickets;
    std::uint64_t newest = 0;
  };

  static constexpr std::size_t some = 1024;

  void sweep();

  std::unordered_map<std::string, Entry> by_run_;
  std::size_t size_ = 0;  // in all entries
  std::size_t sweep_at_ = some;
  std::uint64_t last_ = 0;
};

}  // namespace pawl
