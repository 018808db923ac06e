/// How whoever leaves ends wakes the store's actor.
#pragma once

#include "actors/answer_gate.hpp"
#include "actors/ends_box.hpp"
#include "actors/messages.hpp"

#include <memory>

namespace pawl {

/// Lets whoever leaves the first end in `ends` wake the store's actor, as long as `gate` is open. A
/// step thread then runs it itself when its job has returned, one thread at a time: it commits, and
/// goes on to the step runner, the coordinator and the attempt that follows, without waking any
/// other thread.
void wake_for_ends(const std::shared_ptr<EndsBox>& ends, const StoreActor& store,
                   std::shared_ptr<AnswerGate> gate);

}  // namespace pawl
