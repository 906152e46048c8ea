// JThread: a Thread that is asked to stop and joined when it goes. Behaves as std::jthread, but for
// an exception that leaves its body, as Thread has it.
//
//   lockwarden::JThread worker("worker", [&](std::stop_token stop) {
//     while (!stop.stop_requested()) Work();
//   });
//                                     // here: request_stop(), join()
//
// Its body may take a std::stop_token before the other arguments. An exception that left the body
// and that nobody has called join() for is std::terminate() when the JThread goes, or is assigned
// to.
//
// Thread safety: as Thread; what has to do with stopping may be called by any thread.
#pragma once

#include <stop_token>
#include <type_traits>
#include <utility>

#include "lockwarden/thread.h"

namespace lockwarden {
inline namespace v1 {

namespace internal {
template <class F, class... Arguments>
concept RunsWithStop = RunsWith<F, std::stop_token, Arguments...> || RunsWith<F, Arguments...>;
}  // namespace internal

class JThread {
 public:
  // No thread, and nothing to stop.
  JThread() noexcept : stop_(std::nostopstate) {}
  // As Thread's.
  template <class F, class... Arguments>
  requires(internal::RunsWithStop<F, Arguments...>) explicit JThread(const char* name, F&& f,
                                                                     Arguments&&... arguments)
      : thread_(Begin(name, stop_, std::forward<F>(f), std::forward<Arguments>(arguments)...)) {}
  template <class F, class... Arguments>
  requires(internal::RunsWithStop<F, Arguments...>) explicit JThread(F&& f,
                                                                     Arguments&&... arguments)
      : JThread(static_cast<const char*>(nullptr), std::forward<F>(f),
                std::forward<Arguments>(arguments)...) {}
  ~JThread() { StopAndJoin(); }
  JThread(JThread&&) noexcept = default;
  // What it was before is asked to stop, and joined.
  JThread& operator=(JThread&& other) noexcept {
    if (this == &other) return *this;
    StopAndJoin();
    stop_ = std::move(other.stop_);
    thread_ = std::move(other.thread_);
    return *this;
  }

  [[nodiscard]] std::stop_source get_stop_source() const noexcept { return stop_; }
  [[nodiscard]] std::stop_token get_stop_token() const noexcept { return stop_.get_token(); }
  // False: it was asked before, or there is nothing to stop.
  bool request_stop() noexcept { return stop_.request_stop(); }

  // As Thread's.
  [[nodiscard]] bool joinable() const noexcept { return thread_.joinable(); }
  void join() { thread_.join(); }
  void detach() { thread_.detach(); }
  [[nodiscard]] const char* name() const noexcept { return thread_.name(); }
  [[nodiscard]] uint32_t native_id() const noexcept { return thread_.native_id(); }
  using native_handle_type = Thread::native_handle_type;
  [[nodiscard]] native_handle_type native_handle() const noexcept {
    return thread_.native_handle();
  }
  // For Future::expect_from.
  [[nodiscard]] const Thread& thread() const noexcept { return thread_; }

 private:
  template <class F, class... Arguments>
  static Thread Begin(const char* name, const std::stop_source& stop, F&& f,
                      Arguments&&... arguments) {
    if constexpr (internal::RunsWith<F, std::stop_token, Arguments...>) {
      return Thread(name, std::forward<F>(f), stop.get_token(),
                    std::forward<Arguments>(arguments)...);
    } else {
      return Thread(name, std::forward<F>(f), std::forward<Arguments>(arguments)...);
    }
  }
  void StopAndJoin() noexcept {
    if (!thread_.joinable()) return;
    stop_.request_stop();
    thread_.join();
  }

  std::stop_source stop_;
  Thread thread_;
};

}  // namespace v1
}  // namespace lockwarden
