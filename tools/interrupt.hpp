/// Interrupt: Ctrl-C and its kin, as an orderly call.
#pragma once

#include <functional>

namespace pawl::tools {

/// Keeps SIGINT, SIGTERM and SIGHUP from all threads of this process, and ignores SIGPIPE: runs go
/// on when nobody reads about them any more. Those that were ignored before (nohup, a shell's
/// background job) stay so. Call it before there are threads.
void hold_interrupts();

/// From now on, calls `first` at the first such signal, on a thread of its own. A second one ends
/// the process at once with exit code 4; the programs that it started end too.
void on_interrupt(std::function<void()> first);

}  // namespace pawl::tools
