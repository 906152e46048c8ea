// How each of them hangs. What libc locks for itself no recorder sees: there a heartbeat tells.
#include "watchdog/selftest/scenes.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <sys/random.h>
#include <unistd.h>

#include <atomic>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>

#include "runtime/include/lockwarden/annotate.h"

namespace lockwarden {
namespace {

constexpr unsigned long long kDeadlineNs = 500'000'000;

void SayStuck() { [[maybe_unused]] const ssize_t said = write(STDOUT_FILENO, "stuck\n", 6); }

// Two threads meet here, so that each has its first lock before it asks for its second.
pthread_barrier_t both;

// Two threads take two locks crosswise. Does not return.
template <class Take>
void Cross(Take take) {
  pthread_barrier_init(&both, nullptr, 2);
  std::thread other([take] { take(0, 1); });
  take(1, 0);
}

void Mutexes() {
  static std::mutex locks[2];
  Cross([](int first, int second) {
    locks[first].lock();
    pthread_barrier_wait(&both);
    SayStuck();
    locks[second].lock();
  });
}

void SignalsBlocked() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  Mutexes();
}

void StaticInitialisers() {
  pthread_barrier_init(&both, nullptr, 2);
  static std::atomic<int> sum{0};
  struct Cycle {
    static int A() {
      static const int value = (pthread_barrier_wait(&both), SayStuck(), B());
      return value;
    }
    static int B() {
      static const int value = (pthread_barrier_wait(&both), SayStuck(), A());
      return value;
    }
  };
  std::thread other([] { sum += Cycle::B(); });
  sum += Cycle::A();
}

// flockfile's locks are libc's own.
void Stdio() {
  static FILE* const files[2] = {std::tmpfile(), std::tmpfile()};
  if (files[0] == nullptr || files[1] == nullptr) return;
  Cross([](int first, int second) {
    lockwarden_heartbeat heartbeat = LOCKWARDEN_HEARTBEAT("stdio", kDeadlineNs);
    lockwarden_beat(&heartbeat);
    flockfile(files[first]);
    pthread_barrier_wait(&both);
    SayStuck();
    flockfile(files[second]);
  });
}

// The loader's lock is held over the callback, which waits for a thread that wants it.
void Loader() {
  lockwarden_heartbeat heartbeat = LOCKWARDEN_HEARTBEAT("loader", kDeadlineNs);
  lockwarden_beat(&heartbeat);
  dl_iterate_phdr(
      [](dl_phdr_info*, size_t, void*) {
        SayStuck();
        std::thread([] {
          dl_iterate_phdr([](dl_phdr_info*, size_t, void*) { return 1; }, nullptr);
        }).join();
        return 1;
      },
      nullptr);
}

// Too large for the thread's cache, too small for a mapping: through the arena and its lock.
void* volatile block;
void Allocate() {
  constexpr size_t kBytes = 20'000;
  block = std::malloc(kBytes);
  std::free(block);
}

void Malloc() {
  static lockwarden_heartbeat heartbeat = LOCKWARDEN_HEARTBEAT("malloc", kDeadlineNs);
  struct sigaction action {};
  action.sa_handler = [](int) { Allocate(); };
  sigaction(SIGUSR1, &action, nullptr);
  std::atomic<uint64_t> rounds{0};
  std::thread allocating([&rounds] {
    for (;;) {
      lockwarden_beat(&heartbeat);
      Allocate();
      rounds.fetch_add(1);
    }
  });
  // Until a signal has come in the middle of it: no round any more, for longer than a thread waits
  // for a processor.
  constexpr int kStill = 50;
  uint64_t before = 0;
  for (int still = 0; still < kStill; ++still) {
    for (int i = 0; i < 100; ++i) pthread_kill(allocating.native_handle(), SIGUSR1);
    usleep(10'000);
    const uint64_t now = rounds.load();
    if (now != before) still = 0;
    before = now;
  }
  SayStuck();
  allocating.join();
}

void Stopped() {
  static lockwarden_heartbeat heartbeat = LOCKWARDEN_HEARTBEAT("stopped", kDeadlineNs);
  lockwarden_beat(&heartbeat);
  SayStuck();
  std::raise(SIGSTOP);
  for (;;) pause();
}

// Random bytes all over what is used of the ledger, again and again, while two threads hang.
void Corrupted() {
  uint64_t begin = 0, end = 0;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("/memfd:lockwarden-ledger") != line.npos &&
        std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64, &begin, &end) == 2) {
      break;
    }
  }
  std::thread([begin, end] {
    uint64_t random[512] = {};
    constexpr uint64_t kNear = 1u << 20;  // most of what is used lies at the beginning
    while (end > begin + kNear) {
      if (getrandom(random, sizeof random, 0) != sizeof random) continue;
      for (uint64_t number : random) {
        const uint64_t offset = number % kNear / sizeof(uint64_t) * sizeof(uint64_t);
        *reinterpret_cast<volatile uint64_t*>(begin + offset) = number;
      }
    }
  }).detach();
  SayStuck();
  for (;;) pause();
}

using Surroundings = HangScene::Surroundings;
constexpr HangScene kScenes[] = {
    {"mutexes", "two mutexes, taken crosswise", "deadlock", "", Surroundings::kOrdinary, Mutexes},
    {"signals", "the same, with all signals blocked", "deadlock", "", Surroundings::kOrdinary,
     SignalsBlocked},
    {"statics", "two static initialisers that need each other", "deadlock", "",
     Surroundings::kOrdinary, StaticInitialisers},
    {"malloc", "malloc, called again by a signal handler", "stall", "", Surroundings::kOrdinary,
     Malloc},
    {"loader", "the loader's lock", "stall", "", Surroundings::kOrdinary, Loader},
    {"stdio", "two FILEs, locked crosswise", "stall", "", Surroundings::kOrdinary, Stdio},
    {"stopped", "nothing: the process is stopped", "",
     "its time stands still, so no heartbeat is overdue", Surroundings::kOrdinary, Stopped},
    {"disk", "two mutexes, and the disk is full", "deadlock", "no incident could be written",
     Surroundings::kFullDisk, Mutexes},
    {"scrapers", "two mutexes, and clients that never finish their requests", "deadlock", "",
     Surroundings::kSilentScrapers, Mutexes},
    {"corrupted", "nothing: random bytes over the ledger", "", "what it says cannot be believed",
     Surroundings::kOrdinary, Corrupted},
};

}  // namespace

absl::Span<const HangScene> Scenes() { return kScenes; }

void Play(const HangScene& scene) {
  // The command blocks what a supervisor listens for.
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
  scene.hang();
  for (;;) pause();
}

}  // namespace lockwarden
