#include "runtime/pause.hpp"

#include <pawl/json.hpp>

namespace pawl {

Record pause_record(bool paused, PausedBy by) {
  Record record;
  record.kind = paused ? RecordKind::paused : RecordKind::unpaused;
  if (by == PausedBy::parent) record.body = json{{"by", "parent"}}.dump();
  return record;
}

Result<PausedBy> paused_by(const Record& record) {
  if (record.body.empty()) return PausedBy::person;
  const json body = json::parse(record.body, nullptr, false);
  if (body == json{{"by", "parent"}}) return PausedBy::parent;
  return make_error(Errc::corrupt, "the record of a pause does not say who paused the run");
}

}  // namespace pawl
