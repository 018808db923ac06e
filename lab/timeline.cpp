#include "lab/timeline.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace pawl::lab {

namespace {

constexpr std::size_t lines_max = 70;

enum class Lane { outside, coordinator, store, runner, step };

/// Narrow, so that a test report of 80 columns does not break the lines.
constexpr const char* head =
    "outside\n"
    "|  coordinator\n"
    "|  |  store\n"
    "|  |  |  step runner\n"
    "|  |  |  |  your step\n";
constexpr std::size_t lanes = 5;

struct Line {
  Lane lane;
  std::string text;
  bool across = false;  // the whole width: a start, a crash
};

std::string attempt_of(const HistoryEvent& event) {
  return event.step + (event.attempt > 1 ? "#" + std::to_string(event.attempt) : "");
}

Line line_of_point(const HistoryEvent& event) {
  const std::string text = event.text + (event.step.empty() ? "" : " " + attempt_of(event));
  if (event.text.compare(0, 6, "store.") == 0) return {Lane::store, text};
  if (event.text.compare(0, 4, "run.") == 0 || event.text.compare(0, 6, "start.") == 0 ||
      event.text.compare(0, 9, "recovery.") == 0)
    return {Lane::coordinator, text};
  if (event.text.compare(0, 5, "step.") == 0) return {Lane::runner, text};
  return {Lane::step, "point " + text};
}

Line line_of(const HistoryEvent& event) {
  switch (event.what) {
    case Happened::life_began: return {Lane::outside, "the process starts", true};
    case Happened::crashed:
      return {Lane::outside,
              "CRASH at position " + std::to_string(event.number) + " (" + event.text + ")", true};
    case Happened::ended_cleanly: return {Lane::outside, "the process ends", true};
    case Happened::open_failed:
      return {Lane::outside, "the store cannot be opened: " + event.text, true};
    case Happened::fault: return {Lane::outside, "FAULT: " + event.text, true};
    case Happened::runner_killed: return {Lane::runner, "KILLED"};
    case Happened::submitted: return {Lane::outside, "starts " + event.run};
    case Happened::start_told: return {Lane::outside, event.run + ": start acknowledged"};
    case Happened::start_refused: return {Lane::outside, event.run + ": start refused"};
    case Happened::end_told: return {Lane::outside, event.run + ": " + event.text};
    case Happened::cancel_asked: return {Lane::outside, "cancels " + event.run};
    case Happened::cancel_told: return {Lane::outside, event.run + ": cancel acknowledged"};
    case Happened::pause_asked: return {Lane::outside, "pauses " + event.run};
    case Happened::pause_told: return {Lane::outside, event.run + ": pause acknowledged"};
    case Happened::unpause_asked: return {Lane::outside, "unpauses " + event.run};
    case Happened::unpause_told: return {Lane::outside, event.run + ": unpause acknowledged"};
    case Happened::signal_sent: return {Lane::outside, "signals " + event.run};
    case Happened::signal_told: return {Lane::outside, event.run + ": signal acknowledged"};
    case Happened::signal_refused: return {Lane::outside, event.run + ": signal refused"};
    case Happened::read: return {Lane::outside, "reads " + event.run};
    case Happened::body_began: return {Lane::step, attempt_of(event) + " runs"};
    case Happened::progress_made: return {Lane::step, attempt_of(event) + " reports"};
    case Happened::progress_written: return {Lane::runner, attempt_of(event) + ": report durable"};
    case Happened::body_ended: return {Lane::step, attempt_of(event) + ": " + event.text};
    case Happened::completed: return {Lane::coordinator, attempt_of(event) + " completed"};
    case Happened::attempt_ended: return {Lane::coordinator, attempt_of(event) + " " + event.text};
    case Happened::recovered: return {Lane::coordinator, event.run + " recovered"};
    case Happened::blocked: return {Lane::coordinator, event.run + " blocked"};
    case Happened::write_failed: return {Lane::store, "write failed"};
    case Happened::point: return line_of_point(event);
  }
  return {Lane::outside, ""};
}

std::string row(const Line& line) {
  if (line.across) return "==== " + line.text + "\n";
  std::string text;
  for (std::size_t lane = 0; lane < lanes; ++lane)
    text += lane == static_cast<std::size_t>(line.lane) ? "*  " : "|  ";
  return text + line.text + "\n";
}

}  // namespace

std::string timeline(const HistoryView& history) {
  std::vector<Line> lines;
  history.each([&](const HistoryEvent& event) { lines.push_back(line_of(event)); });
  std::string text = head;
  // A long course is told from its end: that is where it went wrong.
  const std::size_t first = lines.size() > lines_max ? lines.size() - lines_max : 0;
  if (first > 0) text += "(" + std::to_string(first) + " lines before)\n";
  for (std::size_t i = first; i < lines.size(); ++i) text += row(lines[i]);
  return text;
}

}  // namespace pawl::lab
