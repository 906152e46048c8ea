// Names are CPython's: Include/internal/pycore_{runtime,interp,frame}.h, Include/cpython/
// {pystate,code,unicodeobject}.h; lines are coded as Objects/locations.md says.
#include "watchdog/inspect/python_frames.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "watchdog/frames.h"

namespace lockwarden {
namespace {

struct Layout {
  uint32_t version;  // major and minor, as in the upper half of Py_Version
  uint64_t interpreters_head;
  uint64_t interpreter_threads;
  uint64_t thread_next, thread_native_id, thread_cframe;
  uint64_t cframe_frame;
  uint64_t frame_code, frame_previous, frame_instruction, frame_owner;
  uint64_t code_file, code_name, code_first_line, code_lines, code_instructions;
  uint64_t ascii_data, compact_data;  // of a string
};
constexpr Layout kLayouts[] = {
    {0x030b, 40, 16, 8, 160, 56, 8, 32, 48, 56, 69, 112, 128, 72, 136, 184, 48, 72},
    {0x030c, 40, 72, 8, 144, 56, 0, 0, 8, 56, 70, 112, 128, 68, 136, 192, 40, 56},
};
constexpr uint8_t kOwnedByCStack = 3;  // 3.12: no function of Python's
constexpr size_t kMostThreads = 16'384, kMostFrames = 256, kMostText = 256, kMostLines = 65'536;

class Reader {
 public:
  Reader(const Layout& layout, ReadBytes read) : at_(layout), read_(read) {}

  std::map<uint32_t, StackTrace> Threads(uint64_t runtime) {
    std::map<uint32_t, StackTrace> threads;
    const uint64_t interpreter = Word(runtime + at_.interpreters_head);
    if (interpreter == 0) return threads;
    uint64_t thread = Word(interpreter + at_.interpreter_threads);
    for (size_t i = 0; thread != 0 && i < kMostThreads; ++i) {
      const auto tid = static_cast<uint32_t>(Word(thread + at_.thread_native_id));
      if (tid != 0) threads[tid] = Frames(thread);
      thread = Word(thread + at_.thread_next);
    }
    return threads;
  }

 private:
  template <class T>
  T Get(uint64_t address) {
    T value{};
    if (!read_(address, &value, sizeof(value))) return T{};
    return value;
  }
  uint64_t Word(uint64_t address) { return Get<uint64_t>(address); }

  StackTrace Frames(uint64_t thread) {
    StackTrace frames;
    const uint64_t cframe = Word(thread + at_.thread_cframe);
    uint64_t frame = cframe == 0 ? 0 : Word(cframe + at_.cframe_frame);
    for (size_t i = 0; frame != 0 && i < kMostFrames; ++i) {
      const uint64_t code = Word(frame + at_.frame_code);
      if (code != 0 && Get<uint8_t>(frame + at_.frame_owner) != kOwnedByCStack) {
        StackFrame told;
        told.function = Text(Word(code + at_.code_name));
        told.file = Text(Word(code + at_.code_file));
        told.line = Line(code, Word(frame + at_.frame_instruction));
        if (!told.function.empty()) frames.push_back(std::move(told));
      }
      frame = Word(frame + at_.frame_previous);
    }
    return frames;
  }

  // A compact string; what is not ASCII becomes a question mark.
  std::string Text(uint64_t string) {
    constexpr uint64_t kLength = 16, kState = 32;
    if (string == 0) return "";
    const auto state = Get<uint32_t>(string + kState);
    const unsigned width = state >> 2 & 7;
    const bool compact = (state >> 5 & 1) != 0, ascii = (state >> 6 & 1) != 0;
    if (!compact || (width != 1 && width != 2 && width != 4)) return "";
    const size_t length = std::min<uint64_t>(Word(string + kLength), kMostText);
    std::vector<unsigned char> bytes(length * width);
    const uint64_t data = string + (ascii ? at_.ascii_data : at_.compact_data);
    if (bytes.empty() || !read_(data, bytes.data(), bytes.size())) return "";
    std::string text;
    for (size_t i = 0; i < length; ++i) {
      bool plain = bytes[i * width] < 0x80;
      for (unsigned k = 1; k < width; ++k) plain &= bytes[i * width + k] == 0;
      text += plain ? static_cast<char>(bytes[i * width]) : '?';
    }
    return text;
  }

  // The line that an instruction stands in; that of the function where it cannot be told.
  int Line(uint64_t code, uint64_t instruction) {
    constexpr uint64_t kSize = 16, kBytes = 32;
    int line = Get<int32_t>(code + at_.code_first_line);
    const uint64_t begin = code + at_.code_instructions, table = Word(code + at_.code_lines);
    if (instruction < begin || table == 0) return line;
    uint64_t units = (instruction - begin) / 2;
    std::vector<unsigned char> lines(std::min<uint64_t>(Word(table + kSize), kMostLines));
    if (lines.empty() || !read_(table + kBytes, lines.data(), lines.size())) return line;
    const int first = line;
    for (size_t at = 0; at < lines.size();) {
      const unsigned kind = lines[at] >> 3 & 15, length = (lines[at] & 7) + 1;
      ++at;
      if (kind == 13 || kind == 14) line += SignedNumber(lines, &at);
      if (kind >= 10 && kind <= 12) line += static_cast<int>(kind) - 10;
      while (at < lines.size() && (lines[at] & 0x80) == 0) ++at;  // columns
      if (units < length) return kind == 15 ? first : line;
      units -= length;
    }
    return first;
  }

  static int SignedNumber(const std::vector<unsigned char>& bytes, size_t* at) {
    unsigned value = 0;
    for (unsigned shift = 0; *at < bytes.size() && shift < 30; shift += 6) {
      const unsigned char byte = bytes[(*at)++];
      value |= (byte & 63u) << shift;
      if ((byte & 64) == 0) break;
    }
    const int magnitude = static_cast<int>(value >> 1);
    return (value & 1) != 0 ? -magnitude : magnitude;
  }

  const Layout& at_;
  const ReadBytes read_;
};

bool IsInterpreter(const StackFrame& frame) {
  const std::string name = Basename(frame.module);
  return absl::StartsWith(name, "python") || absl::StartsWith(name, "libpython");
}

}  // namespace

PythonFrames ReadPythonFrames(AddressOf address_of, ReadBytes read) {
  PythonFrames frames;
  const uint64_t runtime = address_of("_PyRuntime"), version_at = address_of("Py_Version");
  if (runtime == 0) return frames;
  uint64_t version = 0;
  if (version_at != 0) read(version_at, &version, sizeof(version));
  for (const Layout& layout : kLayouts) {
    if (version >> 16 != layout.version) continue;
    frames.by_thread = Reader(layout, read).Threads(runtime);
    return frames;
  }
  const std::string named =
      version == 0 ? "" : absl::StrCat(" ", version >> 24, ".", version >> 16 & 255);
  frames.note = absl::StrCat("This is Python", named,
                             ", of which only the interpreter's own frames are shown; those of "
                             "Python code are known of 3.11 and 3.12.");
  return frames;
}

StackTrace WithPythonFrames(const StackTrace& stack, const StackTrace& python) {
  const auto first = std::find_if(stack.begin(), stack.end(), IsInterpreter);
  if (python.empty() || first == stack.end()) return stack;
  StackTrace merged(stack.begin(), first);
  merged.insert(merged.end(), python.begin(), python.end());
  std::copy_if(first, stack.end(), std::back_inserter(merged),
               [](const StackFrame& frame) { return !IsInterpreter(frame); });
  return merged;
}

}  // namespace lockwarden
