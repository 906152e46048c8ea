// ClassBook: what each lock class cost, over processes and restarts, and which classes have a
// series of their own. So many seats are given to the classes that waited longest; what all
// others cost is counted in `other`.
//
// Every number only grows, also when a seat changes hands: a class that loses its seat goes on
// in `other` from there, and what it had counted in its seat is kept for when it comes back. A
// seat is lost only to a class that has waited twice as long, so that two of a size do not
// take turns.
//
// Not thread-safe; pure, but for what it remembers.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "watchdog/class_times.h"

namespace lockwarden {

struct ClassCounts {
  uint64_t acquisitions = 0;
  uint64_t contentions = 0;
  double wait_seconds = 0;
  double hold_seconds = 0;
  uint64_t shared = 0;  // of the acquisitions, those to read

  void Add(const ClassCounts& more);
};

class ClassBook {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;  // beyond what is remembered: part of `other`

  ClassBook(size_t seats, size_t most_classes) : seats_(seats), most_classes_(most_classes) {}

  // The number of a class; a new one if the key is new. kNone when there are too many.
  uint32_t Number(uint64_t key);
  void Add(uint32_t number, const ClassCounts& counts);
  // After Reseat: times of a class without a seat are part of `other` for good.
  void AddTimes(uint32_t number, const ClassTimes& times);
  // Gives out free seats, and those of classes that others have left behind. `name` is asked
  // for a class that never had a seat, and is not called again for it.
  void Reseat(const std::function<std::string(uint32_t number)>& name);

  bool HasSeat(uint32_t number) const;
  const std::string& NameOf(uint32_t number) const { return classes_[number].name; }
  const ClassCounts& CountsOf(uint32_t number) const { return classes_[number].shown; }
  const std::vector<uint32_t>& seated() const { return seated_; }
  const ClassCounts& other() const { return other_; }
  // Of what it counted while it had a seat.
  ClassTimes TimesOf(uint32_t number) const;
  const ClassTimes& other_times() const { return other_times_; }
  uint64_t folded() const { return folded_; }  // classes that were ever part of `other`
  size_t size() const { return classes_.size(); }

 private:
  struct Class {
    std::string name;   // empty: it never had a seat
    ClassCounts all;    // ranks it
    ClassCounts shown;  // what it counted while it had a seat
    bool seated = false;
    bool folded = false;
  };
  static bool Outranks(const Class& a, const Class& b);
  void Fold(Class* it);

  const size_t seats_, most_classes_;
  absl::flat_hash_map<uint64_t, uint32_t> numbers_;
  std::vector<Class> classes_;
  std::vector<uint32_t> seated_;
  std::vector<uint32_t> touched_;   // without a seat, and counted since Reseat
  std::vector<ClassCounts> since_;  // what, in the same order
  ClassCounts other_;
  // Of classes that have, or had, a seat: few, since these are large.
  absl::flat_hash_map<uint32_t, ClassTimes> times_;
  ClassTimes other_times_;
  uint64_t folded_ = 0;
};

}  // namespace lockwarden
