#include "store/row_checksum.hpp"

#include <pawl/assert.hpp>

#include <array>
#include <cstring>

namespace pawl {

namespace {

/// The numbers are part of stored checksums: never change them.
enum class Table : std::uint8_t {
  flows = 1,
  runs = 2,
  events = 3,
  progress = 4,
  children = 5,
  meta = 6,
  run_births = 7,
};

/// The bytes that a checksum is taken over: numbers in little-endian order, texts by their digests.
class Bytes {
 public:
  explicit Bytes(Table table) { number(static_cast<std::int64_t>(table)); }

  Bytes& number(std::int64_t number) {
    auto rest = static_cast<std::uint64_t>(number);
    std::array<std::uint8_t, 8> bytes;
    for (std::uint8_t& byte : bytes) {
      byte = static_cast<std::uint8_t>(rest & 0xffU);
      rest >>= 8U;
    }
    return put(bytes);
  }

  Bytes& digest(const Digest& digest) { return put(digest.bytes); }

  Bytes& text(std::string_view text) { return digest(digest_of(text)); }

  Digest sum() const { return digest_of({bytes_.data(), size_}); }

 private:
  template <std::size_t count>
  Bytes& put(const std::array<std::uint8_t, count>& bytes) {
    PAWL_ASSERT(size_ + count <= bytes_.size());
    std::memcpy(bytes_.data() + size_, bytes.data(), count);
    size_ += count;
    return *this;
  }

  std::array<char, 256> bytes_;
  std::size_t size_ = 0;
};

}  // namespace

Digest flow_checksum(std::int64_t flow, const Digest& digest, std::string_view name) {
  return Bytes(Table::flows).number(flow).digest(digest).text(name).sum();
}

Digest run_birth(RunKey run, std::string_view id, std::int64_t flow, const Digest& input_digest,
                 std::string_view folder, std::int64_t started_ms) {
  return Bytes(Table::run_births)
      .number(run)
      .text(id)
      .number(flow)
      .digest(input_digest)
      .text(folder)
      .number(started_ms)
      .sum();
}

Digest run_checksum(const Digest& birth, std::int64_t state, std::int64_t due_ms,
                    std::int64_t ended_ms) {
  return Bytes(Table::runs).digest(birth).number(state).number(due_ms).number(ended_ms).sum();
}

Digest event_checksum(RunKey run, const std::optional<std::int64_t>& slot, std::int64_t commit_seq,
                      const Record& record) {
  return Bytes(Table::events)
      .number(record.seq)
      .number(run)
      .text(record.step)
      .number(slot ? 1 : 0)
      .number(slot.value_or(0))
      .number(static_cast<std::int64_t>(record.kind))
      .number(static_cast<std::int64_t>(record.end))
      .number(record.attempt)
      .number(record.epoch)
      .number(commit_seq)
      .number(record.at_ms)
      .number(record.started_ms)
      .number(record.duration_ms)
      .number(record.due_ms)
      .digest(record.input_digest)
      .digest(record.output_digest)
      .text(record.body)
      .sum();
}

Digest progress_checksum(RunKey run, const Progress& progress) {
  return Bytes(Table::progress)
      .number(run)
      .text(progress.step)
      .number(progress.attempt)
      .number(progress.epoch)
      .number(progress.at_ms)
      .text(progress.body)
      .sum();
}

Digest child_checksum(RunKey run, RunKey parent) {
  return Bytes(Table::children).number(run).number(parent).sum();
}

Digest meta_checksum(std::string_view key, std::int64_t value) {
  return Bytes(Table::meta).text(key).number(value).sum();
}

}  // namespace pawl
