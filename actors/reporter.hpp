/// Reporter: the one way out for events and log lines.
#pragma once

#include <pawl/observer.hpp>

#include <mutex>
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

  /// Whether anybody listens; lets callers skip making an event.
  bool listens() const { return on_event_ || on_log_; }

 private:
  std::mutex mutex_;
  EventListener on_event_;
  LogSink on_log_;
};

}  // namespace pawl
