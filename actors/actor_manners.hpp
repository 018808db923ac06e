/// What every one of pawl's actors has: handlers that keep it from printing, and from dying without
/// a word.
#pragma once

#include "actors/messages.hpp"
#include "actors/reporter.hpp"

#include <caf/error.hpp>
#include <caf/exit_reason.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/sec.hpp>
#include <caf/system_messages.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <string>

namespace pawl {

/// Sets the handlers that CAF otherwise answers with a print to the host's stdout. An exception in
/// a handler is a bug: it is logged and ends the actor, which whoever depends on it notices.
template <class Self>
void set_manners(Self* self, const std::shared_ptr<Reporter>& reporter, const char* name) {
  const std::string actor(name);
  self->set_default_handler(
      [reporter, actor](caf::scheduled_actor*, caf::message_view&) -> caf::result<caf::message> {
        reporter->log(LogLevel::error,
                      "bug: the " + actor + " got a message that it does not know; it was dropped");
        return caf::sec::unexpected_message;
      });
  self->set_exception_handler([reporter, actor](std::exception_ptr& thrown) -> caf::error {
    std::string what = "something that is no std::exception";
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& exception) {
      what = exception.what();
    } catch (...) {
    }
    reporter->log(LogLevel::error, "bug: the " + actor + " threw: " + what);
    return caf::sec::runtime_error;
  });
  self->set_down_handler([](caf::down_msg&) {});
  self->set_error_handler([](caf::error&) {});
}

/// Runs `work` on `self` behind the mail that waits now.
template <class Self>
void after_waiting_mail(Self* self, std::function<void()> work) {
  self->send(self, Later(std::make_shared<const std::function<void()>>(std::move(work))));
}

/// Runs `work` on `self` after `delay`. Not to be taken back: let it check whether it is still
/// wanted.
template <class Self>
void later(Self* self, std::chrono::nanoseconds delay, std::function<void()> work) {
  if (delay <= std::chrono::nanoseconds::zero()) return after_waiting_mail(self, std::move(work));
  self->delayed_send(self, delay,
                     Later(std::make_shared<const std::function<void()>>(std::move(work))));
}

}  // namespace pawl
