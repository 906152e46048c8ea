// The only file that includes ncurses, which defines names like `timeout`.
#include "exporter/top/top_terminal.h"

#define NCURSES_NOMACROS
#include <langinfo.h>
#include <ncurses.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/match.h"

namespace lockwarden {
namespace {

constexpr short kRedPair = 1;
constexpr int kEscape = 27;

chtype AttributeOf(Style style) {
  switch (style) {
    case Style::kBold:
      return A_BOLD;
    case Style::kAlarm:
      return has_colors() ? (COLOR_PAIR(kRedPair) | A_BOLD) : (A_BOLD | A_UNDERLINE);
    case Style::kHeading:
      return A_REVERSE;
    case Style::kDim:
      return A_DIM;
    case Style::kPlain:
      break;
  }
  return A_NORMAL;
}

// A locale without UTF-8 cannot show what is beyond ASCII.
std::string Ascii(const std::string& text) {
  std::string ascii;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      ascii += c;
    } else if ((byte & 0xc0) != 0x80) {
      ascii += '?';
    }
  }
  return ascii;
}

}  // namespace

struct TopTerminal::Impl {
  SCREEN* screen;
  bool utf8;
};

TopTerminal::TopTerminal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

std::unique_ptr<TopTerminal> TopTerminal::Open() {
  if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0) return nullptr;
  setlocale(LC_CTYPE, "");
  // Not initscr, which ends the process when it does not know the terminal.
  SCREEN* const screen = newterm(nullptr, stdout, stdin);
  if (screen == nullptr) return nullptr;
  cbreak();
  noecho();
  keypad(stdscr, true);
  curs_set(0);
  set_escdelay(50);
  if (has_colors()) {
    start_color();
    use_default_colors();
    init_pair(kRedPair, COLOR_RED, -1);
  }
  const bool utf8 = absl::EqualsIgnoreCase(nl_langinfo(CODESET), "UTF-8");
  return std::unique_ptr<TopTerminal>(new TopTerminal(std::make_unique<Impl>(Impl{screen, utf8})));
}

TopTerminal::~TopTerminal() {
  endwin();
  delscreen(impl_->screen);
}

size_t TopTerminal::width() const { return static_cast<size_t>(std::max(getmaxx(stdscr), 1)); }
size_t TopTerminal::height() const { return static_cast<size_t>(std::max(getmaxy(stdscr), 1)); }

void TopTerminal::Draw(const std::vector<ScreenLine>& lines) {
  werase(stdscr);
  for (size_t i = 0; i < lines.size() && i < height(); ++i) {
    wattrset(stdscr, static_cast<int>(AttributeOf(lines[i].style)));
    const std::string text = impl_->utf8 ? lines[i].text : Ascii(lines[i].text);
    wmove(stdscr, static_cast<int>(i), 0);
    waddnstr(stdscr, text.c_str(), static_cast<int>(text.size()));
  }
  wattrset(stdscr, A_NORMAL);
  wrefresh(stdscr);
}

bool TopTerminal::WaitForKey(int milliseconds, const TopData& data, TopState* state) {
  wtimeout(stdscr, milliseconds);
  const int key = wgetch(stdscr);
  const std::pair<int, TopKey> kKeys[] = {
      {KEY_UP, TopKey::kUp},        {KEY_DOWN, TopKey::kDown},
      {KEY_PPAGE, TopKey::kPageUp}, {KEY_NPAGE, TopKey::kPageDown},
      {KEY_HOME, TopKey::kHome},    {KEY_END, TopKey::kEnd},
      {KEY_ENTER, TopKey::kEnter},  {'\n', TopKey::kEnter},
      {'\r', TopKey::kEnter},       {KEY_BACKSPACE, TopKey::kBackspace},
      {127, TopKey::kBackspace},    {'\b', TopKey::kBackspace},
      {kEscape, TopKey::kEscape}};
  if (key == ERR) {
    // A terminal that is gone is not waited for: there is nobody to show anything to.
    pollfd input = {STDIN_FILENO, POLLIN, 0};
    if (poll(&input, 1, 0) > 0 && (input.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) {
      state->quit = true;
    }
    return false;
  }
  for (const auto& [code, named] : kKeys) {
    if (code == key) {
      Press(named, state);
      return true;
    }
  }
  if (key >= 0 && key < 0x100) Press(static_cast<char>(key), data, state);
  return true;  // KEY_RESIZE among them
}

}  // namespace lockwarden
