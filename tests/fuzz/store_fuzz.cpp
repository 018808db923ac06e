// A store's files, changed: what opens, lists, loads and verifies them gives answers or errors,
// whatever they hold. The first byte says what is changed: bytes of a sound store's files at places
// that the input names, with the pages' checksums made anew or not, or the whole main file.
#include <pawl/flow.hpp>
#include <pawl/sqlite_store.hpp>
#include <pawl/verify.hpp>

#include "fuzz/fuzz.hpp"
#include "lab/disk.hpp"
#include "lab/free_lock.hpp"
#include "store/page_checksum.hpp"
#include "support/store_writes.hpp"

#include <sqlite3.h>

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

/// A small store with runs in every state, partly in its log.
lab::DiskImage make_store() {
  lab::Course course;
  lab::Disk disk({}, course);
  lab::set_current_disk(&disk);
  lab::DiskImage image;
  {
    auto store = open_sqlite_store(options()).value();
    const RunKey done = put(*store, start_run("done"), 1000).run;
    put(*store, append(done, output_record("a", 1, 1)), 1001);
    put(*store, append(done, output_record("b", 1, 2)), 1002);
    put(*store, append(done, ended_record()), 1003);
    const RunKey half = put(*store, start_run("half", {{"n", 1}}), 1004).run;
    put(*store, append(half, receipt_record("a", 1, AttemptEnd::lost)), 1005);
    put(*store, NoteProgress{half, std::make_shared<Progress>(Progress{"a", 2, R"({"part":1})"})},
        1006);
    image = disk.image();  // as a kill leaves it
  }
  lab::set_current_disk(nullptr);
  return image;
}

void read_all_of(StoreView& store) {
  const auto rows = store.list({});
  if (!rows) return;
  for (const RunRow& row : *rows) static_cast<void>(store.load(row.run));
  static_cast<void>(store.load("half"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const lab::DiskImage sound = make_store();
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
  if (const auto reader = open_sqlite_reader(name, lab::lab_vfs)) read_all_of(**reader);
  if (auto store = open_sqlite_store(options())) {
    read_all_of(**store);
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
