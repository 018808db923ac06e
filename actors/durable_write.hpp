/// A write that is repeated until its outcome is known.
#pragma once

#include "actors/actor_manners.hpp"
#include "actors/messages.hpp"
#include "actors/reporter.hpp"
#include "runtime/mutant.hpp"

#include <caf/duration.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <type_traits>
#include <utility>

namespace pawl {

/// Whether the store may do later what it could not do now. With a write: it may have written after
/// all, and the same bytes must be written again.
inline bool is_passing(Errc code) {
  return code == Errc::io || code == Errc::full || code == Errc::busy;
}

/// Whether the store will answer nothing else any more: its engine is over.
inline bool is_for_good(Errc code) {
  return code == Errc::fenced || code == Errc::store_moved || code == Errc::rolled_back ||
         code == Errc::engine_lost;
}

/// How long to wait before the next try.
inline std::chrono::milliseconds pause_after(int tries) {
  return std::chrono::milliseconds(std::min(1000, 10 << std::min(tries, 7)));
}

/// Asks `store` to write, and again the very same if the outcome is unknown, until there is one.
///
/// Given: `write`, a WritePtr or WriteGroupPtr, whose answer is an `Answer`.
///        `news` hears of failed tries. `then` gets the result: a reply, an error that does not
///        pass, or Errc::engine_lost when the store's actor is gone; it runs on `self`.
template <class Answer, class Self, class WriteMessage, class Then>
void write_until_known(Self* self, const StoreActor& store, WriteMessage write, WriteNews news,
                       Then then, int tries = 0) {
  using Known = std::decay_t<decltype(*std::declval<Answer>())>;

  // Two handlers, one of which is called: they share what they need.
  struct Asked {
    StoreActor store;
    WriteMessage write;
    WriteNews news;
    Then then;
    int tries;
  };

  const auto asked = std::make_shared<Asked>(
      Asked{store, std::move(write), std::move(news), std::move(then), tries});
  self->request(store, caf::infinite, asked->write)
      .then(
          [self, asked](const Answer& answer) {
            if (answer->has_value() || !is_passing(answer->error().code))
              return asked->then(*answer);
            if (mutant("failed_write_forgotten")) return;
            asked->news(EventKind::write_failed, answer->error().text());
            later(self, pause_after(asked->tries), [self, asked] {
              write_until_known<Answer>(self, asked->store, asked->write, asked->news, asked->then,
                                        asked->tries + 1);
            });
          },
          [asked](const caf::error&) {
            asked->then(Known(make_error(Errc::engine_lost, "the store's actor is gone")));
          });
}

}  // namespace pawl
