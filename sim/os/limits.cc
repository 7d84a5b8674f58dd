#include "sim/os/limits.h"

#include <algorithm>

namespace reheap {
namespace {

// Kernels compare in whole pages: the limit counts rounded down (may_expand_vm, mm/vma.c, linux 6.12).
uint64_t Allowed(const std::optional<uint64_t>& limit, uint64_t os_page_bytes) {
  return limit.has_value() ? RoundDown(*limit, os_page_bytes) : ~uint64_t{0};
}

// in_use + added > allowed without overflow.
bool Exceeds(uint64_t in_use, uint64_t added, uint64_t allowed) {
  return added > allowed || in_use > allowed - added;
}

}  // namespace

Refusal Limits::Refuse(Rule rule, uint64_t asked, uint64_t in_use, uint64_t allowed) const {
  const ErrorNumbers& errors = platform_->machine.errors;
  Refusal refusal;
  refusal.rule = rule;
  refusal.os_error = rule == Rule::kCommitLimit ? errors.commit_limit : errors.out_of_memory;
  refusal.asked_bytes = asked;
  refusal.in_use_bytes = in_use;
  refusal.allowed_bytes = allowed;
  return refusal;
}

Refusal Limits::CheckMap(const MappingTotals& totals, const Demand& demand) const {
  const uint64_t page = platform_->machine.os_page_bytes;
  const uint64_t address_limit = Allowed(limits_.address_bytes, page);
  switch (platform_->limits.address) {
    case AddressLimitRule::kBeforeOverlapSubtracted:  // may_expand_vm(len - overlap), mm/vma.c, linux 6.12
    // map->size > limit after the insertion, which is then undone (vm_map.c:3604, xnu-8019.41.5 and later):
    // the same sum, so it can be tested before.
    case AddressLimitRule::kAfterWholeMap:
      if (Exceeds(totals.mapped_bytes - demand.replaced_bytes, demand.bytes, address_limit)) {
        return Refuse(Rule::kAddressLimit, demand.bytes, totals.mapped_bytes, address_limit);
      }
      break;
    case AddressLimitRule::kBeforeOverlapCounted:  // map->size + size > limit, vm_mmap.c:1542, FreeBSD 12.3
      if (Exceeds(totals.mapped_bytes, demand.bytes, address_limit)) {
        return Refuse(Rule::kAddressLimit, demand.bytes, totals.mapped_bytes, address_limit);
      }
      break;
    case AddressLimitRule::kNotEnforced:
      break;
  }
  const uint64_t data_limit = Allowed(limits_.data_bytes, page);
  const uint64_t added = demand.bytes - demand.replaced_bytes;
  switch (platform_->limits.data) {
    case DataLimitRule::kPrivateWritable:
      // The overlap is subtracted whatever it was: one page count serves both limits (may_expand_vm, linux
      // 6.12).
      if (demand.data && Exceeds(totals.data_bytes, added, data_limit)) {
        return Refuse(Rule::kDataLimit, demand.bytes, totals.data_bytes, data_limit);
      }
      break;
    case DataLimitRule::kWholeMap:  // vm_map.c:3633, xnu-8019.41.5 and later
      if (Exceeds(totals.mapped_bytes, added, data_limit)) {
        return Refuse(Rule::kDataLimit, demand.bytes, totals.mapped_bytes, data_limit);
      }
      break;
    case DataLimitRule::kBreakOnly:
    case DataLimitRule::kNotEnforced:
      break;
  }
  return Refusal();
}

bool Limits::MayExpand(const MappingTotals& totals, uint64_t bytes, bool data) const {
  const uint64_t page = platform_->machine.os_page_bytes;
  return !Exceeds(totals.mapped_bytes, bytes, Allowed(limits_.address_bytes, page)) &&
         !(data && Exceeds(totals.data_bytes, bytes, Allowed(limits_.data_bytes, page)));
}

Refusal Limits::CheckProtect(const MappingTotals& totals, uint64_t bytes, bool was_data, bool becomes_data,
                             bool charge) const {
  // Fails only when the limits have room for the bytes as they were but not as they become, so that a full
  // RLIMIT_AS switches the RLIMIT_DATA test off (mprotect_fixup, mm/mprotect.c, linux 6.12).
  if (platform_->limits.data == DataLimitRule::kPrivateWritable && !MayExpand(totals, bytes, becomes_data) &&
      MayExpand(totals, bytes, was_data)) {
    return Refuse(Rule::kDataLimit, bytes, totals.data_bytes,
                  Allowed(limits_.data_bytes, platform_->machine.os_page_bytes));
  }
  return charge ? CheckCommit(totals, bytes) : Refusal();
}

Refusal Limits::CheckCommit(const MappingTotals& totals, uint64_t bytes) const {
  switch (platform_->limits.commit_refusal) {
    case CommitRefusal::kNever:
      return Refusal();
    case CommitRefusal::kRamPlusSwap: {
      const uint64_t allowed = limits_.ram_bytes + limits_.swap_bytes;
      if (!Exceeds(totals.charged_bytes, bytes, allowed)) return Refusal();
      return Refuse(Rule::kCommitLimit, bytes, totals.charged_bytes, allowed);
    }
    case CommitRefusal::kOvercommitMode:
      break;
  }
  // __vm_enough_memory, mm/util.c, linux 6.12.
  switch (limits_.overcommit) {
    case OvercommitMode::kAlways:
      return Refusal();
    case OvercommitMode::kHeuristic: {
      const uint64_t allowed = limits_.ram_bytes + limits_.swap_bytes;
      if (bytes <= allowed) return Refusal();
      return Refuse(Rule::kOvercommitHeuristic, bytes, totals.charged_bytes, allowed);
    }
    case OvercommitMode::kNever: {
      // CommitLimit, less what is kept for root (8 MiB) and for the user to recover with: a thirty-second of
      // the process, at most 128 MiB. The rest of the machine is taken to have committed nothing.
      const uint64_t limit = limits_.ram_bytes / 100 * limits_.overcommit_ratio + limits_.swap_bytes;
      const uint64_t kept = 8 * kMiB + std::min(totals.mapped_bytes / 32, 128 * kMiB);
      const uint64_t allowed = limit > kept ? limit - kept : 0;
      // committed < allowed must hold after adding.
      if (totals.charged_bytes + bytes < allowed) return Refusal();
      return Refuse(Rule::kCommitLimit, bytes, totals.charged_bytes, allowed);
    }
  }
  return Refusal();
}

Refusal Limits::CheckBreak(uint64_t break_bytes, uint64_t now_bytes) const {
  const bool enforced = platform_->limits.data == DataLimitRule::kPrivateWritable ||
                        platform_->limits.data == DataLimitRule::kBreakOnly;
  const uint64_t allowed = limits_.data_bytes.value_or(~uint64_t{0});
  if (!enforced || break_bytes <= allowed) return Refusal();
  return Refuse(Rule::kDataLimit, break_bytes - now_bytes, now_bytes, allowed);
}

// do_mlock and mlock_future_ok, mm/mlock.c and mm/mmap.c, linux 6.12.
Refusal Limits::CheckLocked(const MappingTotals& totals, uint64_t bytes, uint64_t counted_bytes) const {
  const uint64_t allowed = Allowed(limits_.locked_bytes, platform_->machine.os_page_bytes);
  if (limits_.is_privileged || !Exceeds(totals.locked_bytes - counted_bytes, bytes, allowed)) return Refusal();
  return Refuse(Rule::kLockedLimit, bytes, totals.locked_bytes, allowed);
}

// can_do_mlock, mm/mlock.c, linux 6.12.
Refusal Limits::CheckMayLock() const {
  if (limits_.is_privileged || limits_.locked_bytes.value_or(1) != 0) return Refusal();
  Refusal refusal = Refuse(Rule::kLockedLimit, 0, 0, 0);
  refusal.os_error = platform_->machine.errors.not_permitted;
  return refusal;
}

// try_charge_memcg, mm/memcontrol.c, linux 6.12: may reach the limit.
Refusal Limits::CheckMemory(uint64_t charged_bytes, uint64_t added_bytes) const {
  const uint64_t allowed = Allowed(limits_.memory_max_bytes, platform_->machine.os_page_bytes);
  if (!Exceeds(charged_bytes, added_bytes, allowed)) return Refusal();
  return Refuse(Rule::kMemoryCgroup, added_bytes, charged_bytes, allowed);
}

Refusal Limits::CheckCount(uint64_t count, bool strict) const {
  const uint64_t most = limits_.max_mappings.value_or(platform_->limits.max_mappings);
  // A new mapping is refused above the limit (do_mmap), a split at it (split_vma): mm/mmap.c, mm/vma.c, 6.12.
  if (most == 0 || (strict ? count < most : count <= most)) return Refusal();
  return Refuse(Rule::kMappingCount, 0, count, most);
}

}  // namespace reheap
