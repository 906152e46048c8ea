// From data to lines; see the header.
#include "exporter/top/top_screen.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "exporter/top/top_tables.h"

namespace lockwarden {
namespace {

constexpr size_t kToTheEnd = 1u << 20;
constexpr char kKeys[] = "q quit  / filter  s sort  Tab pane  p program  f freeze  d dump  h help";

const char* SortName(const TopState& state) {
  if (state.pane == TopState::Pane::kThreads) {
    constexpr const char* kNames[] = {"blocked", "holds", "name", "tid"};
    return kNames[static_cast<int>(state.thread_sort)];
  }
  constexpr const char* kNames[] = {"wait", "contention", "hold", "name"};
  return kNames[static_cast<int>(state.class_sort)];
}

std::string Plural(uint64_t count, const char* what) {
  return absl::StrCat(count, " ", what, count == 1 ? "" : "s");
}

ScreenLine Describe(const TopProgram& program) {
  ScreenLine line;
  absl::StrAppend(&line.text, program.program.empty() ? "?" : program.program, " (pid ",
                  program.pids.empty() ? "-" : absl::StrCat(program.pids[0]), "): ");
  if (program.deadlocked_threads != 0) {
    absl::StrAppend(&line.text, "DEADLOCK: ", Plural(program.deadlocked_threads, "thread"),
                    " stuck, ");
    line.style = Style::kAlarm;
  } else if (!program.not_answering.empty()) {
    absl::StrAppend(&line.text, program.not_answering, ", ");
    line.style = Style::kBold;
  } else if (!program.recorded) {
    absl::StrAppend(&line.text, "its locks are not recorded, ");
    line.style = Style::kBold;
  }
  absl::StrAppend(&line.text, Plural(program.threads, "thread"), ", ",
                  Plural(program.locks, "lock"));
  if (program.potential_deadlocks != 0) {
    absl::StrAppend(&line.text, ", ", Plural(program.potential_deadlocks, "potential deadlock"));
  }
  if (program.threads_left_out != 0) {
    absl::StrAppend(&line.text, ", ", program.threads_left_out, " more threads than are listed");
  }
  return line;
}

// The programs, and under a deadlocked one who waits for whom.
std::vector<ScreenLine> Summary(const TopData& data, const TopState& state) {
  std::vector<ScreenLine> lines;
  for (const TopProgram* program : ShownPrograms(data, state)) {
    lines.push_back(Describe(*program));
    for (const TopThread& thread : program->waiting_or_holding) {
      if (!thread.deadlocked) continue;
      lines.push_back({absl::StrCat("  ", thread.name, " (", thread.tid, ") has waited ",
                                    ShortTime(thread.blocked_seconds), " for ", thread.waits_for,
                                    thread.owner.empty() ? "" : ", held by ", thread.owner),
                       Style::kAlarm});
    }
  }
  // What is wrong comes first.
  std::stable_partition(lines.begin(), lines.end(),
                        [](const ScreenLine& line) { return line.style == Style::kAlarm; });
  if (lines.empty()) {
    lines.push_back({"nothing to look at: no program runs under lockwarden run", Style::kBold});
  }
  return lines;
}

std::vector<ScreenLine> Help() {
  std::vector<ScreenLine> lines = {{"lockwarden top", Style::kBold}};
  for (const char* text :
       {"", "q        quit", "s        sort by the next column",
        "/        filter: type, Enter; Escape: no filter",
        "Tab      threads or lock classes: whose keys s and the arrows are",
        "p        the next program, or all of them", "f Space  freeze, and go on",
        "d        dump all there is into a file here", "arrows, PgUp, PgDn, Home, End  scroll",
        "h ?      this help", "",
        "DEADLOCK waits in a deadlock that was found   waits*  waits with a time limit",
        "BLOCKED  since when it waits       OWNER  who holds what it waits for",
        "WAIT/s   time waited a second      CONT%  acquisitions that found it taken",
        "HELD     share of the time that it is held, an estimate; of several locks their sum"}) {
    lines.push_back({text, Style::kPlain});
  }
  return lines;
}

// `table` begins with its heading, which stays when the rest is scrolled.
void Append(const std::vector<ScreenLine>& table, size_t scroll, size_t room,
            std::vector<ScreenLine>* lines) {
  if (room == 0) return;
  lines->push_back(table[0]);
  const size_t last = table.size() > room ? table.size() - room : 0;
  const size_t first = 1 + std::min(scroll, last);
  for (size_t i = 0; i + 1 < room; ++i) {
    lines->push_back(first + i < table.size() ? table[first + i] : ScreenLine());
  }
}

}  // namespace

void Press(char key, const TopData& data, TopState* state) {
  state->message.clear();
  if (state->typing) {
    if (key >= ' ' && state->filter.size() < 64) state->filter += key;
    return;
  }
  if (state->help) {
    state->help = false;
    return;
  }
  const bool threads = state->pane == TopState::Pane::kThreads;
  switch (key) {
    case 'q':
      state->quit = true;
      break;
    case 's':
      if (threads) {
        state->thread_sort =
            static_cast<TopState::ThreadSort>((static_cast<int>(state->thread_sort) + 1) % 4);
      } else {
        state->class_sort =
            static_cast<TopState::ClassSort>((static_cast<int>(state->class_sort) + 1) % 4);
      }
      state->message = absl::StrCat("sorted by ", SortName(*state));
      break;
    case '/':
      state->typing = true;
      state->filter.clear();
      break;
    case '\t':
      state->pane = threads ? TopState::Pane::kClasses : TopState::Pane::kThreads;
      state->scroll = 0;
      break;
    case 'p':
      state->program = (state->program + 1) % (data.size() + 1);
      state->scroll = 0;
      break;
    case 'f':
    case ' ':
      state->frozen = !state->frozen;
      break;
    case 'd':
      state->dump = true;
      break;
    case 'h':
    case '?':
      state->help = true;
      break;
    default:
      break;
  }
}

void Press(TopKey key, TopState* state) {
  constexpr size_t kPage = 10;
  switch (key) {
    case TopKey::kEnter:
      state->typing = false;
      break;
    case TopKey::kEscape:
      state->typing = state->help = false;
      state->filter.clear();
      break;
    case TopKey::kBackspace:
      while (state->typing && !state->filter.empty()) {
        const auto last = static_cast<unsigned char>(state->filter.back());
        state->filter.pop_back();
        if ((last & 0xc0) != 0x80) break;
      }
      break;
    case TopKey::kUp:
      if (state->scroll > 0) --state->scroll;
      break;
    case TopKey::kDown:
      ++state->scroll;
      break;
    case TopKey::kPageUp:
      state->scroll -= std::min(state->scroll, kPage);
      break;
    case TopKey::kPageDown:
      state->scroll += kPage;
      break;
    case TopKey::kHome:
      state->scroll = 0;
      break;
    case TopKey::kEnd:
      state->scroll = kToTheEnd;
      break;
  }
}

std::vector<ScreenLine> Screen(const TopData& data, const TopState& state, const std::string& clock,
                               size_t width, size_t height) {
  std::vector<ScreenLine> lines;
  if (width == 0 || height == 0) return lines;
  const std::string title =
      absl::StrCat("lockwarden top", state.frozen ? "  FROZEN" : "",
                   state.filter.empty() && !state.typing ? "" : "  filter: ", state.filter);
  const size_t room_for_title = width > clock.size() + 1 ? width - clock.size() - 1 : width;
  lines.push_back(
      {Fit(absl::StrCat(Fit(title, room_for_title), " ", clock), width), Style::kHeading});
  if (state.help) {
    for (const ScreenLine& line : Help()) lines.push_back({Fit(line.text, width), line.style});
  } else {
    const std::vector<ScreenLine> summary = Summary(data, state);
    const size_t most = std::max<size_t>(height / 3, 1);
    for (size_t i = 0; i < summary.size(); ++i) {
      if (i + 1 == most && summary.size() > most) {
        lines.push_back({Fit(absl::StrCat("  ... and ", summary.size() - i, " lines more"), width),
                         summary[i].style});
        break;
      }
      lines.push_back({Fit(summary[i].text, width), summary[i].style});
    }
    const size_t used = lines.size() + 1;
    const size_t room = height > used ? height - used : 0;
    const bool threads = state.pane == TopState::Pane::kThreads;
    const std::vector<ScreenLine> thread_table = LayOut(ThreadTable(data, state), width);
    const std::vector<ScreenLine> class_table = LayOut(ClassTable(data, state), width);
    // The pane without the keys has a third.
    const size_t other = room / 3, own = room - other;
    Append(thread_table, threads ? state.scroll : 0, threads ? own : other, &lines);
    Append(class_table, threads ? 0 : state.scroll, threads ? other : own, &lines);
  }
  if (lines.size() >= height) lines.resize(height - 1);
  while (lines.size() + 1 < height) lines.emplace_back();
  const std::string last = state.typing             ? absl::StrCat("filter: ", state.filter, "_")
                           : !state.message.empty() ? state.message
                                                    : std::string(kKeys);
  lines.push_back({Fit(last, width), Style::kDim});
  return lines;
}

std::string PlainText(const TopData& data, const TopState& state) {
  std::string text;
  for (const ScreenLine& line : Summary(data, state)) absl::StrAppend(&text, line.text, "\n");
  for (const TopTable& table : {ThreadTable(data, state), ClassTable(data, state)}) {
    absl::StrAppend(&text, "\n");
    for (const ScreenLine& line : LayOut(table, 0)) absl::StrAppend(&text, line.text, "\n");
  }
  return text;
}

}  // namespace lockwarden
