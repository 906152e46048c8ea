// Which rows, in which order, and how wide; see the header.
#include "exporter/top/top_tables.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace lockwarden {
namespace {

std::string StateOf(const TopThread& thread) {
  if (thread.deadlocked) return "DEADLOCK";
  if (thread.waits) return thread.timed ? "waits*" : "waits";
  return "holds";
}

std::vector<std::string> Cells(const TopThread& thread) {
  return {absl::StrCat(thread.pid),
          absl::StrCat(thread.tid),
          thread.name,
          StateOf(thread),
          thread.waits ? ShortTime(thread.blocked_seconds) : "",
          thread.waits_for,
          thread.owner,
          absl::StrJoin(thread.holds, ", ")};
}

std::vector<const TopThread*> Threads(const TopData& data, const TopState& state) {
  std::vector<const TopThread*> threads;
  for (const TopProgram* program : ShownPrograms(data, state)) {
    for (const TopThread& thread : program->waiting_or_holding) {
      if (absl::StrContains(absl::StrJoin(Cells(thread), " "), state.filter)) {
        threads.push_back(&thread);
      }
    }
  }
  std::stable_sort(threads.begin(), threads.end(), [&](const TopThread* a, const TopThread* b) {
    switch (state.thread_sort) {
      case TopState::ThreadSort::kBlocked:
        return std::tuple(!a->deadlocked, !a->waits, -a->blocked_seconds) <
               std::tuple(!b->deadlocked, !b->waits, -b->blocked_seconds);
      case TopState::ThreadSort::kHolds:
        return a->holds.size() > b->holds.size();
      case TopState::ThreadSort::kName:
        return a->name < b->name;
      case TopState::ThreadSort::kTid:
        break;
    }
    return std::pair(a->pid, a->tid) < std::pair(b->pid, b->tid);
  });
  return threads;
}

std::string Rate(double rate) {
  if (rate >= 1e7) return absl::StrFormat("%.0fM", rate / 1e6);
  if (rate >= 1e4) return absl::StrFormat("%.0fk", rate / 1e3);
  return absl::StrFormat("%.*f", rate < 10 && rate > 0 ? 1 : 0, rate);
}

std::vector<std::string> Cells(const TopClass& it) {
  const double all = static_cast<double>(it.acquisitions);
  return {it.name,
          it.waiters == 0 ? "" : absl::StrCat(it.waiters),
          ShortTime(it.wait_seconds),
          ShortTime(it.wait_rate),
          Rate(it.acquisition_rate),
          Rate(it.contention_rate),
          all == 0 ? "" : absl::StrFormat("%.1f", 100 * static_cast<double>(it.contentions) / all),
          absl::StrFormat("%.0f%%", 100 * it.hold_rate)};
}

std::vector<const TopClass*> Classes(const TopData& data, const TopState& state) {
  std::vector<const TopClass*> classes;
  for (const TopProgram* program : ShownPrograms(data, state)) {
    for (const TopClass& it : program->classes) {
      const bool used = it.acquisitions != 0 || it.waiters != 0;
      if (used && absl::StrContains(it.name, state.filter)) classes.push_back(&it);
    }
  }
  std::stable_sort(classes.begin(), classes.end(), [&](const TopClass* a, const TopClass* b) {
    switch (state.class_sort) {
      case TopState::ClassSort::kWait:
        return std::tuple(a->waiters, a->wait_rate, a->wait_seconds) >
               std::tuple(b->waiters, b->wait_rate, b->wait_seconds);
      case TopState::ClassSort::kContention:
        return std::pair(a->contention_rate, a->contentions) >
               std::pair(b->contention_rate, b->contentions);
      case TopState::ClassSort::kHold:
        return std::pair(a->hold_rate, a->hold_seconds) > std::pair(b->hold_rate, b->hold_seconds);
      case TopState::ClassSort::kName:
        break;
    }
    return a->name < b->name;
  });
  return classes;
}

size_t Columns(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

// Of each column. What is left of the width goes to those without one, in equal parts.
std::vector<size_t> Widths(const TopTable& table, size_t width) {
  std::vector<size_t> widths;
  size_t used = table.columns.size() - 1, open = 0;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    size_t needed = table.columns[i].width;
    if (width == 0) {
      needed = Columns(table.columns[i].title);
      for (const TopTable::Row& row : table.rows) needed = std::max(needed, Columns(row.cells[i]));
    }
    widths.push_back(needed);
    used += needed;
    open += needed == 0 ? 1 : 0;
  }
  const size_t share = open == 0 || width <= used ? 0 : (width - used) / open;
  for (size_t& it : widths) {
    if (it == 0) it = share;
  }
  return widths;
}

std::string Line(const TopTable& table, const std::vector<std::string>& cells,
                 const std::vector<size_t>& widths) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    if (i != 0) line += ' ';
    const size_t columns = Columns(cells[i]);
    if (table.columns[i].right && columns < widths[i]) line.append(widths[i] - columns, ' ');
    line += Fit(cells[i], table.columns[i].right ? std::min(columns, widths[i]) : widths[i]);
  }
  return line;
}

}  // namespace

std::vector<const TopProgram*> ShownPrograms(const TopData& data, const TopState& state) {
  std::vector<const TopProgram*> shown;
  for (size_t i = 0; i < data.size(); ++i) {
    if (state.program == 0 || state.program > data.size() || state.program == i + 1) {
      shown.push_back(&data[i]);
    }
  }
  return shown;
}

TopTable ThreadTable(const TopData& data, const TopState& state) {
  TopTable table;
  table.columns = {{"PID", 7, true},     {"TID", 7, true}, {"NAME", 15}, {"STATE", 8},
                   {"BLOCKED", 7, true}, {"WAITS FOR"},    {"OWNER"},    {"HOLDS"}};
  for (const TopThread* thread : Threads(data, state)) {
    table.rows.push_back({Cells(*thread), thread->deadlocked ? Style::kAlarm : Style::kPlain});
  }
  return table;
}

TopTable ClassTable(const TopData& data, const TopState& state) {
  TopTable table;
  table.columns = {{"LOCK CLASS"},      {"WAITERS", 7, true}, {"WAIT", 6, true},
                   {"WAIT/s", 6, true}, {"TAKEN/s", 7, true}, {"CONT/s", 7, true},
                   {"CONT%", 5, true},  {"HELD", 6, true}};
  for (const TopClass* it : Classes(data, state)) {
    table.rows.push_back({Cells(*it), it->waiters != 0 ? Style::kBold : Style::kPlain});
  }
  return table;
}

std::vector<ScreenLine> LayOut(const TopTable& table, size_t width) {
  const std::vector<size_t> widths = Widths(table, width);
  std::vector<std::string> titles;
  for (const TopTable::Column& column : table.columns) titles.push_back(column.title);
  std::vector<ScreenLine> lines = {{Line(table, titles, widths), Style::kHeading}};
  for (const TopTable::Row& row : table.rows) {
    lines.push_back({Line(table, row.cells, widths), row.style});
  }
  for (ScreenLine& line : lines) {
    if (width != 0) {
      line.text = Fit(line.text, width);
    } else {
      line.text.erase(line.text.find_last_not_of(' ') + 1);
    }
  }
  return lines;
}

std::string ShortTime(double seconds) {
  if (!(seconds > 0)) return "0";
  if (seconds < 1e-3) return absl::StrFormat("%.0fus", seconds * 1e6);
  if (seconds < 1) return absl::StrFormat("%.0fms", std::min(seconds * 1e3, 999.0));
  if (seconds < 99.95) return absl::StrFormat("%.1fs", seconds);
  if (seconds < 6000) return absl::StrFormat("%.0fm", seconds / 60);
  if (seconds < 360'000) return absl::StrFormat("%.0fh", seconds / 3600);
  return absl::StrFormat("%.0fd", std::min(seconds / 86400, 99999.0));
}

std::string Fit(const std::string& text, size_t columns) {
  std::string fitted;
  size_t used = 0;
  for (size_t i = 0; i < text.size();) {
    size_t next = i + 1;
    while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xc0) == 0x80) ++next;
    if (used == columns) {
      // What was cut ends in a sign that it was.
      size_t at = fitted.size();
      while (at > 0 && (static_cast<unsigned char>(fitted[at - 1]) & 0xc0) == 0x80) --at;
      if (at > 0) {
        fitted.resize(at - 1);
        fitted += '>';
      }
      return fitted;
    }
    fitted.append(text, i, next - i);
    ++used;
    i = next;
  }
  fitted.append(columns - used, ' ');
  return fitted;
}

}  // namespace lockwarden
