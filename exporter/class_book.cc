// Seats, and who gets them; see the header.
#include "exporter/class_book.h"

#include <algorithm>
#include <utility>

namespace lockwarden {

void ClassCounts::Add(const ClassCounts& more) {
  acquisitions += more.acquisitions;
  contentions += more.contentions;
  wait_seconds += more.wait_seconds;
  hold_seconds += more.hold_seconds;
  shared += more.shared;
}

uint32_t ClassBook::Number(uint64_t key) {
  const auto found = numbers_.find(key);
  if (found != numbers_.end()) return found->second;
  if (classes_.size() >= most_classes_) return kNone;
  const auto number = static_cast<uint32_t>(classes_.size());
  classes_.emplace_back();
  numbers_.emplace(key, number);
  return number;
}

void ClassBook::Add(uint32_t number, const ClassCounts& counts) {
  if (number == kNone) {
    other_.Add(counts);
    return;
  }
  Class& it = classes_[number];
  it.all.Add(counts);
  if (it.seated) {
    it.shown.Add(counts);
  } else {
    touched_.push_back(number);
    since_.push_back(counts);
  }
}

void ClassBook::AddTimes(uint32_t number, const ClassTimes& times) {
  (HasSeat(number) ? times_[number] : other_times_).Add(times);
}

ClassTimes ClassBook::TimesOf(uint32_t number) const {
  const auto found = times_.find(number);
  return found == times_.end() ? ClassTimes() : found->second;
}

bool ClassBook::HasSeat(uint32_t number) const {
  return number != kNone && classes_[number].seated;
}

// By time waited; of classes that nobody waited for, by how much they are used.
bool ClassBook::Outranks(const Class& a, const Class& b) {
  if (a.all.wait_seconds != b.all.wait_seconds) return a.all.wait_seconds > b.all.wait_seconds;
  return a.all.acquisitions > b.all.acquisitions;
}

void ClassBook::Fold(Class* it) {
  if (!std::exchange(it->folded, true)) ++folded_;
}

void ClassBook::Reseat(const std::function<std::string(uint32_t number)>& name) {
  std::vector<uint32_t> candidates = touched_;
  const auto better = [this](uint32_t a, uint32_t b) { return Outranks(classes_[a], classes_[b]); };
  std::sort(candidates.begin(), candidates.end());
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
  const size_t most = std::min(candidates.size(), seats_);
  std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(most),
                    candidates.end(), better);
  for (size_t i = 0; i < most; ++i) {
    Class& newcomer = classes_[candidates[i]];
    if (seated_.size() < seats_) {
      seated_.push_back(candidates[i]);
    } else {
      const auto last = std::max_element(seated_.begin(), seated_.end(), better);
      Class& loser = classes_[*last];
      if (newcomer.all.wait_seconds <= 2 * loser.all.wait_seconds) break;
      loser.seated = false;
      Fold(&loser);
      *last = candidates[i];
    }
    newcomer.seated = true;
    if (newcomer.name.empty()) newcomer.name = name(candidates[i]);
  }
  for (size_t i = 0; i < touched_.size(); ++i) {
    Class& it = classes_[touched_[i]];
    if (it.seated) {
      it.shown.Add(since_[i]);
    } else {
      other_.Add(since_[i]);
      Fold(&it);
    }
  }
  touched_.clear();
  since_.clear();
}

}  // namespace lockwarden
