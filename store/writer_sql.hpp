/// What the store writes of a run: the statements, which a benchmark repeats through SQLite alone.
#pragma once

namespace pawl::writer_sql {

inline constexpr const char* begin = "BEGIN IMMEDIATE";
inline constexpr const char* commit = "COMMIT";

inline constexpr const char* insert_flow = "INSERT INTO flows(digest, name, spec) VALUES(?, ?, ?)";
inline constexpr const char* seal_flow = "UPDATE flows SET checksum = ? WHERE flow = ?";
inline constexpr const char* insert_run =
    "INSERT INTO runs(run, id, flow, input, input_digest, folder, state, due_ms, started_ms, "
    "ended_ms, checksum) VALUES(?, ?, ?, ?, ?, ?, ?, 0, ?, 0, ?)";
inline constexpr const char* insert_event =
    "INSERT INTO events(seq, run, step, slot, kind, attempt_end, attempt, epoch, commit_seq, "
    "at_ms, started_ms, duration_ms, due_ms, input_digest, output_digest, body, checksum) "
    "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
inline constexpr const char* note_run =
    "UPDATE runs SET state = ?, due_ms = ?, ended_ms = ?, checksum = ? WHERE run = ?";

}  // namespace pawl::writer_sql
