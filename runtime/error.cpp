#include <pawl/error.hpp>

#include <cstdio>
#include <cstdlib>
#include <ostream>

namespace pawl {

void assertion_failed(const char* claim, const char* file, int line) noexcept {
  std::fprintf(stderr, "pawl: bug: %s:%d: %s does not hold\n", file, line, claim);
  std::abort();
}

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::invalid_argument: return "invalid_argument";
    case Errc::invalid_json: return "invalid_json";
    case Errc::invalid_flow: return "invalid_flow";
    case Errc::invalid_input: return "invalid_input";
    case Errc::unknown_run: return "unknown_run";
    case Errc::run_ended: return "run_ended";
    case Errc::attempt_ended: return "attempt_ended";
    case Errc::run_differs: return "run_differs";
    case Errc::too_large: return "too_large";
    case Errc::step_failed: return "step_failed";
    case Errc::attempts_exhausted: return "attempts_exhausted";
    case Errc::child_failed: return "child_failed";
    case Errc::unresolved_reference: return "unresolved_reference";
    case Errc::cancelled: return "cancelled";
    case Errc::crash_loop: return "crash_loop";
    case Errc::in_doubt: return "in_doubt";
    case Errc::inputs_differ: return "inputs_differ";
    case Errc::diverged: return "diverged";
    case Errc::paused: return "paused";
    case Errc::undo_failed: return "undo_failed";
    case Errc::unknown_step_type: return "unknown_step_type";
    case Errc::in_use: return "in_use";
    case Errc::fenced: return "fenced";
    case Errc::store_moved: return "store_moved";
    case Errc::rolled_back: return "rolled_back";
    case Errc::io: return "io";
    case Errc::full: return "full";
    case Errc::busy: return "busy";
    case Errc::corrupt: return "corrupt";
    case Errc::foreign_file: return "foreign_file";
    case Errc::newer_format: return "newer_format";
    case Errc::closed: return "closed";
    case Errc::engine_lost: return "engine_lost";
    case Errc::deadline: return "deadline";
    case Errc::internal: return "internal";
  }
  return "internal";
}

std::ostream& operator<<(std::ostream& out, Errc code) {
  return out << to_string(code);
}

bool Problem::operator==(const Problem& other) const {
  return pointer == other.pointer && code == other.code && message == other.message;
}

std::ostream& operator<<(std::ostream& out, const Problem& problem) {
  return out << (problem.pointer.empty() ? "/" : problem.pointer) << ": " << problem.message << " ["
             << problem.code << ']';
}

std::string Error::text() const {
  std::string text(to_string(code));
  if (!where.empty()) text += ": " + where;
  if (!message.empty()) text += ": " + message;
  for (const Problem& problem : problems)
    text += "\n  " + (problem.pointer.empty() ? "/" : problem.pointer) + ": " + problem.message;
  return text;
}

std::ostream& operator<<(std::ostream& out, const Error& error) {
  return out << error.text();
}

}  // namespace pawl
