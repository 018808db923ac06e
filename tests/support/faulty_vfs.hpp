// A SQLite VFS in front of the system's, whose syncs, writes and opens fail when a test says so.
#pragma once

#include <string>

namespace pawl {

struct FaultyVfs {
  /// Registers the VFS once and gives its name.
  static std::string name();

  enum class Operation { sync, write, open };

  static constexpr int forever = 1'000'000'000;

  /// The `nth` such operation from now on fails (1 for the next), and the next ones, until `times`
  /// have failed.
  static void fail(Operation operation, int nth, int sqlite_code, int times = 1);
  static void heal();

  /// Syncs that succeeded since the start.
  static long syncs();
};

}  // namespace pawl
