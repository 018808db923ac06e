/// What the store writes of a run: the statements, some of which a benchmark repeats through SQLite
/// alone.
#pragma once

#include "store/sqlite_reads.hpp"

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
inline constexpr const char* insert_child =
    "INSERT INTO children(run, parent, checksum) VALUES(?, ?, ?)";

// What it asks before.

inline constexpr const char* select_flow =
    "SELECT flow, name, checksum FROM flows WHERE digest = ?";
// The numbers of runs are AUTOINCREMENT's, but known before: the checksum holds them.
inline constexpr const char* select_last_run =
    "SELECT max(ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'runs'), 0), "
    "ifnull((SELECT max(run) FROM runs), 0))";
inline constexpr const char* select_noted =
    "SELECT " PAWL_RUN_COLUMNS " FROM runs r WHERE r.run = ?";
inline constexpr const char* select_slot =
    "SELECT 1 FROM events WHERE run = ? AND step = ? AND slot = ?";
inline constexpr const char* delete_slot =
    "DELETE FROM events WHERE run = ? AND step = ? AND slot = ?";  // mutants

}  // namespace pawl::writer_sql
