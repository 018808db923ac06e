// A store's files, changed: what opens, lists, loads and verifies them gives answers or errors,
// whatever they hold, and nothing that was never written. The first byte says what is changed:
// bytes of a sound store's files at places that the input names, with the pages' checksums made
// anew or not, or the whole main file.
#include <pawl/flow.hpp>
#include <pawl/sqlite_store.hpp>
#include <pawl/verify.hpp>

#include "fuzz/fuzz.hpp"
#include "lab/disk.hpp"
#include "lab/free_lock.hpp"
#include "store/page_checksum.hpp"
#include "support/store_writes.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <map>
#include <utility>

using namespace pawl;
using fuzz::demand;

namespace {

constexpr const char* name = "pawl.db";

SqliteStoreOptions options() {
  SqliteStoreOptions made{name};
  made.vfs = lab::lab_vfs;
  made.take_lock = &lab::FreeLock::take;
  return made;
}

/// All that was written, by run: no checksum of a row fits anything else.
using Written = std::map<std::string, StoredRun>;

Written all_of(StoreView& store) {
  Written found;
  for (const char* run : {"done", "half"})
    if (auto loaded = store.load(run); loaded && *loaded) found.emplace(run, std::move(**loaded));
  return found;
}

bool same(const Record& a, const Record& b) {
  return a.kind == b.kind && a.end == b.end && a.step == b.step && a.attempt == b.attempt &&
         a.body == b.body && a.seq == b.seq && a.epoch == b.epoch && a.at_ms == b.at_ms &&
         a.due_ms == b.due_ms && a.input_digest == b.input_digest &&
         a.output_digest == b.output_digest;
}

/// Whatever a store serves was written by somebody, as it is served.
void check_as_written(const StoredRun& served, const Written& written) {
  const auto found = written.find(served.row.run);
  demand(found != written.end(), "no run is served that nobody has started");
  const StoredRun& true_one = found->second;
  demand(served.input == true_one.input && *served.flow == *true_one.flow &&
             served.folder == true_one.folder,
         "no run is served with another flow or input");
  for (const Record& record : served.records)
    demand(std::any_of(true_one.records.begin(), true_one.records.end(),
                       [&](const Record& other) { return same(record, other); }),
           "no record is served that nobody has written");
  for (const Progress& progress : served.progress)
    demand(std::any_of(true_one.progress.begin(), true_one.progress.end(),
                       [&](const Progress& other) {
                         return progress.step == other.step && progress.body == other.body &&
                                progress.attempt == other.attempt;
                       }),
           "no progress is served that nobody has reported");
}

void read_all_of(StoreView& store, const Written& written) {
  const auto rows = store.list({});
  if (!rows) return;
  for (const RunRow& row : *rows)
    if (const auto loaded = store.load(row.run); loaded && *loaded)
      check_as_written(**loaded, written);
  static_cast<void>(store.load("half"));
}

struct Sound {
  lab::DiskImage image;
  Written written;
};

/// A small store with a run that has ended, in its main file, and one that has not, in its log.
Sound make_store() {
  lab::Course course;
  lab::Disk disk({}, course);
  lab::set_current_disk(&disk);
  Sound sound;
  {
    auto store = open_sqlite_store(options()).value();
    const RunKey done = put(*store, start_run("done"), 1000).run;
    put(*store, append(done, output_record("a", 1, 1)), 1001);
    // It needs pages of its own, which the log has no newer ones of.
    put(*store, append(done, output_record("b", 1, std::string(6000, 'b'))), 1002);
    put(*store, append(done, ended_record()), 1003);
  }
  {
    auto store = open_sqlite_store(options()).value();  // what is above is in the main file
    const RunKey half = put(*store, start_run("half", {{"n", 1}}), 1004).run;
    put(*store, append(half, receipt_record("a", 1, AttemptEnd::lost)), 1005);
    put(*store, NoteProgress{half, std::make_shared<Progress>(Progress{"a", 2, R"({"part":1})"})},
        1006);
    sound.image = disk.image();  // as a kill leaves it
    sound.written = all_of(*store);
  }
  lab::set_current_disk(nullptr);
  demand(sound.written.size() == 2, "a sound store serves its runs");
  return sound;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Sound made = make_store();
  const lab::DiskImage& sound = made.image;
  fuzz::Bytes bytes(data, size);
  const std::uint8_t how = bytes.byte();
  lab::DiskImage image = sound;
  std::string& main = image[name];
  if ((how & 7) == 7) {
    main = std::string(bytes.rest());
    if ((how & 8) != 0) image.erase(std::string(name) + "-wal");
  } else {
    std::string& changed =
        (how & 7) < 4 ? main : image[std::string(name) + ((how & 1) != 0 ? "-mark" : "-wal")];
    for (int i = 0; i < 16 && !bytes.empty() && !changed.empty(); ++i) {
      const std::size_t at = bytes.word() % changed.size();
      if (bytes.below(16) == 0) {
        changed.resize(at);
        continue;
      }
      const std::string put = bytes.text(1 + bytes.below(12));
      changed.replace(at, put.size(), put);
    }
    if ((how & 16) != 0)
      for (std::size_t page = 0; (page + 1) * page_bytes <= main.size(); ++page)
        seal_page(reinterpret_cast<unsigned char*>(&main[page * page_bytes]),
                  static_cast<std::int64_t>(page) + 1);
  }
  lab::Course course;
  lab::Disk disk(image, course);
  lab::set_current_disk(&disk);
  if (const auto verified = verify_sqlite_store(name, lab::lab_vfs))
    for (const Finding& finding : verified->findings)
      demand(!finding.code.empty() && !finding.message.empty(), "a finding has a name and words");
  if (const auto reader = open_sqlite_reader(name, lab::lab_vfs))
    read_all_of(**reader, made.written);
  if (auto store = open_sqlite_store(options())) {
    read_all_of(**store, made.written);
    const Write start = start_run("new");
    const auto answered = (*store)->write({&start}, 5000);
    if (answered && answered->front().status == WriteStatus::written) {
      const auto loaded = (*store)->load("new");
      demand(!loaded || !*loaded || (*loaded)->row.run == "new", "a run is found under its name");
    }
  }
  lab::set_current_disk(nullptr);
  return 0;
}
