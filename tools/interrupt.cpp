#include "tools/interrupt.hpp"

#include "tools/exit_code.hpp"

#include <csignal>
#include <pthread.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace pawl::tools {

namespace {

/// Without those that this process was told to ignore, such as SIGHUP by nohup.
sigset_t interrupt_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction inherited {};

    if (::sigaction(signal, nullptr, &inherited) == 0 && inherited.sa_handler != SIG_IGN)
      sigaddset(&set, signal);
  }
  return set;
}

}  // namespace

void hold_interrupts() {
  const sigset_t set = interrupt_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

void on_interrupt(std::function<void()> first) {
  std::thread([first = std::move(first)] {
    const sigset_t set = interrupt_signals();
    int signal = 0;
    ::sigwait(&set, &signal);
    first();
    ::sigwait(&set, &signal);
    ::_exit(static_cast<int>(ExitCode::unfinished));
  }).detach();
}

}  // namespace pawl::tools
