// Thread: a thread with a name. Behaves as std::thread, but for an exception that leaves its body:
// join() throws it again, so that it is not lost and the process goes on.
//
//   lockwarden::Thread worker("worker", [&] { Work(); });
//   worker.join();                       // throws what Work() threw
//
// A join is in the wait-for graph with the joined thread, also in a process without the preload.
//
// Thread safety: as std::thread. One thread at a time uses a Thread object; name() and native_id()
// may be called beside each other.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

namespace lockwarden {
inline namespace v1 {

class Thread;

namespace internal {

// One thread: what its Thread and the running thread itself share.
class ThreadState;

// What a thread runs, once.
class ThreadBody {
 public:
  virtual ~ThreadBody() = default;
  virtual void Run() = 0;
};

template <class... Parts>
class BodyOf final : public ThreadBody {
 public:
  template <class... From>
  explicit BodyOf(From&&... from) : parts_(std::forward<From>(from)...) {}
  void Run() override {
    std::apply([](Parts&... parts) { std::invoke(std::move(parts)...); }, parts_);
  }

 private:
  std::tuple<Parts...> parts_;
};

template <class F, class... Arguments>
concept RunsWith = std::is_invocable_v<std::decay_t<F>, std::decay_t<Arguments>...>;

// Who is waited for, as the wait-for graph names it; 0: that is not recorded.
uint64_t RecordOf(const Thread& thread) noexcept;

}  // namespace internal

class Thread {
 public:
  // No thread: not joinable.
  constexpr Thread() noexcept = default;
  // Begins at once, in a thread of its own, with copies of the arguments. `name` is copied; reports
  // show 15 bytes of it, as the kernel does. Throws std::system_error if there can be no thread.
  template <class F, class... Arguments>
  requires(internal::RunsWith<F, Arguments...>)
  explicit Thread(const char* name, F&& f, Arguments&&... arguments) {
    Begin(name, std::make_unique<internal::BodyOf<std::decay_t<F>, std::decay_t<Arguments>...>>(
                    std::forward<F>(f), std::forward<Arguments>(arguments)...));
  }
  template <class F, class... Arguments>
  requires(internal::RunsWith<F, Arguments...>)
  explicit Thread(F&& f, Arguments&&... arguments)
      : Thread(static_cast<const char*>(nullptr), std::forward<F>(f),
               std::forward<Arguments>(arguments)...) {}
  // std::terminate() if it is joinable, as with std::thread; so does the assignment.
  ~Thread();
  Thread(Thread&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  Thread& operator=(Thread&& other) noexcept;

  [[nodiscard]] bool joinable() const noexcept { return state_ != nullptr; }
  // Waits until it has ended, and throws what its body threw. Errors, as std::system_error:
  // invalid_argument (it is not joinable), resource_deadlock_would_occur (by itself, or two threads
  // by each other).
  void join();
  // Lets it run on its own. An exception that leaves its body from now on is std::terminate(); one
  // that has left it is thrown here. Errors: invalid_argument.
  void detach();

  // As given, or "".
  [[nodiscard]] const char* name() const noexcept;
  // The kernel's id of it, as in reports; 0 until it has begun, and of no thread.
  [[nodiscard]] uint32_t native_id() const noexcept;
  // Its pthread_t; 0 of no thread.
  using native_handle_type = unsigned long;
  [[nodiscard]] native_handle_type native_handle() const noexcept;

 private:
  friend uint64_t internal::RecordOf(const Thread& thread) noexcept;
  void Begin(const char* name, std::unique_ptr<internal::ThreadBody> body);

  internal::ThreadState* state_ = nullptr;
};

}  // namespace v1
}  // namespace lockwarden
