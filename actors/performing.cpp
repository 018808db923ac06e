#include "actors/performing.hpp"

#include <pawl/point.hpp>

#include <exception>
#include <optional>
#include <string>
#include <utility>

namespace pawl {

namespace {

/// The attempt's last report, if it is not known to be durable.
std::shared_ptr<Progress> last_progress(const Dispatch& dispatch) {
  std::optional<std::string> text = dispatch.reports().end();
  if (!text) return nullptr;
  return std::make_shared<Progress>(
      Progress{dispatch.call.step, dispatch.call.attempt, std::move(*text)});
}

}  // namespace

void leave_end(Performing& performing, const DispatchPtr& dispatch,
               std::shared_ptr<Record> record) {
  const StepCall& call = dispatch->call;
  point("step.before_write", call.run, call.step, call.attempt);
  // First, for this thread may soon wait for the store, and the store for its disk.
  if (!performing.is_watched.load(std::memory_order_relaxed) &&
      !performing.is_watched.exchange(true))
    performing.tell(EndLeft{});
  performing.box->put({dispatch, std::move(record), last_progress(*dispatch)});
}

void perform_and_leave(Performing& performing, const StepBody::Function& body,
                       const DispatchPtr& dispatch) noexcept {
  std::string why = "something that is no std::exception";
  try {
    auto record = std::make_shared<Record>(perform(body, *dispatch, performing.seams));
    if (dispatch->claim_end(performing.seams.clock->steady_us()))
      leave_end(performing, dispatch, std::move(record));
    else
      performing.tell(LateAnswer{dispatch, std::move(record)});
    return;
  } catch (const std::exception& thrown) {
    why = thrown.what();
  } catch (...) {
  }
  performing.tell(LostAnswer{dispatch, std::move(why)});
}

}  // namespace pawl
