/// EndsTurn: the store, once it has answered a batch of step ends, lets the step runner bring the
/// next one before it writes what others want written.
#pragma once

#include <atomic>
#include <cstdint>

namespace pawl {

/// Without it an end that came during a commit could see another commit begin without it. The step
/// runner never waits for anybody before it takes its turn; and the store holds others back for
/// some milliseconds at most, if it should not.
///
/// Threads: `give`, `hold_others` and `end` are the store's, `take` is the step runner's.
class EndsTurn {
 public:
  /// The step runner is about to be answered.
  void give() { state_.store(State::given); }

  enum class Hold : std::uint8_t { none, begins, goes_on };

  /// Whether what others want written is to be held back: until the step runner writes, or says
  /// that it does not.
  Hold hold_others() {
    State seen = State::given;
    if (state_.compare_exchange_strong(seen, State::holding)) return Hold::begins;
    return seen == State::holding ? Hold::goes_on : Hold::none;
  }

  /// The step runner writes, or not. True if others are held back: then the store must hear of it.
  bool take() { return state_.exchange(State::over) == State::holding; }

  /// Others have been held back for long enough. False if they are not any more.
  bool end() {
    State seen = State::holding;
    return state_.compare_exchange_strong(seen, State::over);
  }

 private:
  enum class State : std::uint8_t { over, given, holding };

  std::atomic<State> state_{State::over};
};

}  // namespace pawl
