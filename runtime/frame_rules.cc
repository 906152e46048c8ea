// Call frame information: .eh_frame_hdr's sorted table leads to a frame description,
// whose little program gives the rule of each register at the pc.
#include "runtime/frame_rules.h"

#include <dlfcn.h>

#include <cstddef>
#include <new>

#include "runtime/dwarf_reader.h"
#include "runtime/gate.h"
#include "runtime/rule_cache.h"

// Weak: glibc before 2.35 does not have it; stacks are then call sites only.
extern "C" int _dl_find_object(void*, struct dl_find_object*) noexcept __attribute__((weak));

namespace lockwarden::ledger {
namespace {

enum class RuleKind : uint8_t {
  kSame, kUndefined, kOffset, kValueOffset, kRegister, kExpression, kValueExpression
};
struct Rule {
  RuleKind kind = RuleKind::kSame;
  uint32_t expression_size = 0;
  int64_t operand = 0;  // offset from the CFA, register number, or address of an expression
  const uint8_t* expression() const { return reinterpret_cast<const uint8_t*>(operand); }
};
struct RuleSet {
  Rule of[kRegisters];
  uint64_t cfa_register = kRsp;
  int64_t cfa_offset = 0;
  const uint8_t* cfa_expression = nullptr;
  uint64_t cfa_expression_size = 0;
};

struct FrameDescription {
  uint64_t begin = 0, end = 0;
  const uint8_t *cie_code = nullptr, *cie_code_end = nullptr;
  const uint8_t *code = nullptr, *code_end = nullptr;
  uint64_t code_align = 1;
  int64_t data_align = 1;
  uint64_t return_register = kRip;
  uint8_t pointer_encoding = 0;
  bool signal_frame = false;
};

bool ParseCie(const uint8_t* cie, FrameDescription* description) {
  DwarfReader in(cie, cie + 4);
  const uint32_t length = in.Fixed<uint32_t>();
  if (length == 0 || length == 0xffffffffu) return false;  // 64-bit DWARF is not used here
  in = DwarfReader(cie + 4, cie + 4 + length);
  if (in.Fixed<uint32_t>() != 0) return false;  // not a CIE
  const uint8_t version = in.Fixed<uint8_t>();
  if (version != 1 && version != 3) return false;
  const char* augmentation = reinterpret_cast<const char*>(in.position());
  while (in.ok() && in.Fixed<uint8_t>() != 0) {
  }
  description->code_align = in.Uleb();
  description->data_align = in.Sleb();
  description->return_register = version == 1 ? in.Fixed<uint8_t>() : in.Uleb();
  if (*augmentation == 'z') {
    const uint64_t size = in.Uleb();
    const uint8_t* after = in.position() + size;
    for (const char* a = augmentation + 1; *a != '\0' && in.ok(); ++a) {
      if (*a == 'R') {
        description->pointer_encoding = in.Fixed<uint8_t>();
      } else if (*a == 'P') {
        const uint8_t encoding = in.Fixed<uint8_t>();
        in.Encoded(encoding, 0);
      } else if (*a == 'L') {
        in.Fixed<uint8_t>();
      } else if (*a == 'S') {
        description->signal_frame = true;
      } else {
        break;
      }
    }
    in.MoveTo(after);
  } else if (*augmentation != '\0') {
    return false;
  }
  description->cie_code = in.position();
  description->cie_code_end = cie + 4 + length;
  return in.ok();
}

bool ParseFde(const uint8_t* fde, uint64_t pc, FrameDescription* description) {
  DwarfReader in(fde, fde + 4);
  const uint32_t length = in.Fixed<uint32_t>();
  if (length == 0 || length == 0xffffffffu) return false;
  const uint8_t* end = fde + 4 + length;
  in = DwarfReader(fde + 4, end);
  const uint8_t* cie_field = in.position();
  const uint32_t cie_distance = in.Fixed<uint32_t>();
  if (cie_distance == 0 || !ParseCie(cie_field - cie_distance, description)) return false;
  description->begin = in.Encoded(description->pointer_encoding, 0);
  description->end = description->begin + in.Encoded(description->pointer_encoding & 0x0f, 0);
  const uint64_t augmentation_size = in.Uleb();  // "z" is always there in .eh_frame
  in.MoveTo(in.position() + augmentation_size);
  description->code = in.position();
  description->code_end = end;
  return in.ok() && pc >= description->begin && pc < description->end;
}

bool FindDescription(uint64_t pc, FrameDescription* description) {
  if (_dl_find_object == nullptr) return false;
  dl_find_object object;
  if (_dl_find_object(reinterpret_cast<void*>(pc), &object) != 0) return false;
  const uint8_t* header = static_cast<const uint8_t*>(object.dlfo_eh_frame);
  // The one form that ld and lld write: version 1, a sorted table of pairs of 32-bit
  // offsets from the header.
  constexpr uint8_t kUdata4 = 0x03, kDatarelSdata4 = 0x3b;
  if (header == nullptr || header[0] != 1 || header[2] != kUdata4 || header[3] != kDatarelSdata4) {
    return false;
  }
  DwarfReader in(header + 4, header + 24);
  in.Encoded(header[1], 0);  // pointer to .eh_frame
  const uint32_t count = in.Fixed<uint32_t>();
  struct Entry {
    int32_t begin, description;
  };
  const Entry* table = reinterpret_cast<const Entry*>(in.position());
  const int64_t offset = static_cast<int64_t>(pc - reinterpret_cast<uint64_t>(header));
  uint32_t low = 0, high = count;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (table[middle].begin <= offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low > 0 && ParseFde(header + table[low - 1].description, pc, description);
}

// Runs a frame program up to `pc`. `initial` are the CIE's rules, for DW_CFA_restore.
bool RunProgram(const FrameDescription& d, const uint8_t* code, const uint8_t* end, uint64_t pc,
                const RuleSet& initial, RuleSet* rules) {
  constexpr int kRemembered = 4;
  alignas(RuleSet) std::byte remembered[kRemembered][sizeof(RuleSet)];  // seldom used: not set up
  int remembered_count = 0;
  uint64_t location = d.begin;
  DwarfReader in(code, end);
  const auto set = [&](uint64_t number, Rule rule) {
    if (number < kRegisters) rules->of[number] = rule;
  };
  while (in.ok() && !in.at_end()) {
    const uint8_t op = in.Fixed<uint8_t>();
    const uint8_t low6 = op & 0x3f;
    switch (op >> 6) {
      case 1:  // DW_CFA_advance_loc
        location += low6 * d.code_align;
        if (location > pc) return true;
        continue;
      case 2:  // DW_CFA_offset
        set(low6, {RuleKind::kOffset, 0, static_cast<int64_t>(in.Uleb()) * d.data_align});
        continue;
      case 3:  // DW_CFA_restore
        if (low6 < kRegisters) rules->of[low6] = initial.of[low6];
        continue;
      default:
        break;
    }
    switch (op) {
      case 0x00: break;  // DW_CFA_nop
      case 0x01:         // DW_CFA_set_loc
        location = in.Encoded(d.pointer_encoding, 0);
        if (location > pc) return true;
        break;
      case 0x02:  // DW_CFA_advance_loc1, 2, 4
        location += in.Fixed<uint8_t>() * d.code_align;
        if (location > pc) return true;
        break;
      case 0x03:
        location += in.Fixed<uint16_t>() * d.code_align;
        if (location > pc) return true;
        break;
      case 0x04:
        location += in.Fixed<uint32_t>() * d.code_align;
        if (location > pc) return true;
        break;
      case 0x05: {  // DW_CFA_offset_extended
        const uint64_t number = in.Uleb();
        set(number, {RuleKind::kOffset, 0, static_cast<int64_t>(in.Uleb()) * d.data_align});
        break;
      }
      case 0x06: {  // DW_CFA_restore_extended
        const uint64_t number = in.Uleb();
        if (number < kRegisters) rules->of[number] = initial.of[number];
        break;
      }
      case 0x07: set(in.Uleb(), {RuleKind::kUndefined}); break;
      case 0x08: set(in.Uleb(), {RuleKind::kSame}); break;
      case 0x09: {  // DW_CFA_register
        const uint64_t number = in.Uleb();
        set(number, {RuleKind::kRegister, 0, static_cast<int64_t>(in.Uleb())});
        break;
      }
      case 0x0a:  // DW_CFA_remember_state
        if (remembered_count == kRemembered) return false;
        new (remembered[remembered_count++]) RuleSet(*rules);
        break;
      case 0x0b:  // DW_CFA_restore_state
        if (remembered_count == 0) return false;
        *rules = *std::launder(reinterpret_cast<RuleSet*>(remembered[--remembered_count]));
        break;
      case 0x0c:  // DW_CFA_def_cfa
        rules->cfa_register = in.Uleb();
        rules->cfa_offset = static_cast<int64_t>(in.Uleb());
        rules->cfa_expression = nullptr;
        break;
      case 0x0d:  // DW_CFA_def_cfa_register
        rules->cfa_register = in.Uleb();
        rules->cfa_expression = nullptr;
        break;
      case 0x0e:  // DW_CFA_def_cfa_offset
        rules->cfa_offset = static_cast<int64_t>(in.Uleb());
        break;
      case 0x0f:  // DW_CFA_def_cfa_expression
        rules->cfa_expression_size = in.Uleb();
        rules->cfa_expression = in.position();
        in.MoveTo(in.position() + rules->cfa_expression_size);
        break;
      case 0x10:    // DW_CFA_expression
      case 0x16: {  // DW_CFA_val_expression
        const uint64_t number = in.Uleb();
        const uint64_t size = in.Uleb();
        set(number, {op == 0x10 ? RuleKind::kExpression : RuleKind::kValueExpression,
                     static_cast<uint32_t>(size), reinterpret_cast<int64_t>(in.position())});
        in.MoveTo(in.position() + size);
        break;
      }
      case 0x11: {  // DW_CFA_offset_extended_sf
        const uint64_t number = in.Uleb();
        set(number, {RuleKind::kOffset, 0, in.Sleb() * d.data_align});
        break;
      }
      case 0x12:  // DW_CFA_def_cfa_sf
        rules->cfa_register = in.Uleb();
        rules->cfa_offset = in.Sleb() * d.data_align;
        rules->cfa_expression = nullptr;
        break;
      case 0x13:  // DW_CFA_def_cfa_offset_sf
        rules->cfa_offset = in.Sleb() * d.data_align;
        break;
      case 0x14:    // DW_CFA_val_offset
      case 0x15: {  // DW_CFA_val_offset_sf
        const uint64_t number = in.Uleb();
        const int64_t factored = op == 0x14 ? static_cast<int64_t>(in.Uleb()) : in.Sleb();
        set(number, {RuleKind::kValueOffset, 0, factored * d.data_align});
        break;
      }
      case 0x2e: in.Uleb(); break;  // DW_CFA_GNU_args_size
      default: return false;
    }
  }
  return in.ok();
}

bool ApplyRule(const Rule& rule, uint32_t number, uint64_t cfa, const Registers& before,
               const StackBounds& bounds, uint64_t* value, uint64_t* slot) {
  switch (rule.kind) {
    case RuleKind::kSame:
      *value = number == kRsp ? cfa : before.value[number];
      return true;
    case RuleKind::kUndefined:
      *value = 0;
      return true;
    case RuleKind::kValueOffset:
      *value = cfa + static_cast<uint64_t>(rule.operand);
      return true;
    case RuleKind::kRegister:
      if (static_cast<uint64_t>(rule.operand) >= kRegisters) return false;
      *value = before.value[rule.operand];
      return true;
    case RuleKind::kOffset:
      *slot = cfa + static_cast<uint64_t>(rule.operand);
      break;
    case RuleKind::kExpression:
      if (!EvaluateExpression(rule.expression(), rule.expression_size, &cfa, before, bounds, slot)) {
        return false;
      }
      break;
    case RuleKind::kValueExpression:
      return EvaluateExpression(rule.expression(), rule.expression_size, &cfa, before, bounds, value);
  }
  if (!bounds.Contains(*slot)) return false;
  *value = *reinterpret_cast<const uint64_t*>(*slot);
  return true;
}

constinit RuleCache rule_cache;

uint32_t Generation() {
  const Ledger ledger = TheLedger();
  // Relaxed: as in ModuleGeneration.
  return ledger.mapped() ? ledger.header().module_generation.load(std::memory_order_relaxed) : 0;
}

// kNoRule: these rules do not fit.
CompactRule Compact(const RuleSet& rules) {
  const Rule& rip = rules.of[kRip];
  if (rip.kind == RuleKind::kUndefined) return kOutermost;
  if (rules.cfa_expression != nullptr || rip.kind != RuleKind::kOffset || rip.operand != -8) {
    return kNoRule;
  }
  SimpleRule simple{.cfa_register = static_cast<uint32_t>(rules.cfa_register),
                    .cfa_offset = rules.cfa_offset};
  for (uint32_t number = 0; number < kRip; ++number) {
    const Rule& rule = rules.of[number];
    if (rule.kind == RuleKind::kSame) continue;
    int saved = 0;
    while (saved < 6 && kSavedRegisters[saved] != number) ++saved;
    if (saved == 6 || rule.kind != RuleKind::kOffset) return kNoRule;
    simple.saved_at[saved] = rule.operand;
  }
  return Compact(simple);
}

}  // namespace

bool StepFrame(uint64_t lookup_pc, const StackBounds& bounds, Registers* registers,
               StepResult* result) {
  const uint32_t generation = Generation();
  const CompactRule known = rule_cache.Find(lookup_pc, generation);
  if (known == kOutermost) {
    *result = {.outermost = true};
    return true;
  }
  if (known != kNoRule) return ApplyCompact(known, bounds, registers, result);
  FrameDescription description;
  if (!FindDescription(lookup_pc, &description)) return false;
  RuleSet rules;
  if (!RunProgram(description, description.cie_code, description.cie_code_end, ~uint64_t{0}, rules,
                  &rules)) {
    return false;
  }
  const RuleSet initial = rules;
  if (!RunProgram(description, description.code, description.code_end, lookup_pc, initial,
                  &rules)) {
    return false;
  }
  if (description.return_register != kRip) return false;
  if (!description.signal_frame) {
    const CompactRule compact = Compact(rules);
    if (compact != kNoRule) rule_cache.Keep(lookup_pc, generation, compact);
  }
  uint64_t cfa = 0;
  if (rules.cfa_expression != nullptr) {
    if (!EvaluateExpression(rules.cfa_expression, rules.cfa_expression_size, nullptr, *registers,
                            bounds, &cfa)) {
      return false;
    }
  } else {
    if (rules.cfa_register >= kRegisters) return false;
    cfa = registers->value[rules.cfa_register] + static_cast<uint64_t>(rules.cfa_offset);
  }
  // Frames lie above their callees; a signal frame's interrupted frame may not.
  if (!description.signal_frame && cfa <= registers->value[kRsp]) return false;
  const Registers before = *registers;
  for (uint32_t number = 0; number < kRegisters; ++number) {
    uint64_t slot = 0;
    if (!ApplyRule(rules.of[number], number, cfa, before, bounds, &registers->value[number],
                   &slot)) {
      return false;
    }
    if (number == kRip) result->return_slot = slot;
  }
  result->cfa = cfa;
  result->signal_frame = description.signal_frame;
  result->outermost = rules.of[kRip].kind == RuleKind::kUndefined;
  return true;
}

}  // namespace lockwarden::ledger
