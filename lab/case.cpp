#include <pawl/lab_case.hpp>
#include <pawl/point.hpp>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <utility>

namespace pawl::lab {

namespace {

constexpr Loss losses[] = {Loss::kill, Loss::power, Loss::torn};
constexpr FaultKind fault_kinds[] = {FaultKind::io, FaultKind::full, FaultKind::nomem,
                                     FaultKind::busy, FaultKind::short_read};

constexpr MishapKind mishap_kinds[] = {MishapKind::kill, MishapKind::stall, MishapKind::fail,
                                       MishapKind::repeat};

struct WeatherWord {
  const char* word;
  int Weather::*member;
};

constexpr WeatherWord weather_words[] = {
    {"early_timers", &Weather::early_timers},
    {"slow_steps", &Weather::slow_steps},
    {"failed_steps", &Weather::failed_steps},
    {"lost_answers", &Weather::lost_answers},
    {"stalls", &Weather::stalls},
    {"killed_runners", &Weather::killed_runners},
    {"readers", &Weather::readers},
    {"cancels", &Weather::cancels},
    {"pauses", &Weather::pauses},
};

std::string life_text(const Life& life) {
  std::string text = "seed=" + std::to_string(life.seed);
  if (life.crash) {
    text += " crash=" + std::to_string(life.crash->position) + ":" +
            std::string(to_string(life.crash->loss));
    if (life.crash->loss == Loss::torn) text += ":" + std::to_string(life.crash->torn_seed);
  }
  for (const Fault& fault : life.faults)
    text += " fault=" + std::to_string(fault.operation) + ":" + std::string(to_string(fault.kind)) +
            (fault.for_ever ? ":for_ever" : "");
  for (const Mishap& mishap : life.mishaps)
    text += " at=" + mishap.point + ":" + std::to_string(mishap.visit) + ":" +
            std::string(to_string(mishap.kind));
  for (const WeatherWord& word : weather_words)
    if (const int rate = life.weather.*word.member; rate > 0)
      text += std::string(" ") + word.word + "=" + std::to_string(rate);
  return text;
}

Error unreadable(std::string_view word) {
  return make_error(Errc::invalid_argument, "\"" + std::string(word) +
                                                "\" is no part of a case; a case looks like "
                                                "\"seed=7 crash=43:torn:5 | seed=0\"");
}

std::vector<std::string> split(std::string_view text, char by) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == by)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

template <class Number>
bool read_number(const std::string& text, Number& number) {
  const auto end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  return read.ec == std::errc() && read.ptr == end;
}

template <class Kind, std::size_t size>
bool read_kind(const std::string& text, const Kind (&kinds)[size], Kind& kind) {
  for (const Kind known : kinds)
    if (to_string(known) == text) {
      kind = known;
      return true;
    }
  return false;
}

bool read_crash(const std::string& value, Life& life) {
  const std::vector<std::string> parts = split(value, ':');
  Crash crash;
  if (parts.size() < 2 || parts.size() > 3 || !read_number(parts[0], crash.position) ||
      !read_kind(parts[1], losses, crash.loss))
    return false;
  if (parts.size() == 3 && !read_number(parts[2], crash.torn_seed)) return false;
  life.crash = crash;
  return true;
}

bool read_fault(const std::string& value, Life& life) {
  const std::vector<std::string> parts = split(value, ':');
  Fault fault;
  if (parts.size() < 2 || parts.size() > 3 || !read_number(parts[0], fault.operation) ||
      !read_kind(parts[1], fault_kinds, fault.kind))
    return false;
  fault.for_ever = parts.size() == 3 && parts[2] == "for_ever";
  if (parts.size() == 3 && !fault.for_ever) return false;
  life.faults.push_back(fault);
  return true;
}

bool read_mishap(const std::string& value, Life& life) {
  const std::vector<std::string> parts = split(value, ':');
  Mishap mishap;
  if (parts.size() != 3 || !read_number(parts[1], mishap.visit) ||
      !read_kind(parts[2], mishap_kinds, mishap.kind))
    return false;
  mishap.point = parts[0];
  const std::vector<MishapKind> possible = mishaps_at(mishap.point);
  if (std::find(possible.begin(), possible.end(), mishap.kind) == possible.end()) return false;
  life.mishaps.push_back(std::move(mishap));
  return true;
}

bool read_member(const std::string& name, const std::string& value, Life& life) {
  if (name == "seed") return read_number(value, life.seed);
  if (name == "crash") return read_crash(value, life);
  if (name == "fault") return read_fault(value, life);
  if (name == "at") return read_mishap(value, life);
  for (const WeatherWord& word : weather_words)
    if (name == word.word) return read_number(value, life.weather.*word.member);
  return false;
}

}  // namespace

std::string_view to_string(Loss loss) {
  switch (loss) {
    case Loss::kill: return "kill";
    case Loss::power: return "power";
    case Loss::torn: return "torn";
  }
  return "unknown";
}

std::string_view to_string(FaultKind kind) {
  switch (kind) {
    case FaultKind::io: return "io";
    case FaultKind::full: return "full";
    case FaultKind::nomem: return "nomem";
    case FaultKind::busy: return "busy";
    case FaultKind::short_read: return "short_read";
  }
  return "unknown";
}

std::string_view to_string(MishapKind kind) {
  switch (kind) {
    case MishapKind::kill: return "kill";
    case MishapKind::stall: return "stall";
    case MishapKind::fail: return "fail";
    case MishapKind::repeat: return "repeat";
  }
  return "unknown";
}

std::vector<MishapKind> mishaps_at(std::string_view point) {
  const auto& points = protocol_points();
  if (std::find(points.begin(), points.end(), point) == points.end()) return {};
  // A function's body is not an actor's: nobody can be killed or stalled there.
  if (point == "step.before_body") return {MishapKind::fail};
  if (point == "step.after_body" || point == "step.before_write") return {};
  std::vector<MishapKind> kinds{MishapKind::stall};
  if (point.substr(0, 5) == "step.") kinds.push_back(MishapKind::kill);
  if (point == "store.before_begin" || point == "store.before_commit")
    kinds.push_back(MishapKind::fail);
  if (point == "store.before_begin" || point == "run.on_completion" || point == "run.on_failure")
    kinds.push_back(MishapKind::repeat);
  return kinds;
}

std::string LabCase::text() const {
  std::string text = disk_lies ? "disk_lies " : "";
  if (runs > 0) text += "runs=" + std::to_string(runs) + " ";
  for (const Life& life : lives) {
    if (&life != &lives.front()) text += " | ";
    text += life_text(life);
  }
  return text;
}

Result<LabCase> LabCase::parse(std::string_view text) {
  LabCase parsed;
  for (const std::string& part : split(text, '|')) {
    Life life;
    std::istringstream words(part);
    for (std::string word; words >> word;) {
      if (word == "disk_lies") {
        parsed.disk_lies = true;
        continue;
      }
      const auto equals = word.find('=');
      if (equals == 4 && word.compare(0, 4, "runs") == 0) {
        if (!read_number(word.substr(5), parsed.runs)) return unreadable(word);
        continue;
      }
      if (equals == std::string::npos ||
          !read_member(word.substr(0, equals), word.substr(equals + 1), life))
        return unreadable(word);
    }
    parsed.lives.push_back(std::move(life));
  }
  return parsed;
}

}  // namespace pawl::lab
