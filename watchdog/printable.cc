// See printable.h.
#include "watchdog/printable.h"

#include "absl/strings/str_format.h"

namespace lockwarden {
namespace {

// Bytes in the UTF-8 sequence that begins at text[i] (RFC 3629); 0: none does.
size_t SequenceLength(const std::string& text, size_t i) {
  const auto byte = [&](size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char first = byte(i);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xc2 && first < 0xe0   ? 2
                        : first >= 0xe0 && first < 0xf0 ? 3
                        : first >= 0xf0 && first < 0xf5 ? 4
                                                        : 0;
  if (length == 0 || i + length > text.size()) return 0;
  for (size_t k = 1; k < length; ++k) {
    if ((byte(i + k) & 0xc0) != 0x80) return 0;
  }
  const unsigned char second = byte(i + 1);
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0) ||
      (first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90)) {
    return 0;  // overlong, a surrogate, or beyond U+10FFFF
  }
  return length;
}

bool IsControl(const std::string& text, size_t i, size_t length) {
  const auto first = static_cast<unsigned char>(text[i]);
  if (length == 1) return first < 0x20 || first == 0x7f;
  // U+0080 to U+009F: some terminals obey these as they do escape sequences.
  return length == 2 && first == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0;
}

void Mend(std::string* text) { *text = Printable(*text); }

void Mend(StackTrace* stack) {
  for (StackFrame& frame : *stack) {
    for (std::string* text : {&frame.function, &frame.file, &frame.module, &frame.build_id}) {
      Mend(text);
    }
  }
}

void Mend(FindingThread* thread) {
  Mend(&thread->name);
  Mend(&thread->waits_mode);
  Mend(&thread->stack);
  for (FindingHold& hold : thread->holds) {
    Mend(&hold.mode);
    Mend(&hold.stack);
  }
}

}  // namespace

std::string Printable(const std::string& text) {
  std::string result;
  result.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const size_t length = SequenceLength(text, i);
    if (length == 0 || IsControl(text, i, length)) {
      const size_t escaped = length == 0 ? 1 : length;
      for (size_t k = 0; k < escaped; ++k) {
        absl::StrAppendFormat(&result, "\\x%02x", static_cast<unsigned char>(text[i + k]));
      }
      i += escaped;
    } else {
      result.append(text, i, length);
      i += length;
    }
  }
  return result;
}

Finding PrintableCopy(const Finding& finding) {
  Finding copy = finding;
  for (std::string* text : {&copy.program, &copy.headline, &copy.misuse, &copy.fingerprint,
                            &copy.incident, &copy.heartbeat, &copy.cause}) {
    Mend(text);
  }
  for (std::vector<std::string>* texts : {&copy.story, &copy.evidence, &copy.advice}) {
    for (std::string& text : *texts) Mend(&text);
  }
  for (FindingThread& thread : copy.threads) Mend(&thread);
  for (FindingLock& lock : copy.locks) {
    for (std::string* text : {&lock.name, &lock.label, &lock.kind, &lock.lock_class}) Mend(text);
  }
  return copy;
}

}  // namespace lockwarden
