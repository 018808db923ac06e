/// Named points of the protocol, and of the user's own steps, where a test may look, stop, or
/// crash.
#pragma once

#include <atomic>
#include <string_view>
#include <vector>

namespace pawl {

/// Somebody reached a point.
///
/// A point of a batch of writes is reached once for each write in it, and then names no run: only
/// the step and the attempt that the write is about, or with a start the run.
///
/// Lifetime: the views are valid during the call.
struct PointHit {
  std::string_view point;
  std::string_view run;   ///< empty where none is named
  std::string_view step;  ///< empty where no single step is concerned
  int attempt = 0;        ///< 0 where no attempt is concerned
};

using PointHook = void (*)(const PointHit&);

namespace detail {
extern std::atomic<PointHook> point_hook;
}

/// Whether anybody listens. One relaxed load.
inline bool points_armed() {
  return detail::point_hook.load(std::memory_order_relaxed) != nullptr;
}

/// Reports that a point was reached. Costs one relaxed load when nobody listens.
inline void point(std::string_view name, std::string_view run = {}, std::string_view step = {},
                  int attempt = 0) {
  if (const PointHook hook = detail::point_hook.load(std::memory_order_relaxed))
    hook({name, run, step, attempt});
}

/// Sets who listens, for the whole process; null for nobody. The hook runs on the reaching thread
/// and may be called by several at once. What it throws hits whoever reached the point.
void arm_points(PointHook hook);

/// The protocol's own points, about in the order in which a new run meets them, and then those of
/// recovery. docs/protocol.md says where each one lies.
const std::vector<std::string_view>& protocol_points();

}  // namespace pawl
