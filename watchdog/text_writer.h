// TextWriter: lines with indentation and, on a terminal, a little colour.
// Not thread-safe.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"

namespace lockwarden {

enum class Ink { kAlarm, kWarning, kHeading, kLock, kFaint };

class TextWriter {
 public:
  explicit TextWriter(bool color) : color_(color) {}

  std::string Paint(Ink ink, const std::string& text) const {
    return color_ ? absl::StrCat("\x1b[", Code(ink), "m", text, "\x1b[0m") : text;
  }
  void Line(size_t indent, const std::string& text) {
    absl::StrAppend(&text_, std::string(indent, ' '), text, "\n");
  }
  void Blank() { text_ += '\n'; }
  const std::string& text() const { return text_; }

 private:
  static const char* Code(Ink ink) {
    switch (ink) {
      case Ink::kAlarm: return "1;31";    // bold red
      case Ink::kWarning: return "1;33";  // bold yellow
      case Ink::kHeading: return "1";
      case Ink::kLock: return "36";       // cyan
      case Ink::kFaint: return "2";
    }
    return "0";
  }

  bool color_;
  std::string text_;
};

}  // namespace lockwarden
