// Libraries come and go, each time in a way of its own; the way is the argument.
//
//   inverted    threads run code of a library in inverted lock order; then the process dies
//   reused      the same orders, but by two libraries that lay at one address, one after the
//               other: prints whether they did
//   caller      a library that only this program's own RUNPATH leads to
//   storm       some threads load and unload, some list what is loaded, some unwind, some throw
//   listing     one thread stands in a callback of dl_iterate_phdr until others have taken
//               locks from places that nobody knew before
#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

struct Plugin {
  void* handle;
  void* (*forth)(void*);
  void* (*back)(void*);
  const void* lock;
};

Plugin Load(const char* name) {
  void* handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    std::puts("not found");
    std::exit(1);
  }
  return {handle, reinterpret_cast<void* (*)(void*)>(dlsym(handle, "PluginForth")),
          reinterpret_cast<void* (*)(void*)>(dlsym(handle, "PluginBack")),
          dlsym(handle, "plugin_first")};
}

void Run(void* (*routine)(void*)) {
  std::thread([=] { routine(nullptr); }).join();
}

// Runs the routine to its end in a thread that goes on living, so that no join orders it before
// what others do.
class Lingering {
 public:
  explicit Lingering(void* (*routine)(void*))
      : thread_([this, routine] {
          routine(nullptr);
          sem_post(&done_);
          sem_wait(&leave_);
        }) {
    sem_wait(&done_);
  }
  ~Lingering() {
    sem_post(&leave_);
    thread_.join();
  }

 private:
  sem_t done_{}, leave_{};  // all zeros: no units
  std::thread thread_;
};

void Inverted() {
  const Plugin plugin = Load("libend_to_end_plugin.so");
  const Lingering forth(plugin.forth), back(plugin.back);
  kill(getpid(), SIGKILL);
}

void Reused() {
  const Plugin one = Load("libend_to_end_plugin.so");
  const Lingering forth(one.forth);
  dlclose(one.handle);
  const Plugin two = Load("libend_to_end_twin.so");
  const Lingering back(two.back);
  std::puts(one.lock == two.lock ? "same address" : "other address");
}

void Caller() {
  const Plugin plugin = Load("libend_to_end_plugin.so");
  Run(plugin.forth);
  std::puts(dlmopen(LM_ID_NEWLM, "libend_to_end_plugin.so", RTLD_NOW) == nullptr ? "dlmopen: no"
                                                                                : "dlmopen: yes");
  std::puts(dlopen("libno_such_library.so", RTLD_NOW) == nullptr ? "none: no" : "none: yes");
}

constexpr int kRounds = 300;
int Count(dl_phdr_info*, size_t, void* count) {
  ++*static_cast<int*>(count);
  return 0;
}
__attribute__((noinline)) void Throw(std::mutex* mutex, int depth) {
  const std::lock_guard<std::mutex> lock(*mutex);
  if (depth == 0) throw std::runtime_error("unwind me");
}

void Storm() {
  std::atomic<int> caught{0}, unwound{0}, listed{0}, loaded{0};
  std::vector<std::thread> threads;
  const char* names[] = {"libend_to_end_plugin.so", "libend_to_end_twin.so"};
  for (const char* name : names) {
    threads.emplace_back([&, name] {
      for (int i = 0; i < kRounds; ++i) {
        const Plugin plugin = Load(name);
        plugin.forth(nullptr);
        dlclose(plugin.handle);
        ++loaded;
      }
    });
  }
  threads.emplace_back([&] {
    for (int i = 0; i < kRounds * 10; ++i) {
      int count = 0;
      dl_iterate_phdr(Count, &count);
      if (count > 2) ++listed;
    }
  });
  threads.emplace_back([&] {
    void* pcs[64];
    for (int i = 0; i < kRounds * 10; ++i) {
      if (backtrace(pcs, 64) > 2) ++unwound;
    }
  });
  std::mutex mutex;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        try {
          Throw(&mutex, 0);
        } catch (const std::runtime_error&) {
          ++caught;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::printf("loaded %d, listed %d, unwound %d, caught %d\n", loaded.load(), listed.load(),
              unwound.load(), caught.load());
}

std::atomic<bool> in_callback{false}, taken{false};
int StandThere(dl_phdr_info*, size_t, void*) {
  in_callback = true;
  while (!taken) std::this_thread::yield();
  return 1;
}
// Another stack at each depth, by two locks that nobody has met.
__attribute__((noinline)) int TakeAtDepth(int depth) {
  auto* one = new std::mutex;
  const int below = depth == 0 ? 0 : TakeAtDepth(depth - 1);
  one->lock();
  one->unlock();
  return below + 1;
}

void Listing() {
  std::thread lister([] { dl_iterate_phdr(StandThere, nullptr); });
  while (!in_callback) std::this_thread::yield();
  std::thread taker([] {
    pthread_setname_np(pthread_self(), "taker");
    std::printf("took %d\n", TakeAtDepth(40));
  });
  taker.join();
  taken = true;
  lister.join();
}

}  // namespace

int main(int count, char** arguments) {
  const std::string way = count > 1 ? arguments[1] : "";
  if (way == "inverted") Inverted();
  if (way == "reused") Reused();
  if (way == "caller") Caller();
  if (way == "storm") Storm();
  if (way == "listing") Listing();
}
