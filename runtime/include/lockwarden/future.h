// Promise, Future, SharedFuture: one value, or one exception, from a thread to others. Behave as
// std::promise, std::future and std::shared_future, and throw std::future_error as they do.
//
//   lockwarden::Promise<int> promise("answer");
//   lockwarden::Future<int> answer = promise.get_future();
//   lockwarden::Thread worker("worker", [promise = std::move(promise)]() mutable {
//     promise.set_value(42);
//   });
//   answer.expect_from(worker);        // so that the wait is known to be for that thread
//   answer.get();
//
//   lockwarden::Future<int> other = lockwarden::async("other", [] { return 42; });
//   lockwarden::SharedFuture<int> all = other.share();     // copy it: each may get() it
//
// Who will keep a promise cannot be seen: a wait for it is a wait for anybody, unless the program
// says so by expect_from(). async() says it itself.
//
// Thread safety: as std's. A promise may be set by one thread while another waits for its future;
// one Promise or Future object is used by one thread at a time. What was done before a promise was
// set is seen after get() and wait().
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <future>  // std::future_error, std::future_status
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "lockwarden/deadline.h"
#include "lockwarden/lock.h"
#include "lockwarden/thread.h"

namespace lockwarden {
inline namespace v1 {
namespace internal {

// What a promise and its future share, whatever it is that is promised.
class FutureState {
 public:
  explicit FutureState(const char* name) noexcept { state_.name = name; }
  virtual ~FutureState();
  FutureState(const FutureState&) = delete;
  FutureState& operator=(const FutureState&) = delete;

  // One of those who want to set it may; the others get promise_already_satisfied.
  void Claim();
  void Unclaim() noexcept;  // it could not be set after all
  void Publish() noexcept;  // it is set
  void SetError(std::exception_ptr error);
  // Gives up a promise that was not kept.
  void Break();
  [[nodiscard]] bool ready() const noexcept;
  // False: the time is up. `thread`: RecordOf whom it is expected from, or 0.
  bool Wait(Deadline deadline, uint64_t thread);
  void ThrowIfFailed() const {
    if (error_ != nullptr) std::rethrow_exception(error_);
  }
  void Retrieve();  // once

 private:
  LockState state_;  // the word is not a lock's: see future.cc
  bool retrieved_ = false;
  std::exception_ptr error_;
};

template <class T>
class FutureValue final : public FutureState {
 public:
  using FutureState::FutureState;
  template <class Value>
  void Set(Value&& value) {
    value_.emplace(std::forward<Value>(value));
  }
  T Take() { return std::move(*value_); }
  const T& Look() const noexcept { return *value_; }

 private:
  std::optional<T> value_;
};
template <class T>
class FutureValue<T&> final : public FutureState {
 public:
  using FutureState::FutureState;
  void Set(T& value) noexcept { value_ = std::addressof(value); }
  T& Take() noexcept { return *value_; }
  T& Look() const noexcept { return *value_; }

 private:
  T* value_ = nullptr;
};
template <>
class FutureValue<void> final : public FutureState {
 public:
  using FutureState::FutureState;
  void Take() noexcept {}
  void Look() const noexcept {}
};

[[noreturn]] void ThrowNoState();

// Calls body(argument); what it throws is what the future throws.
void RunAndKeepError(FutureState& state, void (*body)(void*), void* argument);

// What Future and SharedFuture have in common.
template <class T>
class FutureBase {
 public:
  constexpr FutureBase() noexcept = default;

  // Whether there is something to wait for: not when it was moved from, nor after Future::get().
  // The members below, and get(), throw std::future_error (no_state) if not.
  [[nodiscard]] bool valid() const noexcept { return state_ != nullptr; }
  void wait() const { State().Wait(Deadline(), expected_); }
  template <class Rep, class Period>
  std::future_status wait_for(const std::chrono::duration<Rep, Period>& duration) const {
    return Status(State().Wait(FromNow(duration), expected_));
  }
  template <class Clock, class Duration>
  std::future_status wait_until(const std::chrono::time_point<Clock, Duration>& time) const {
    return Status(
        Until(time, [this](Deadline deadline) { return State().Wait(deadline, expected_); }));
  }

  // The promise will be kept, or given up, by this thread and no other: a wait for it is from now
  // on a wait for that thread, and may be part of a deadlock. It must be true.
  void expect_from(const Thread& thread) { expected_ = RecordOf(thread); }

 protected:
  explicit FutureBase(std::shared_ptr<FutureValue<T>> state) : state_(std::move(state)) {}
  static std::future_status Status(bool in_time) {
    return in_time ? std::future_status::ready : std::future_status::timeout;
  }
  FutureValue<T>& State() const {
    if (state_ == nullptr) ThrowNoState();
    return *state_;
  }

  std::shared_ptr<FutureValue<T>> state_;
  uint64_t expected_ = 0;
};

}  // namespace internal

template <class T>
class SharedFuture;

template <class T>
class Future : public internal::FutureBase<T> {
 public:
  constexpr Future() noexcept = default;
  Future(Future&&) noexcept = default;
  Future& operator=(Future&&) noexcept = default;

  // Once: waits, and returns or throws what the promise was given; std::future_error
  // (broken_promise) if that went without.
  T get() {
    this->wait();
    const std::shared_ptr<internal::FutureValue<T>> state = std::move(this->state_);
    state->ThrowIfFailed();
    return state->Take();
  }
  // What several threads may wait for, and get; nothing is left here.
  [[nodiscard]] SharedFuture<T> share() noexcept { return SharedFuture<T>(std::move(*this)); }

 private:
  template <class U>
  friend class Promise;
  explicit Future(std::shared_ptr<internal::FutureValue<T>> state)
      : internal::FutureBase<T>(std::move(state)) {}
};

// Copies share one state. Each thread uses a copy of its own.
template <class T>
class SharedFuture : public internal::FutureBase<T> {
 public:
  constexpr SharedFuture() noexcept = default;
  SharedFuture(Future<T>&& future) noexcept  // NOLINT: as std::shared_future
      : internal::FutureBase<T>(std::move(future)) {}

  // Waits, and returns a reference to the value, which lives as long as a copy of this, or throws
  // what the promise was given; as often as wanted.
  decltype(auto) get() const {
    this->wait();
    this->state_->ThrowIfFailed();
    return std::as_const(*this->state_).Look();
  }
};

template <class T>
class Promise {
 public:
  Promise() : Promise(nullptr) {}
  // `name` as for Lock.
  explicit Promise(const char* name) : state_(std::make_shared<internal::FutureValue<T>>(name)) {}
  ~Promise() { GiveUp(); }
  Promise(Promise&&) noexcept = default;
  Promise& operator=(Promise&& other) noexcept {
    GiveUp();
    state_ = std::move(other.state_);
    return *this;
  }

  // Once; then std::future_error (future_already_retrieved).
  [[nodiscard]] Future<T> get_future() {
    State().Retrieve();
    return Future<T>(state_);
  }
  // One of the two, once; then std::future_error (promise_already_satisfied). If the value cannot be
  // moved or copied, nothing was set.
  template <class Value = T>
  requires(!std::is_void_v<T>)
  void set_value(Value&& value) {
    internal::FutureValue<T>& state = State();
    state.Claim();
    try {
      state.Set(std::forward<Value>(value));
    } catch (...) {
      state.Unclaim();
      throw;
    }
    state.Publish();
  }
  void set_value() requires(std::is_void_v<T>) {
    State().Claim();
    State().Publish();
  }
  void set_exception(std::exception_ptr error) { State().SetError(std::move(error)); }

 private:
  internal::FutureValue<T>& State() const {
    if (state_ == nullptr) internal::ThrowNoState();
    return *state_;
  }
  void GiveUp() noexcept {
    if (state_ != nullptr) state_->Break();
  }
  template <class F, class... Arguments>
  friend auto async(const char* name, F&& f, Arguments&&... arguments);

  std::shared_ptr<internal::FutureValue<T>> state_;
};

// Runs it in a thread of that name, which is on its own from then on: unlike that of std::async, the
// future waits for nothing when it goes. Throws std::system_error if there can be no thread.
template <class F, class... Arguments>
auto async(const char* name, F&& f, Arguments&&... arguments) {
  using T = std::invoke_result_t<std::decay_t<F>, std::decay_t<Arguments>...>;
  Promise<T> promise(name);
  Future<T> future = promise.get_future();
  Thread thread(
      name,
      [promise = std::move(promise)](std::decay_t<F>&& body,
                                     std::decay_t<Arguments>&&... with) mutable {
        const auto set = [&] {
          if constexpr (std::is_void_v<T>) {
            std::invoke(std::move(body), std::move(with)...);
            promise.set_value();
          } else {
            promise.set_value(std::invoke(std::move(body), std::move(with)...));
          }
        };
        internal::RunAndKeepError(
            *promise.state_, [](void* call) { (*static_cast<decltype(set)*>(call))(); },
            const_cast<void*>(static_cast<const void*>(&set)));
      },
      std::forward<F>(f), std::forward<Arguments>(arguments)...);
  future.expect_from(thread);
  thread.detach();
  return future;
}

}  // namespace v1
}  // namespace lockwarden
