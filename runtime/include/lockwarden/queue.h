// Queue, LifoQueue, PriorityQueue: items from thread to thread, in one of three orders.
//
//   lockwarden::Queue<Job> jobs(64, "jobs");      // at most 64 wait; 0: any number
//   jobs.push(std::move(job));                    // false: it was closed
//   while (std::optional<Job> job = jobs.pop()) { // until closed and empty
//     Run(*job);
//     jobs.task_done();
//   }
//   jobs.join();                                  // until every item was done
//
// close() lets those that wait go: nothing more comes in, and what is in can still be taken out.
//
// Thread safety: all members may be called by any thread. It must not be destroyed while a call of
// another thread has not returned, though its item is out already: join that thread first. An
// item's moves, and the comparison of a PriorityQueue, run with the queue's lock held and must not
// use the queue. If one of them throws the queue is as before, but for the item that was moved
// from.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "lockwarden/condition.h"
#include "lockwarden/deadline.h"
#include "lockwarden/lock.h"

namespace lockwarden {
inline namespace v1 {
namespace internal {

// What is in a queue, and which item comes out next.
template <class T>
class FirstIn {
 public:
  size_t size() const { return items_.size(); }
  void Put(T&& item) { items_.push_back(std::move(item)); }
  T Take() {
    T item = std::move(items_.front());
    items_.pop_front();
    return item;
  }

 private:
  std::deque<T> items_;
};

template <class T>
class LastIn {
 public:
  size_t size() const { return items_.size(); }
  void Put(T&& item) { items_.push_back(std::move(item)); }
  T Take() {
    T item = std::move(items_.back());
    items_.pop_back();
    return item;
  }

 private:
  std::vector<T> items_;
};

// As std::priority_queue: the largest first.
template <class T, class Compare>
class Largest {
 public:
  size_t size() const { return items_.size(); }
  void Put(T&& item) {
    items_.push_back(std::move(item));
    std::push_heap(items_.begin(), items_.end(), Compare());
  }
  T Take() {
    std::pop_heap(items_.begin(), items_.end(), Compare());
    T item = std::move(items_.back());
    items_.pop_back();
    return item;
  }

 private:
  std::vector<T> items_;
};

}  // namespace internal

template <class T, class Items>
class BasicQueue {
 public:
  // `name` as for Lock.
  explicit BasicQueue(size_t capacity = 0, const char* name = nullptr)
      : capacity_(capacity),
        lock_(name),
        filled_(name, internal::WaitKind::kQueue),
        emptied_(name, internal::WaitKind::kQueue),
        done_(name, internal::WaitKind::kQueue) {}
  BasicQueue(const BasicQueue&) = delete;
  BasicQueue& operator=(const BasicQueue&) = delete;

  // Waits while it is full. False: it is closed, or the time is up, and the item was not moved.
  bool push(T&& item) { return Push(std::move(item), internal::Deadline()); }
  bool push(const T& item) { return push(T(item)); }
  [[nodiscard]] bool try_push(T&& item) { return Push(std::move(item), kNow); }
  [[nodiscard]] bool try_push(const T& item) { return try_push(T(item)); }
  template <class Rep, class Period>
  [[nodiscard]] bool try_push_for(T&& item, const std::chrono::duration<Rep, Period>& duration) {
    return Push(std::move(item), internal::FromNow(duration));
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool try_push_until(T&& item,
                                    const std::chrono::time_point<Clock, Duration>& time) {
    return internal::Until(time, [&](internal::Deadline deadline) {
      return Push(std::move(item), deadline);
    });
  }

  // Waits while it is empty. Nothing: it is closed and empty, or the time is up.
  std::optional<T> pop() { return Pop(internal::Deadline()); }
  [[nodiscard]] std::optional<T> try_pop() { return Pop(kNow); }
  template <class Rep, class Period>
  [[nodiscard]] std::optional<T> try_pop_for(const std::chrono::duration<Rep, Period>& duration) {
    return Pop(internal::FromNow(duration));
  }
  template <class Clock, class Duration>
  [[nodiscard]] std::optional<T> try_pop_until(
      const std::chrono::time_point<Clock, Duration>& time) {
    std::optional<T> item;
    internal::Until(time, [&](internal::Deadline deadline) {
      item = Pop(deadline);
      return item.has_value() || closed();
    });
    return item;
  }

  void close() {
    {
      const std::lock_guard hold(lock_);
      closed_ = true;
    }
    filled_.notify_all();
    emptied_.notify_all();
  }

  // One item that was taken out is done with. More than were put in: std::system_error with
  // operation_not_permitted.
  void task_done() {
    const std::lock_guard hold(lock_);
    counts_tasks_ = true;
    if (undone_ == 0) {
      throw std::system_error(std::make_error_code(std::errc::operation_not_permitted),
                              "more tasks done than a lockwarden queue was given");
    }
    if (--undone_ == 0) done_.notify_all();
  }
  // Until task_done() was called for every item that was put in. False: the time is up.
  void join() {
    std::unique_lock hold(lock_);
    counts_tasks_ = true;
    done_.wait(hold, [this] { return undone_ == 0; });
  }
  template <class Rep, class Period>
  [[nodiscard]] bool join_for(const std::chrono::duration<Rep, Period>& duration) {
    std::unique_lock hold(lock_);
    counts_tasks_ = true;
    return done_.wait_for(hold, duration, [this] { return undone_ == 0; });
  }

  [[nodiscard]] bool closed() const {
    const std::lock_guard hold(lock_);
    return closed_;
  }
  [[nodiscard]] size_t size() const {
    const std::lock_guard hold(lock_);
    return items_.size();
  }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] uint64_t id() { return lock_.id(); }  // as for Lock
  [[nodiscard]] const char* name() const noexcept { return lock_.name(); }

 private:
  static constexpr internal::Deadline kNow{0, false};

  bool Full() const { return capacity_ != 0 && items_.size() >= capacity_; }

  // False: the time is up.
  template <class Ready>
  bool WaitFor(Condition& condition, std::unique_lock<Lock>& hold, internal::Deadline deadline,
               Ready ready) {
    while (!ready()) {
      if (deadline.ns == 0) return false;
      if (!condition.WaitUntil(hold, deadline)) return ready();
    }
    return true;
  }

  bool Push(T&& item, internal::Deadline deadline) {
    std::unique_lock hold(lock_);
    if (!WaitFor(emptied_, hold, deadline, [this] { return closed_ || !Full(); }) || closed_) {
      return false;
    }
    items_.Put(std::move(item));
    ++undone_;
    hold.unlock();
    filled_.notify_one();
    return true;
  }

  std::optional<T> Pop(internal::Deadline deadline) {
    std::unique_lock hold(lock_);
    if (!WaitFor(filled_, hold, deadline, [this] { return closed_ || items_.size() != 0; }) ||
        items_.size() == 0) {
      return std::nullopt;
    }
    std::optional<T> item(items_.Take());
    if (counts_tasks_) done_.NoteHelp();  // it has that item to do
    hold.unlock();
    if (capacity_ != 0) emptied_.notify_one();
    return item;
  }

  const size_t capacity_;
  mutable Lock lock_;  // of what follows
  Condition filled_, emptied_, done_;
  Items items_;
  size_t undone_ = 0;
  bool closed_ = false;
  bool counts_tasks_ = false;  // somebody calls task_done() or join()
};

template <class T>
using Queue = BasicQueue<T, internal::FirstIn<T>>;
template <class T>
using LifoQueue = BasicQueue<T, internal::LastIn<T>>;
template <class T, class Compare = std::less<T>>
using PriorityQueue = BasicQueue<T, internal::Largest<T, Compare>>;

}  // namespace v1
}  // namespace lockwarden
