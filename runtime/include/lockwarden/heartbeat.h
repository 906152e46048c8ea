// Heartbeat: a thread that should get round every so often says so; the watchdog tells of the
// one that does not (STALL), and of what it does instead.
//
//   lockwarden::Heartbeat heartbeat("io", 2s);
//   for (;;) {
//     heartbeat.idle();                          // the wait for work may take for ever
//     Request request = queue.get();
//     heartbeat.beat();                          // the work may not
//     {
//       lockwarden::HeartbeatScope slow(heartbeat, 30s);   // but this part of it may
//       Compact();
//     }
//   }
//
// A beat is a read of the coarse clock and a few stores. Deadlines below 100 ms are noticed
// late, when the watchdog next looks; a beat that came late is counted all the same.
//
// Thread safety: one thread at a time uses a Heartbeat; whoever beat last is taken for the
// thread to look at. A `thread_local` one gives each thread its own. In a forked child it is
// another heartbeat, known from its first beat there. Errors: none; if the table (4096 of them)
// is full, the heartbeat is not watched and that is counted.
#pragma once

#include <chrono>

#include "lockwarden/annotate.h"
#include "lockwarden/deadline.h"

namespace lockwarden {
inline namespace v1 {

class Heartbeat {
 public:
  // `name` must outlive the heartbeat. `deadline`: longest time between two beats. Known to the
  // watchdog from the first beat on.
  template <class Rep, class Period>
  Heartbeat(const char* name, const std::chrono::duration<Rep, Period>& deadline)
      : beat_ LOCKWARDEN_HEARTBEAT(name, Limit(deadline)) {}
  ~Heartbeat() { lockwarden_heartbeat_stop(&beat_); }
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  void beat() noexcept { lockwarden_beat(&beat_); }
  // No beat is expected until the next one comes.
  void idle() noexcept { lockwarden_heartbeat_idle(&beat_); }
  // No beat is expected until resume, whoever beats meanwhile.
  void pause() noexcept { lockwarden_heartbeat_pause(&beat_); }
  void resume() noexcept { lockwarden_heartbeat_resume(&beat_); }
  // A beat, and from now on the other deadline; the one before is returned.
  template <class Rep, class Period>
  std::chrono::nanoseconds set_deadline(const std::chrono::duration<Rep, Period>& deadline) noexcept {
    return std::chrono::nanoseconds(lockwarden_heartbeat_deadline(&beat_, Limit(deadline)));
  }
  // Before the first beat: one that misses is enough for on_stall to act, whatever stall_quorum.
  void set_essential(bool essential) noexcept { beat_.essential = essential ? 1 : 0; }

  [[nodiscard]] const char* name() const noexcept { return beat_.name == nullptr ? "" : beat_.name; }

 private:
  template <class Rep, class Period>
  static unsigned long long Limit(const std::chrono::duration<Rep, Period>& deadline) {
    return static_cast<unsigned long long>(internal::Nanoseconds(deadline));
  }

  lockwarden_heartbeat beat_;
};

// Another deadline for a while; scopes nest, and each restores the one around it.
class HeartbeatScope {
 public:
  template <class Rep, class Period>
  HeartbeatScope(Heartbeat& heartbeat, const std::chrono::duration<Rep, Period>& deadline)
      : heartbeat_(heartbeat), before_(heartbeat.set_deadline(deadline)) {}
  ~HeartbeatScope() { heartbeat_.set_deadline(before_); }
  HeartbeatScope(const HeartbeatScope&) = delete;
  HeartbeatScope& operator=(const HeartbeatScope&) = delete;

 private:
  Heartbeat& heartbeat_;
  std::chrono::nanoseconds before_;
};

}  // namespace v1
}  // namespace lockwarden
