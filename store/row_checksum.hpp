/// The checksum of a row: 128 bits over all that the row says, so that no bit of it changes unseen.
///
/// Long texts stand in it by their digests, which their rows hold or whoever reads them takes.
#pragma once

#include <pawl/progress.hpp>
#include <pawl/record.hpp>
#include <pawl/store.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace pawl {

/// A flow's row; its text must have the digest.
Digest flow_checksum(std::int64_t flow, const Digest& digest, std::string_view name);

/// What of a run's row never changes; its input must have the digest.
Digest run_birth(RunKey run, std::string_view id, std::int64_t flow, const Digest& input_digest,
                 std::string_view folder, std::int64_t started_ms);

/// A run's row: what never changes of it, and the rest.
Digest run_checksum(const Digest& birth, std::int64_t state, std::int64_t due_ms,
                    std::int64_t ended_ms);

/// A record's row.
///
/// Given: `record`, with the numbers that the store fills in.
Digest event_checksum(RunKey run, const std::optional<std::int64_t>& slot, std::int64_t commit_seq,
                      const Record& record);

Digest progress_checksum(RunKey run, const Progress& progress);
Digest child_checksum(RunKey run, RunKey parent);
Digest meta_checksum(std::string_view key, std::int64_t value);

}  // namespace pawl
