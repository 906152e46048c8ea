// Two guards around code of others that starts threads or changes a disposition.
//
// Thread safety: each acts on the calling thread (the mask) or on the process (SIGPIPE);
// two PreserveSigpipe at once in different threads would restore each other's value.
#pragma once

#include <pthread.h>
#include <signal.h>

namespace lockwarden {

// All signals blocked in this thread, and in every thread created while it lives.
class BlockAllSignals {
 public:
  BlockAllSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockAllSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockAllSignals(const BlockAllSignals&) = delete;
  BlockAllSignals& operator=(const BlockAllSignals&) = delete;

 private:
  sigset_t before_;
};

// SIGPIPE is afterwards as it was before.
class PreserveSigpipe {
 public:
  PreserveSigpipe() { sigaction(SIGPIPE, nullptr, &before_); }
  ~PreserveSigpipe() { sigaction(SIGPIPE, &before_, nullptr); }
  PreserveSigpipe(const PreserveSigpipe&) = delete;
  PreserveSigpipe& operator=(const PreserveSigpipe&) = delete;

 private:
  struct sigaction before_;
};

}  // namespace lockwarden
