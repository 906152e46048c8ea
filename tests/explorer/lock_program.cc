// The generator writes what an ordinary program could: locks are released by who took them, and
// nothing that libc refuses is asked for (writing what one writes already, say).
#include "tests/explorer/lock_program.h"

#include <algorithm>
#include <array>

namespace lockwarden::explorer {
namespace {

class Writer {
 public:
  Writer(LockProgram* program, std::mt19937& random) : program_(program), random_(random) {}

  void Write() {
    const size_t threads = 2 + Chance(60) + Chance(30);
    for (size_t i = 0, n = 2 + Pick(3); i < n; ++i) program_->objects.push_back({RandomKind(), 0});
    for (Object& object : program_->objects) {
      if (object.kind == Kind::kSemaphore) object.units = Chance(70) ? 1 : 0;
    }
    program_->threads.resize(threads);
    if (Chance(40)) Opposite(1, threads > 2 ? 2 : 0);
    for (size_t thread = 1; thread < threads; ++thread) {
      Body(thread, program_->threads[thread].empty() ? 1 + Pick(2) : Pick(2));
    }
    // Main creates the others between its own blocks, perhaps holding something, and joins
    // some of them.
    for (size_t thread = 1; thread < threads; ++thread) {
      if (Chance(30)) Body(0, 1);
      Maybe([&] { Add(0, {Op::kCreate, How::kPlain, static_cast<uint8_t>(thread), 0}); });
      if (Chance(15)) Add(0, {Op::kJoin, How::kPlain, static_cast<uint8_t>(thread), 0});
    }
    if (Chance(50)) Body(0, 1);
    for (size_t thread = 1; thread < threads; ++thread) {
      if (Joined(thread) || Chance(30)) continue;
      Maybe([&] { Add(0, {Op::kJoin, How::kPlain, static_cast<uint8_t>(thread), 0}); });
    }
  }

 private:
  bool Chance(uint32_t percent) { return random_() % 100 < percent; }
  size_t Pick(size_t below) { return random_() % below; }
  void Add(size_t thread, Step step) { program_->threads[thread].push_back(step); }

  Kind RandomKind() {
    const size_t dice = Pick(10);
    return dice < 6   ? Kind::kMutex
           : dice < 7 ? Kind::kRwLock
           : dice < 8 ? Kind::kRwLockWriterFirst
                      : Kind::kSemaphore;
  }

  bool Joined(size_t thread) const {
    for (const Step& step : program_->threads[0]) {
      if (step.op == Op::kJoin && step.object == thread) return true;
    }
    return false;
  }

  // Now and then under a lock.
  template <class Do>
  void Maybe(Do act) {
    if (!Chance(15)) return act();
    const auto object = static_cast<uint8_t>(Pick(program_->objects.size()));
    if (program_->objects[object].kind != Kind::kMutex) return act();
    Add(0, {Op::kLock, How::kPlain, object, 0});
    act();
    Add(0, {Op::kUnlock, How::kPlain, object, 0});
  }

  // Two threads take two locks in opposite order, some of them behind a gate, which in one of
  // them may be another one or none.
  void Opposite(size_t one, size_t other) {
    const auto lock = [&] { return static_cast<uint8_t>(Pick(program_->objects.size())); };
    const uint8_t a = lock(), b = lock(), gate = lock(), other_gate = Chance(75) ? gate : lock();
    if (a == b || a == gate || b == gate || a == other_gate || b == other_gate) return;
    const bool gated = Chance(60), other_gated = gated ? Chance(85) : Chance(15);
    Nested(one, gated ? std::vector{gate, a, b} : std::vector{a, b});
    Nested(other, other_gated ? std::vector{other_gate, b, a} : std::vector{b, a});
  }

  void Nested(size_t thread, const std::vector<uint8_t>& objects) {
    std::vector<Step> releases;
    for (const uint8_t object : objects) {
      const Kind kind = program_->objects[object].kind;
      const bool semaphore = kind == Kind::kSemaphore;
      const Op op = semaphore              ? Op::kWait
                    : kind == Kind::kMutex ? Op::kLock
                    : Chance(50)           ? Op::kRead
                                           : Op::kWrite;
      Add(thread, {op, How::kPlain, object, 0});
      releases.push_back({semaphore ? Op::kPost : Op::kUnlock, How::kPlain, object, 0});
    }
    for (size_t i = releases.size(); i-- > 0;) Add(thread, releases[i]);
  }

  void Body(size_t thread, size_t blocks) {
    for (size_t i = 0; i < blocks; ++i) Block(thread, 0, {});
  }

  void Block(size_t thread, int depth, std::vector<uint8_t> held) {
    const auto object = static_cast<uint8_t>(Pick(program_->objects.size()));
    const Kind kind = program_->objects[object].kind;
    const bool again = std::find(held.begin(), held.end(), object) != held.end();
    if (kind == Kind::kSemaphore && Chance(25)) {  // an event
      Add(thread, {Chance(60) ? Op::kPost : Op::kWait, How::kPlain, object, 0});
      return;
    }
    // Relocks are rare; libc refuses to write again, or to read what it writes.
    if (again && (kind == Kind::kMutex ? !Chance(5) : !Chance(30))) return;
    Op op = kind == Kind::kMutex ? Op::kLock : kind == Kind::kSemaphore ? Op::kWait : Op::kRead;
    if (op == Op::kRead && Chance(45)) op = Op::kWrite;
    if (op == Op::kRead || op == Op::kWrite) {
      if (written_[object] != 0) return;
      if (op == Op::kRead && again && read_[object] > 1) return;
    }
    const How how = Chance(85) ? How::kPlain : Chance(60) ? How::kTry : How::kTimed;
    const size_t at = program_->threads[thread].size();
    Add(thread, {op, how, object, 0});
    (op == Op::kWrite ? written_ : read_)[object] += kind == Kind::kMutex ? 0 : 1;
    held.push_back(object);
    if (depth < 2 && Chance(depth == 0 ? 75 : 35)) Block(thread, depth + 1, held);
    // Now and then hand over hand: the inner one is released after the outer one.
    std::vector<Step>& steps = program_->threads[thread];
    const Step release{op == Op::kWait ? Op::kPost : Op::kUnlock, How::kPlain, object, 0};
    const bool inner_is_plain = steps.size() > at + 2 && steps.back().op == Op::kUnlock &&
                                steps.back().object != object && steps[at + 1].how == How::kPlain;
    if (how == How::kPlain && inner_is_plain && Chance(15)) {
      steps.insert(steps.end() - 1, release);
    } else {
      steps.push_back(release);
    }
    (op == Op::kWrite ? written_ : read_)[object] -= kind == Kind::kMutex ? 0 : 1;
    if (how != How::kPlain) steps[at].otherwise = static_cast<uint8_t>(steps.size());
  }

  LockProgram* program_;
  std::mt19937& random_;
  std::array<int, kObjects> written_{}, read_{};
};

}  // namespace

LockProgram RandomProgram(std::mt19937& random) {
  LockProgram program;
  Writer(&program, random).Write();
  return program;
}

std::string ToText(const LockProgram& program) {
  static constexpr const char* kKinds[] = {"mutex", "rwlock", "rwlock(writers first)", "semaphore"};
  static constexpr const char* kOps[] = {"lock",   "read", "write",  "wait",
                                         "unlock", "post", "create", "join"};
  static constexpr const char* kHows[] = {"", "try", "timed "};
  std::string text;
  for (size_t i = 0; i < program.objects.size(); ++i) {
    text += std::string(1, static_cast<char>('A' + i)) + ": " +
            kKinds[static_cast<int>(program.objects[i].kind)] +
            (program.objects[i].units != 0 ? " 1" : "") + "  ";
  }
  for (size_t thread = 0; thread < program.threads.size(); ++thread) {
    text += "\n  T" + std::to_string(thread) + ":";
    for (const Step& step : program.threads[thread]) {
      const bool of_thread = step.op == Op::kCreate || step.op == Op::kJoin;
      text += std::string(" ") + kHows[static_cast<int>(step.how)] +
              kOps[static_cast<int>(step.op)] + " " +
              (of_thread ? "T" + std::to_string(step.object)
                         : std::string(1, static_cast<char>('A' + step.object))) +
              (step.otherwise != 0 ? "/" + std::to_string(step.otherwise) : "") + ";";
    }
  }
  return text + "\n";
}

}  // namespace lockwarden::explorer
