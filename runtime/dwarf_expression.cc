// A DWARF expression evaluator for frame tables: a stack of 16 words, and nothing that
// could loop.
#include "runtime/dwarf_reader.h"

namespace lockwarden::ledger {

bool EvaluateExpression(const uint8_t* code, uint64_t size, const uint64_t* initial,
                        const Registers& registers, const StackBounds& bounds, uint64_t* value) {
  constexpr int kDepth = 16;
  uint64_t stack[kDepth];
  int depth = 0;
  if (initial != nullptr) stack[depth++] = *initial;
  DwarfReader in(code, code + size);
  while (in.ok() && !in.at_end()) {
    const uint8_t op = in.Fixed<uint8_t>();
    if (depth == kDepth) return false;
    if (op >= 0x30 && op <= 0x4f) {  // DW_OP_lit0..31
      stack[depth++] = op - 0x30u;
      continue;
    }
    if (op >= 0x70 && op <= 0x8f) {  // DW_OP_breg0..31
      const uint32_t number = op - 0x70u;
      if (number >= kRegisters) return false;
      stack[depth++] = registers.value[number] + static_cast<uint64_t>(in.Sleb());
      continue;
    }
    switch (op) {
      case 0x08: stack[depth++] = in.Fixed<uint8_t>(); continue;                              // const1u
      case 0x09: stack[depth++] = static_cast<uint64_t>(int64_t{in.Fixed<int8_t>()}); continue;  // const1s
      case 0x0a: stack[depth++] = in.Fixed<uint16_t>(); continue;                             // const2u
      case 0x10: stack[depth++] = in.Uleb(); continue;                                        // constu
      case 0x11: stack[depth++] = static_cast<uint64_t>(in.Sleb()); continue;                 // consts
      default: break;
    }
    if (depth < 1) return false;
    uint64_t& top = stack[depth - 1];
    if (op == 0x06) {  // deref
      if (!bounds.Contains(top)) return false;
      top = *reinterpret_cast<const uint64_t*>(top);
      continue;
    }
    if (op == 0x23) {  // plus_uconst
      top += in.Uleb();
      continue;
    }
    if (op == 0x12) {  // dup
      stack[depth] = top;
      ++depth;
      continue;
    }
    if (depth < 2) return false;
    const uint64_t right = stack[--depth];
    uint64_t& left = stack[depth - 1];
    switch (op) {
      case 0x1a: left &= right; break;
      case 0x1c: left -= right; break;
      case 0x22: left += right; break;
      case 0x24: left = right < 64 ? left << right : 0; break;
      case 0x2a: left = static_cast<int64_t>(left) >= static_cast<int64_t>(right); break;
      default: return false;
    }
  }
  if (!in.ok() || depth < 1) return false;
  *value = stack[depth - 1];
  return true;
}

}  // namespace lockwarden::ledger
