#include <pawl/lab_history.hpp>

namespace pawl::lab {

std::string_view to_string(Happened what) {
  switch (what) {
    case Happened::life_began: return "life_began";
    case Happened::open_failed: return "open_failed";
    case Happened::crashed: return "crashed";
    case Happened::ended_cleanly: return "ended_cleanly";
    case Happened::submitted: return "submitted";
    case Happened::start_told: return "start_told";
    case Happened::start_refused: return "start_refused";
    case Happened::body_began: return "body_began";
    case Happened::progress_made: return "progress_made";
    case Happened::progress_written: return "progress_written";
    case Happened::body_ended: return "body_ended";
    case Happened::completed: return "completed";
    case Happened::attempt_ended: return "attempt_ended";
    case Happened::end_told: return "end_told";
    case Happened::recovered: return "recovered";
    case Happened::cancel_asked: return "cancel_asked";
    case Happened::cancel_told: return "cancel_told";
    case Happened::pause_asked: return "pause_asked";
    case Happened::pause_told: return "pause_told";
    case Happened::unpause_asked: return "unpause_asked";
    case Happened::unpause_told: return "unpause_told";
    case Happened::signal_sent: return "signal_sent";
    case Happened::signal_told: return "signal_told";
    case Happened::signal_refused: return "signal_refused";
    case Happened::blocked: return "blocked";
    case Happened::write_failed: return "write_failed";
    case Happened::point: return "point";
    case Happened::fault: return "fault";
    case Happened::runner_killed: return "runner_killed";
    case Happened::read: return "read";
  }
  return "unknown";
}

std::string to_json_line(const HistoryEvent& event) {
  json line{{"what", to_string(event.what)}};
  if (!event.run.empty()) line["run"] = event.run;
  if (!event.step.empty()) line["step"] = event.step;
  if (event.attempt > 0) line["attempt"] = event.attempt;
  if (!event.key.empty()) line["key"] = event.key;
  if (!event.text.empty()) line["text"] = printable_text(event.text, 4096);
  if (event.digest != Digest{}) line["digest"] = event.digest.hex();
  if (event.number != 0) line["number"] = event.number;
  return line.dump();
}

}  // namespace pawl::lab
