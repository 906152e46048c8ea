// TopTerminal: the terminal, while `lockwarden top` has it: ncurses, in its wide-character
// version, which works over ssh and in whatever terminal terminfo knows.
//
// One at a time; one thread. The destructor gives the terminal back as it was.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "exporter/top/top_screen.h"

namespace lockwarden {

class TopTerminal {
 public:
  // Null: there is none, or terminfo does not know it.
  static std::unique_ptr<TopTerminal> Open();
  ~TopTerminal();
  TopTerminal(const TopTerminal&) = delete;
  TopTerminal& operator=(const TopTerminal&) = delete;

  size_t width() const;
  size_t height() const;
  void Draw(const std::vector<ScreenLine>& lines);
  // Waits for a key for at most so long and tells the state of it; true: there was one, or the
  // terminal has another size.
  bool WaitForKey(int milliseconds, const TopData& data, TopState* state);

 private:
  struct Impl;
  explicit TopTerminal(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace lockwarden
