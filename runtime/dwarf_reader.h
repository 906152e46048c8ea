// DwarfReader: a bounds-checked cursor over DWARF data, and the expressions that frame
// tables use. No allocation; an error makes ok() false and every further value 0.
#pragma once

#include <cstdint>
#include <cstring>

#include "runtime/frame_rules.h"

namespace lockwarden::ledger {

class DwarfReader {
 public:
  DwarfReader(const uint8_t* begin, const uint8_t* end) : at_(begin), end_(end) {}

  bool ok() const { return ok_; }
  bool at_end() const { return at_ >= end_; }
  const uint8_t* position() const { return at_; }
  void MoveTo(const uint8_t* to) {
    if (to < at_ || to > end_) ok_ = false;
    if (ok_) at_ = to;
  }

  template <class T>
  T Fixed() {
    T value = 0;
    if (!ok_ || static_cast<uint64_t>(end_ - at_) < sizeof(T)) {
      ok_ = false;
      return value;
    }
    std::memcpy(&value, at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }

  uint64_t Uleb() {
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = Fixed<uint8_t>();
      value |= uint64_t{byte & 0x7fu} << shift;
      if ((byte & 0x80) == 0) return value;
    }
    ok_ = false;
    return 0;
  }

  int64_t Sleb() {
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < 64;) {
      const uint8_t byte = Fixed<uint8_t>();
      value |= uint64_t{byte & 0x7fu} << shift;
      shift += 7;
      if ((byte & 0x80) == 0) {
        if ((byte & 0x40) != 0 && shift < 64) value |= ~uint64_t{0} << shift;
        return static_cast<int64_t>(value);
      }
    }
    ok_ = false;
    return 0;
  }

  // A pointer in one of the DW_EH_PE encodings (LSB 5.0, "DWARF Extensions").
  uint64_t Encoded(uint8_t encoding, uint64_t data_base) {
    const uint64_t here = reinterpret_cast<uint64_t>(at_);
    uint64_t value = 0;
    switch (encoding & 0x0f) {
      case 0x00: case 0x04: case 0x0c: value = Fixed<uint64_t>(); break;
      case 0x01: value = Uleb(); break;
      case 0x02: value = Fixed<uint16_t>(); break;
      case 0x03: value = Fixed<uint32_t>(); break;
      case 0x09: value = static_cast<uint64_t>(Sleb()); break;
      case 0x0a: value = static_cast<uint64_t>(int64_t{Fixed<int16_t>()}); break;
      case 0x0b: value = static_cast<uint64_t>(int64_t{Fixed<int32_t>()}); break;
      default: ok_ = false; return 0;
    }
    if ((encoding & 0x70) == 0x10) value += here;
    if ((encoding & 0x70) == 0x30) value += data_base;
    return value;
  }

 private:
  const uint8_t* at_;
  const uint8_t* end_;
  bool ok_ = true;
};

// The operations that compilers and libc use in frame tables (PLT entries, realigned
// stacks, signal frames). `initial` is pushed first when not null. False for any other
// operation, or a read outside the bounds.
bool EvaluateExpression(const uint8_t* code, uint64_t size, const uint64_t* initial,
                        const Registers& registers, const StackBounds& bounds, uint64_t* value);

}  // namespace lockwarden::ledger
