/// Reporter: the one way out for events and log lines.
#pragma once

#include <pawl/observer.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace pawl {

/// Threads: any.
class Reporter {
 public:
  Reporter(EventListener on_event, LogSink on_log)
      : on_event_(std::move(on_event)), on_log_(std::move(on_log)) {}

  /// Tells the listener, and the log in words.
  void event(const EngineEvent& event) noexcept;

  void log(LogLevel level, const std::string& text) noexcept;

  /// Whether the calling thread is in a listener or a log sink.
  static bool is_telling();

  /// Tells the event that `make` gives, if anybody listens: an event's words cost more than a step.
  template <class Make>
  void tell(Make&& make) {
    if (listens()) event(std::forward<Make>(make)());
  }

  bool listens() const { return on_event_ || on_log_; }

 private:
  std::mutex mutex_;
  EventListener on_event_;
  LogSink on_log_;
};

/// An event about a run.
EngineEvent event_about(EventKind kind, const std::string& run);

/// Tells of what happens to a write before it is answered: EventKind::write_failed, with why, or
/// store_stalled.
using WriteNews = std::function<void(EventKind kind, const std::string& message)>;

/// News of a write about one thing.
///
/// Given: `about`, the event but for its kind and message.
WriteNews news_about(std::shared_ptr<Reporter> reporter, EngineEvent about);

}  // namespace pawl
