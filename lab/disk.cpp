#include "lab/disk.hpp"

#include <pawl/assert.hpp>

#include "lab/chance.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace pawl::lab {

namespace {

constexpr std::int64_t sector_bytes = 512;

void put(std::string& to, std::int64_t offset, std::string_view bytes) {
  const auto at = static_cast<std::size_t>(offset);
  if (to.size() < at + bytes.size()) to.resize(at + bytes.size(), '\0');
  std::memcpy(&to[at], bytes.data(), bytes.size());
}

int code_of(FaultKind kind, Disk::Operation operation) {
  switch (kind) {
    case FaultKind::full: return SQLITE_FULL;
    case FaultKind::nomem: return SQLITE_NOMEM;
    case FaultKind::busy: return SQLITE_BUSY;
    case FaultKind::short_read: return SQLITE_IOERR_SHORT_READ;
    case FaultKind::io: break;
  }
  switch (operation) {
    case Disk::Operation::open: return SQLITE_CANTOPEN;
    case Disk::Operation::read: return SQLITE_IOERR_READ;
    case Disk::Operation::write: return SQLITE_IOERR_WRITE;
    case Disk::Operation::truncate: return SQLITE_IOERR_TRUNCATE;
    case Disk::Operation::sync: return SQLITE_IOERR_FSYNC;
    case Disk::Operation::remove: return SQLITE_IOERR_DELETE;
    case Disk::Operation::look: return SQLITE_IOERR_ACCESS;
    case Disk::Operation::lock: return SQLITE_IOERR_LOCK;
  }
  return SQLITE_IOERR;
}

}  // namespace

Digest digest_of_image(const DiskImage& image) {
  std::string all;
  for (const auto& [name, bytes] : image) {
    all += name;
    all += '\0';
    const Digest digest = digest_of(bytes);
    all.append(reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size());
  }
  return digest_of(all);
}

// --- Disk

Disk::Disk(const DiskImage& image, Course& course, std::vector<Fault> faults, bool lies_about_sync)
    : course_(course), faults_(std::move(faults)), lies_about_sync_(lies_about_sync) {
  for (const auto& [name, bytes] : image) {
    auto file = std::make_shared<DiskFile>();
    file->bytes = bytes;
    file->inode = ++last_inode_;
    files_.emplace(name, std::move(file));
  }
}

bool Disk::can_fail(Operation operation, FaultKind kind) {
  switch (kind) {
    case FaultKind::full: return operation == Operation::write;
    case FaultKind::busy: return operation == Operation::lock;
    case FaultKind::short_read: return operation == Operation::read;
    case FaultKind::io:
    case FaultKind::nomem: return true;
  }
  return true;
}

int Disk::begin(Operation operation) {
  if (course_.dead()) return code_of(FaultKind::io, operation);
  const std::int64_t number = operations();
  operations_.push_back(operation);
  for (auto fault = faults_.begin(); fault != faults_.end(); ++fault) {
    if (number < fault->operation || !can_fail(operation, fault->kind)) continue;
    if (!failed_) {
      HistoryEvent event;
      event.what = Happened::fault;
      event.text = std::string(to_string(fault->kind)) + " at operation " + std::to_string(number) +
                   (fault->for_ever ? ", and for ever" : "");
      course_.mark(std::move(event));
    }
    failed_ = true;
    const int code = code_of(fault->kind, operation);
    if (!fault->for_ever) faults_.erase(fault);
    return code;
  }
  return SQLITE_OK;
}

std::shared_ptr<DiskFile> Disk::find(const std::string& name) const {
  const auto found = files_.find(name);
  return found == files_.end() ? nullptr : found->second;
}

std::shared_ptr<DiskFile> Disk::create(const std::string& name) {
  Entry entry{Entry::Kind::create, last_inode_ + 1, 0, name, 0};
  if (!course_.add(std::move(entry))) return nullptr;
  auto file = std::make_shared<DiskFile>();
  file->inode = ++last_inode_;
  files_[name] = file;
  return file;
}

bool Disk::write(DiskFile& file, std::int64_t offset, const char* bytes, std::size_t size) {
  Entry entry{Entry::Kind::write, file.inode, offset, std::string(bytes, size), 0};
  if (!course_.add(std::move(entry))) return false;
  put(file.bytes, offset, {bytes, size});
  return true;
}

bool Disk::truncate(DiskFile& file, std::int64_t size) {
  if (!course_.add({Entry::Kind::truncate, file.inode, size, {}, 0})) return false;
  file.bytes.resize(static_cast<std::size_t>(size), '\0');
  return true;
}

bool Disk::sync(DiskFile& file) {
  if (lies_about_sync_) return !course_.dead();
  return course_.add({Entry::Kind::sync, file.inode, 0, {}, 0});
}

void Disk::fail_sync(DiskFile& file) {
  ++file.failed_syncs;
  course_.add({Entry::Kind::failed_sync, file.inode, 0, {}, 0});
}

bool Disk::remove(const std::string& name, bool sync_folder) {
  if (!course_.add({Entry::Kind::remove, 0, sync_folder && !lies_about_sync_ ? 1 : 0, name, 0}))
    return false;
  files_.erase(name);
  return true;
}

DiskImage Disk::image() const {
  DiskImage image;
  for (const auto& [name, file] : files_) image.emplace(name, file->bytes);
  return image;
}

// --- DiskReplay

DiskReplay::DiskReplay(const DiskImage& image) {
  std::uint32_t inode = 0;  // as Disk numbers them
  for (const auto& [name, bytes] : image) {
    durable_.names.emplace(name, ++inode);
    durable_.bytes.emplace(inode, bytes);
  }
  seen_ = durable_.bytes;
}

void DiskReplay::follow(const Entry& entry) {
  switch (entry.kind) {
    case Entry::Kind::mark: return;
    case Entry::Kind::write:
    case Entry::Kind::truncate:
      pending_.push_back(&entry);
      apply_to_bytes(seen_, entry);
      return;
    case Entry::Kind::create: pending_names_.push_back(&entry); return;
    case Entry::Kind::remove:
      pending_names_.push_back(&entry);
      if (entry.offset != 0) sync_names();
      return;
    case Entry::Kind::sync: {
      const auto mine =
          std::stable_partition(pending_.begin(), pending_.end(),
                                [&](const Entry* e) { return e->inode != entry.inode; });
      for (auto at = mine; at != pending_.end(); ++at) apply_to_bytes(durable_.bytes, **at);
      pending_.erase(mine, pending_.end());
      sync_names();
      return;
    }
    case Entry::Kind::failed_sync: {
      const auto dropped = std::remove_if(pending_.begin(), pending_.end(), [&](const Entry* e) {
        return e->inode == entry.inode && e->kind == Entry::Kind::write;
      });
      has_dropped_ = has_dropped_ || dropped != pending_.end();
      pending_.erase(dropped, pending_.end());
      return;
    }
  }
}

void DiskReplay::sync_names() {
  for (const Entry* entry : pending_names_) apply_to_names(durable_, *entry);
  pending_names_.clear();
}

void DiskReplay::apply_to_bytes(std::map<std::uint32_t, std::string>& all, const Entry& entry) {
  std::string& bytes = all[entry.inode];
  if (entry.kind == Entry::Kind::write)
    put(bytes, entry.offset, entry.bytes);
  else
    bytes.resize(static_cast<std::size_t>(entry.offset), '\0');
}

void DiskReplay::apply_to_names(State& state, const Entry& entry) {
  if (entry.kind == Entry::Kind::create)
    state.names[entry.bytes] = entry.inode;
  else
    state.names.erase(entry.bytes);
}

DiskImage DiskReplay::after(Loss loss, std::uint64_t torn_seed) const {
  State left = durable_;
  if (loss == Loss::kill) left.bytes = seen_;
  Chance chance(torn_seed + 1);
  // A crash keeps 10 to 90 of 100 sectors: all and none are the other losses.
  const std::uint64_t kept_percent = 10 + chance.below(81);
  const auto survives = [&] { return chance.below(100) < kept_percent; };
  const std::size_t names_kept = loss == Loss::kill    ? pending_names_.size()
                                 : loss == Loss::power ? 0
                                                       : chance.below(pending_names_.size() + 1);
  for (std::size_t i = 0; i < names_kept; ++i) apply_to_names(left, *pending_names_[i]);
  for (const Entry* entry : pending_) {
    if (loss != Loss::torn) break;
    if (entry->kind == Entry::Kind::truncate) {
      if (survives()) apply_to_bytes(left.bytes, *entry);
      continue;
    }
    const std::int64_t end = entry->offset + static_cast<std::int64_t>(entry->bytes.size());
    for (std::int64_t from = entry->offset; from < end;) {
      const std::int64_t to = std::min(end, (from / sector_bytes + 1) * sector_bytes);
      if (survives()) {
        std::string sector = entry->bytes.substr(static_cast<std::size_t>(from - entry->offset),
                                                 static_cast<std::size_t>(to - from));
        if (chance.below(20) == 0)
          for (char& c : sector) c = static_cast<char>(chance.below(256));
        put(left.bytes[entry->inode], from, sector);
      }
      from = to;
    }
  }
  DiskImage image;
  for (const auto& [name, inode] : left.names) {
    const auto bytes = left.bytes.find(inode);
    image.emplace(name, bytes == left.bytes.end() ? std::string() : std::move(bytes->second));
  }
  return image;
}

}  // namespace pawl::lab
