#include "lab/onlooker.hpp"

#include <pawl/sqlite_store.hpp>

#include "lab/disk.hpp"
#include "lab/witness.hpp"

namespace pawl::lab {

void look_at_store(const std::string& store, Course& course) {
  const auto reader = open_sqlite_reader(store, lab_vfs);
  if (!reader) return;
  const Result<std::vector<RunRow>> rows = (*reader)->list({});
  if (!rows) return;
  for (const RunRow& row : *rows) {
    const Result<std::optional<StoredRun>> run = (*reader)->load(row.key);
    if (!run || !*run) continue;
    for (const Record& record : (*run)->records)
      if (record.kind == RecordKind::output || record.kind == RecordKind::ended)
        if (!course.mark(seen(row.run, record))) return;
  }
}

}  // namespace pawl::lab
