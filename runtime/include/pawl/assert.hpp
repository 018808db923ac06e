/// PAWL_ASSERT: a claim about pawl itself, checked in every build.
#pragma once

namespace pawl {

/// Prints the broken claim to stderr and aborts: a bug in pawl must not reach the disk.
[[noreturn]] void assertion_failed(const char* claim, const char* file, int line) noexcept;

}  // namespace pawl

/// Aborts with file and line unless `claim` holds. For bugs in pawl only, never for bad input.
#define PAWL_ASSERT(claim)                         \
  (static_cast<bool>(claim) ? static_cast<void>(0) \
                            : ::pawl::assertion_failed(#claim, __FILE__, __LINE__))
