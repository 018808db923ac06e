#include "lab/body_log.hpp"

#include <pawl/point.hpp>

#include "lab/course.hpp"

#include <exception>
#include <memory>

namespace pawl::lab {

namespace {

/// The body that is being repeated, and how far it may come.
struct Repeated {
  const BodyCall* body = nullptr;
  std::size_t position = 0;
  std::size_t points_seen = 0;
};

Repeated repeated;

void pass_point(const PointHit&) {
  const auto& points = repeated.body->points;
  const std::size_t number = repeated.points_seen++;
  // A point that the log does not have is where its own life died.
  if (number >= points.size() || points[number] >= repeated.position) throw ProcessDied{};
}

}  // namespace

void BodyLog::begin(std::size_t position, const std::string& type, const StepCall& call) {
  // What is set later was not seen by the body: nothing else runs during it.
  auto cancellation = std::make_shared<Cancellation>();
  cancellation->set(call.cancellation->reason());
  calls.push_back({position, type, call, {}});
  calls.back().call.progress_sink = nullptr;  // it belongs to a life that will be over
  calls.back().call.cancellation = std::move(cancellation);
}

void repeat_bodies(const BodyLog& log, const Steps& steps, std::size_t position) {
  arm_points(pass_point);
  for (const BodyCall& body : log.calls) {
    if (body.position >= position) break;
    repeated = {&body, position, 0};
    try {
      (*steps.bodies().at(body.type).function())(body.call);
    } catch (const ProcessDied&) {
    } catch (...) {  // an attempt that failed, and what it did before stays done
    }
  }
  arm_points(nullptr);
}

}  // namespace pawl::lab
