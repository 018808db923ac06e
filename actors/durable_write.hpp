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
/// Given: `write`, a WritePtr or a WriteGroupPtr, whose answer is an `Answer`. `then` gets the
///        result: a reply, an error that does not pass, or Errc::engine_lost when the store's
///        actor is gone; it runs on `self`. `about` fills the event that tells of a failed try.
template <class Answer, class Self, class WriteMessage, class Then>
void write_until_known(Self* self, const StoreActor& store, WriteMessage write,
                       const std::shared_ptr<Reporter>& reporter, EngineEvent about, Then then,
                       int tries = 0) {
  using Known = std::decay_t<decltype(*std::declval<Answer>())>;
  self->request(store, caf::infinite, write)
      .then(
          [=](const Answer& answer) mutable {
            if (answer->has_value() || !is_passing(answer->error().code)) return then(*answer);
            if (mutant("failed_write_forgotten")) return;
            about.kind = EventKind::write_failed;
            about.message = answer->error().text();
            reporter->event(about);
            later(self, pause_after(tries), [=] {
              write_until_known<Answer>(self, store, write, reporter, about, then, tries + 1);
            });
          },
          [=](const caf::error&) mutable {
            then(Known(make_error(Errc::engine_lost, "the store's actor is gone")));
          });
}

}  // namespace pawl
