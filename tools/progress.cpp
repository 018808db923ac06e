#include "tools/progress.hpp"

#include <cstdio>
#include <unistd.h>
#include <utility>

namespace pawl::tools {

namespace {

constexpr std::size_t names_shown_max = 5;

}  // namespace

Progress::Progress(Console& console, const Settings& settings, bool names_runs)
    : console_(console),
      quiet_(settings.quiet),
      terminal_(::isatty(STDERR_FILENO) == 1),
      names_runs_(names_runs) {}

Progress::~Progress() {
  const std::lock_guard<std::mutex> lock(mutex_);
  hide_under_way();
}

void Progress::on_event(const EngineEvent& event) {
  if (quiet_) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::string key = event.run + "/" + event.step;
  const std::string name =
      names_runs_ || event.step.empty() ? (event.step.empty() ? event.run : key) : event.step;
  const std::string attempt =
      event.attempt > 1 ? " (attempt " + std::to_string(event.attempt) + ")" : "";
  hide_under_way();
  const bool has_written = event.kind == EventKind::step_completed ||
                           event.kind == EventKind::attempt_ended ||
                           event.kind == EventKind::run_started;
  if (has_written && !std::exchange(cannot_write_, {}).empty()) line("the store can write again");
  switch (event.kind) {
    case EventKind::run_started: line("run " + event.run + ": started"); break;
    case EventKind::run_recovered: line("run " + event.run + ": goes on"); break;
    case EventKind::step_started: under_way_[key] = event.attempt; break;
    case EventKind::progress_written: break;  // whoever wants to know asks `pawl show`
    case EventKind::step_completed:
      under_way_.erase(key);
      line("done    " + name + attempt + "  " + duration_text(event.duration_ms));
      break;
    case EventKind::attempt_ended:
      under_way_.erase(key);
      line(std::string(to_string(event.end)) + "  " + name + attempt +
           (event.message.empty() ? "" : ": " + event.message));
      break;
    case EventKind::run_ended:
    case EventKind::run_blocked:
      line("run " + event.run + ": " + std::string(to_string(event.state)) +
           (event.message.empty()
                ? ""
                : ": " + (event.step.empty() ? "" : "step " + event.step + ": ") + event.message));
      break;
    case EventKind::output_diverged:
      line("warning: " + name + attempt + " gave another output than the stored one, which stands");
      break;
    case EventKind::late_answer:
      line("warning: " + name + attempt + " answered too late; it was not used");
      break;
    case EventKind::write_failed:
      if (std::exchange(cannot_write_, event.message) != event.message)
        line("warning: the store cannot write, and is tried again until it can: " + event.message);
      break;
    case EventKind::store_stalled: line("warning: the store has not answered for 5 s"); break;
    case EventKind::log_grows: line("warning: " + event.message); break;
    case EventKind::log_reset: line(event.message); break;
    case EventKind::threads_hang: line("warning: " + event.message); break;
  }
  show_under_way();
}

void Progress::line(const std::string& text) {
  console_.words(text);
}

void Progress::show_under_way() {
  if (!terminal_ || under_way_.empty()) return;
  std::string text = "running ";
  std::size_t told = 0;
  for (const auto& [key, attempt] : under_way_) {
    if (told == names_shown_max) break;
    text += (told++ > 0 ? ", " : "") + key.substr(key.find('/') + 1);
  }
  if (under_way_.size() > told)
    text += " and " + std::to_string(under_way_.size() - told) + " more";
  std::fprintf(stderr, "%.100s", text.c_str());
  shown_ = true;
}

void Progress::hide_under_way() {
  if (shown_) std::fputs("\r\033[K", stderr);
  shown_ = false;
}

}  // namespace pawl::tools
