// A thread's state lives as long as its Thread or the thread itself needs it.
//
//   A1 error, then outcome running -> failed  CAS acq_rel  by the thread, as it ends
//   A2 outcome running -> detached            CAS acq_rel  by detach(); whoever is second sees
//                                                          what the first has done
//   A3 references                             fetch_sub acq_rel  the last one deletes
#include "lockwarden/thread.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <pthread.h>

#include <cerrno>
#include <cstring>
#include <exception>

#include "runtime/own_type.h"
#include "runtime/thread_api.h"

namespace lockwarden {
inline namespace v1 {
namespace internal {
namespace {

enum Outcome : uint32_t { kRunning, kDetached, kFailed };

}  // namespace

class ThreadState {
 public:
  ThreadState(const char* name, std::unique_ptr<ThreadBody> body) : body_(std::move(body)) {
    if (name != nullptr) std::strncpy(name_, name, sizeof(name_) - 1);
  }

  void Release() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;  // A3
  }

  // In the new thread; the body goes with it, whichever way it ends.
  void Run() {
    const std::unique_ptr<ThreadBody> body = std::move(body_);
    // Relaxed: a number for people.
    native_id_.store(ledger::ThisSelf().tid, std::memory_order_relaxed);
    body->Run();
  }

  // In the new thread: its body threw.
  void Fail(std::exception_ptr error) noexcept {
    error_ = std::move(error);
    uint32_t seen = kRunning;
    if (outcome_.compare_exchange_strong(seen, kFailed, std::memory_order_acq_rel)) return;  // A1
    std::rethrow_exception(std::move(error_));  // nobody would see it: this terminates
  }

  void ThrowIfFailed() {
    if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
  }
  // False: it has failed.
  bool Detach() {
    uint32_t seen = kRunning;
    return outcome_.compare_exchange_strong(seen, kDetached, std::memory_order_acq_rel);  // A2
  }

  unsigned long thread = 0;         // pthread_t; written by who creates it
  ledger::PackedRef record = 0;     // the same
  const char* name() const { return name_; }
  uint32_t native_id() const {
    return native_id_.load(std::memory_order_relaxed);  // a number for people
  }

 private:
  ~ThreadState() = default;

  std::atomic<uint32_t> references_{2};
  std::atomic<uint32_t> outcome_{kRunning};
  std::atomic<uint32_t> native_id_{0};
  char name_[48] = {};
  std::unique_ptr<ThreadBody> body_;
  std::exception_ptr error_;  // by the thread until A1; then by who joins or detaches
};

namespace {

struct Reference {
  explicit Reference(ThreadState* state) : state_(state) {}
  ~Reference() { state_->Release(); }
  Reference(const Reference&) = delete;
  Reference& operator=(const Reference&) = delete;
  ThreadState* operator->() const { return state_; }

 private:
  ThreadState* state_;
};

// Null: the recorder in charge has none of our version.
const ledger::ThreadApi* Threads() {
  if constexpr (ledger::kInstrumented) {
    using Function = const ledger::ThreadApi* (*)();
    static const ledger::ThreadApi* const api = [] {
      const auto found = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, "lockwarden_thread_v1"));
      const ledger::ThreadApi* table = found != nullptr ? found() : lockwarden_thread_v1();
      return table->version == ledger::ThreadApi::kVersion ? table : nullptr;
    }();
    return api;
  }
  return nullptr;
}

// As in order_policy.cc: dlsym takes the loader's lock.
__attribute__((constructor(101))) void LookForTheRecorder() { Threads(); }

void* RunThread(void* argument) {
  const Reference state(static_cast<ThreadState*>(argument));
  if (state->name()[0] != '\0') {
    char name[16] = {};  // as much as the kernel takes
    std::memcpy(name, state->name(), sizeof(name) - 1);
    Threads() != nullptr ? Threads()->name(name)
                         : static_cast<void>(pthread_setname_np(pthread_self(), name));
  }
  try {
    state->Run();
  } catch (const abi::__forced_unwind&) {
    throw;  // pthread_exit, or a cancellation
  } catch (...) {
    state->Fail(std::current_exception());
  }
  return nullptr;
}

int Create(ThreadState* state, uint64_t cfa) {
  if (Threads() == nullptr) return pthread_create(&state->thread, nullptr, RunThread, state);
  return Threads()->create(&state->thread, RunThread, state, cfa, &state->record);
}

}  // namespace

uint64_t RecordOf(const Thread& thread) noexcept {
  return thread.state_ == nullptr ? 0 : thread.state_->record;
}

}  // namespace internal

using internal::ThreadState;

Thread::~Thread() {
  if (joinable()) std::terminate();
}

Thread& Thread::operator=(Thread&& other) noexcept {
  if (joinable()) std::terminate();
  state_ = std::exchange(other.state_, nullptr);
  return *this;
}

void Thread::Begin(const char* name, std::unique_ptr<internal::ThreadBody> body) {
  ThreadState* const state = new ThreadState(name, std::move(body));
  if (const int rc = internal::Create(state, LOCKWARDEN_CFA); rc != 0) {
    state->Release();
    state->Release();
    internal::Throw(static_cast<std::errc>(rc), "lockwarden::Thread cannot begin");
  }
  state_ = state;
}

void Thread::join() {
  if (!joinable()) {
    internal::Throw(std::errc::invalid_argument, "lockwarden::Thread joined, but there is none");
  }
  const ledger::ThreadApi* const api = internal::Threads();
  int rc = EDEADLK;  // as libc has it; ThreadSanitizer cannot be asked
  if (pthread_equal(state_->thread, pthread_self()) == 0) {
    rc = api == nullptr
             ? pthread_join(state_->thread, nullptr)
             : api->join(state_->thread, state_->record, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
  }
  if (rc != 0) internal::Throw(static_cast<std::errc>(rc), "lockwarden::Thread cannot be joined");
  const internal::Reference state(std::exchange(state_, nullptr));
  state->ThrowIfFailed();
}

void Thread::detach() {
  if (!joinable()) {
    internal::Throw(std::errc::invalid_argument, "lockwarden::Thread detached, but there is none");
  }
  const internal::Reference state(std::exchange(state_, nullptr));
  pthread_detach(state->thread);
  if (!state->Detach()) state->ThrowIfFailed();
}

const char* Thread::name() const noexcept { return joinable() ? state_->name() : ""; }
uint32_t Thread::native_id() const noexcept { return joinable() ? state_->native_id() : 0; }
Thread::native_handle_type Thread::native_handle() const noexcept {
  return joinable() ? state_->thread : 0;
}

}  // namespace v1
}  // namespace lockwarden
