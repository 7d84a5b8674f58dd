#include "sim/os/map_flags.h"

#include <bit>

#include "sim/os/process_state.h"

namespace reheap {
namespace {

uint64_t AlignmentOf(const MapFlagRules& rules, int flags) {
  const uint32_t value = static_cast<uint32_t>(flags & rules.alignment_mask);
  if (value == 0) return 0;
  if (value == static_cast<uint32_t>(rules.alignment_huge)) return rules.huge_page_bytes;
  const uint32_t log2 = value >> rules.alignment_shift;
  return log2 < 64 ? uint64_t{1} << log2 : 0;
}

// A power that is below an OS page, or that no address can have (kern_mmap, sys/vm/vm_mmap.c, FreeBSD 12.3;
// uvm_mmap, sys/uvm/uvm_mmap.c 1.153, NetBSD).
bool IsBadAlignment(const Platform& platform, int flags) {
  const MapFlagRules& rules = platform.machine.map_flag_rules;
  const uint32_t value = static_cast<uint32_t>(flags & rules.alignment_mask);
  if (value == 0 || value == static_cast<uint32_t>(rules.alignment_huge)) return false;
  const uint32_t log2 = value >> rules.alignment_shift;
  const uint32_t page_log2 = static_cast<uint32_t>(std::countr_zero(platform.machine.os_page_bytes));
  return log2 < page_log2 || log2 >= static_cast<uint32_t>(platform.machine.word_bits);
}

// kern_mmap, sys/vm/vm_mmap.c, FreeBSD 12.3 to 14; sys_mmap, sys/uvm/uvm_mmap.c 1.193, OpenBSD.
bool AreRefused(const Platform& platform, int protection, int flags) {
  const MapFlagRules& rules = platform.machine.map_flag_rules;
  const CallBits& bits = platform.machine.bits;
  const int read_write = kProtRead | kProtWrite;
  if (rules.protection_known != 0 && (protection & ~rules.protection_known) != 0) return true;
  if (HasFlag(flags, rules.gap_stack)) {
    if ((protection & read_write) != read_write) return true;
    if ((flags & rules.stack_needs) != rules.stack_needs) return true;
    if (rules.beside_stack != 0 && (flags & ~(rules.gap_stack | rules.beside_stack)) != 0) return true;
  }
  if (rules.known != 0 && (flags & ~rules.known) != 0) return true;
  const bool replaces_not = HasFlag(flags, bits.map_no_replace);
  if (rules.no_replace_needs_fixed && replaces_not && !HasFlag(flags, bits.map_fixed)) return true;
  if (HasFlag(flags, bits.map_shared | bits.map_private)) return true;
  if (HasFlag(flags, rules.guard) && (protection != 0 || (flags & ~(rules.guard | rules.beside_guard)) != 0)) {
    return true;
  }
  return IsBadAlignment(platform, flags);
}

// Anonymous memory, in one of its kinds, with a file (kern_mmap, FreeBSD 12.3; sys_mmap, NetBSD and OpenBSD).
bool HasStrayFile(const Platform& platform, int flags, int descriptor) {
  const MapFlagRules& rules = platform.machine.map_flag_rules;
  if (!rules.anonymous_has_no_file || descriptor == -1) return false;
  const int anonymous = platform.machine.bits.map_anonymous;
  return HasFlag(flags, anonymous) || HasFlag(flags, rules.guard) || HasFlag(flags, rules.gap_stack);
}

bool IsGiven(const MapFlagRules& rules) { return rules.known != 0 || rules.alignment_mask != 0; }

}  // namespace

MapFlags ReadMapFlags(const Platform& platform, int flags) {
  const MapFlagRules& rules = platform.machine.map_flag_rules;
  MapFlags read;
  read.guard = HasFlag(flags, rules.guard);
  read.gap_stack = HasFlag(flags, rules.gap_stack) && platform.mappings.stack_step_bytes != 0;
  const CallBits& bits = platform.machine.bits;
  const bool no_kind = !HasFlag(flags, bits.map_shared) && !HasFlag(flags, bits.map_private);
  read.is_private = no_kind && (rules.no_kind_is_private || read.guard);
  read.try_fixed = HasFlag(flags, rules.try_fixed);
  read.alignment_bytes = AlignmentOf(rules, flags);
  if (HasFlag(flags, rules.low)) read.end = rules.low_end;
  return read;
}

Refusal CheckMapFlags(const Platform& platform, AddrRange asked, int protection, int flags, int descriptor) {
  const Platform::Machine& machine = platform.machine;
  // W and X together are looked at before the flags (sys_mmap, sys/uvm/uvm_mmap.c 1.193, OpenBSD).
  if (const int error = platform.mappings.write_execute_map_error; error != 0 && IsWriteExecute(protection)) {
    return Refused(Rule::kWriteExecute, error, asked);
  }
  if (!IsGiven(machine.map_flag_rules)) return Refusal();
  if (HasStrayFile(platform, flags, descriptor) || AreRefused(platform, protection, flags)) {
    return Refused(Rule::kInvalidArgument, machine.errors.invalid_argument, asked);
  }
  // A fixed low place must be low (kern_mmap, sys/vm/vm_mmap.c, FreeBSD 12.3).
  const uint64_t end = ReadMapFlags(platform, flags).end;
  if (end != 0 && HasFlag(flags, machine.bits.map_fixed) &&
      (asked.bytes > end || asked.start.value() > end - asked.bytes)) {
    return Refused(Rule::kOutOfUserRange, machine.errors.invalid_argument, asked);
  }
  return Refusal();
}

}  // namespace reheap
