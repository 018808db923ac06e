/// EndsTurn: the store, once it has answered step ends, lets the step runner bring the next ones
/// before it commits what others want written.
#pragma once

#include <atomic>
#include <cstdint>

namespace pawl {

/// Without it an end that has waited for a commit could see another one begin without it. The turn
/// begins when ends are about to be answered, and is over when the step runner writes, or says that
/// it has nothing. The store holds others back for some milliseconds at most, lest a step runner
/// that died, or is kept by a listener, keeps them.
///
/// Threads: any.
class EndsTurn {
 public:
  /// The step runner is about to be answered. The store's, when nobody is held back.
  void give() { state_.store(State::given); }

  enum class Hold : std::uint8_t { none, begins, goes_on };

  /// Whether what others want written is to be held back. The store's.
  Hold hold_others() {
    State seen = State::given;
    if (state_.compare_exchange_strong(seen, State::holding)) return Hold::begins;
    return seen == State::holding ? Hold::goes_on : Hold::none;
  }

  /// The turn is over. True if others were held back: then the store must hear of it.
  bool end() { return state_.exchange(State::over) == State::holding; }

 private:
  enum class State : std::uint8_t { over, given, holding };

  std::atomic<State> state_{State::over};
};

}  // namespace pawl
