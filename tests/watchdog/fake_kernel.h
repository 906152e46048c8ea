// FakeKernelView and FakeResolver: what a test says the kernel and the symbols say.
// Not thread-safe.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "watchdog/judge.h"

namespace lockwarden {

class FakeKernelView : public KernelView {
 public:
  KernelThread Thread(uint32_t tid) override {
    ++thread_reads;
    const auto found = threads.find(tid);
    return found == threads.end() ? KernelThread() : found->second;
  }
  std::optional<std::vector<uint32_t>> Tids() override {
    ++tid_reads;
    std::vector<uint32_t> tids;
    for (const auto& [tid, thread] : threads) tids.push_back(tid);
    if (after_listing) after_listing();
    return tids;
  }
  // What it does between two looks: each read is one such while further on.
  std::optional<ThreadSchedule> Schedule(uint32_t tid) override {
    const auto found = schedules.find(tid);
    if (found == schedules.end()) return std::nullopt;
    ++schedule_reads;
    return ThreadSchedule{found->second.run_ns * schedule_reads,
                          found->second.delay_ns * schedule_reads};
  }
  std::optional<uint64_t> ThrottledUs() override { return throttled_us += throttled_us_a_read; }
  std::optional<uint64_t> CaughtSignals() override { return caught_signals; }
  std::optional<uint64_t> TimerSignals() override { return timer_signals; }
  bool MemoryIsShared() override { return memory_shared; }
  bool IsPrivate(uint64_t) override { return memory_private; }
  bool ReadMemory(uint64_t address, void* out, size_t size) override {
    if (!memory_readable) return false;
    for (size_t i = 0; i < size; ++i) {
      const auto found = memory.find(address + i);
      if (found == memory.end()) return false;
      static_cast<uint8_t*>(out)[i] = found->second;
    }
    return true;
  }

  std::vector<SharedMapping> SharedMappings() override { return shared; }
  bool NobodyHas(uint32_t tid) override { return ended.contains(tid); }

  void SetWord(uint64_t address, uint32_t value) {
    for (int i = 0; i < 4; ++i) memory[address + i] = static_cast<uint8_t>(value >> (8 * i));
  }
  void Clear(uint64_t address, size_t size) {
    for (size_t i = 0; i < size; ++i) memory[address + i] = 0;
  }
  // Running, as every thread does until a test says otherwise.
  void AddThread(uint32_t tid) {
    KernelThread& thread = threads[tid];
    thread.exists = true;
    thread.state = 'R';
    thread.syscall = -1;
    thread.context_switches = 10;
    thread.comm = "comm-" + std::to_string(tid);
  }
  void SleepOn(uint32_t tid, uint64_t word, bool timed = false, uint64_t value = 2,
               bool is_private = true) {
    KernelThread& thread = threads[tid];
    thread.state = 'S';
    thread.syscall = SYS_futex;
    thread.stack_pointer = 0x7ffd00000000;
    thread.syscall_args[0] = word;
    thread.syscall_args[1] = FUTEX_WAIT_BITSET | (is_private ? FUTEX_PRIVATE_FLAG : 0);
    thread.syscall_args[2] = value;
    thread.syscall_args[3] = timed ? 0x7ffd00001000 : 0;
    thread.context_switches = *thread.context_switches + 1;
  }
  void Run(uint32_t tid) {
    threads[tid].state = 'R';
    threads[tid].syscall = -1;
  }

  std::map<uint32_t, KernelThread> threads;
  std::map<uint32_t, ThreadSchedule> schedules;  // between two reads
  uint64_t schedule_reads = 0, throttled_us = 0, throttled_us_a_read = 0;
  std::map<uint64_t, uint8_t> memory;
  bool memory_readable = true, memory_shared = false, memory_private = false;
  std::vector<SharedMapping> shared;
  std::set<uint32_t> ended;
  std::optional<uint64_t> caught_signals = 0;
  std::optional<uint64_t> timer_signals = 0;
  std::function<void()> after_listing;  // what happens once the threads have been listed
  int thread_reads = 0, tid_reads = 0;
};

// pc 0x4012 is "f4012 at file.cc:18".
class FakeResolver : public StackResolver {
 public:
  StackTrace Resolve(const std::vector<uint64_t>& pcs) override {
    StackTrace stack;
    for (uint64_t pc : pcs) {
      StackFrame frame;
      frame.pc = pc;
      char name[32];
      std::snprintf(name, sizeof(name), "f%llx", static_cast<unsigned long long>(pc));
      const auto named = names.find(pc);
      frame.function = named != names.end() ? named->second : name;
      frame.file = "/src/file.cc";
      frame.line = static_cast<int>(pc & 0xff);
      frame.module = "/usr/bin/program";
      stack.push_back(frame);
    }
    return stack;
  }

  std::map<uint64_t, std::string> names;  // of functions that are called otherwise
};

}  // namespace lockwarden
