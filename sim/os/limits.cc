#include "sim/os/limits.h"

#include <algorithm>

namespace reheap {
namespace {

// Kernels compare in whole pages: the limit counts rounded down (may_expand_vm, mm/mmap.c, linux 6.12).
uint64_t WholePages(const std::optional<uint64_t>& limit, uint64_t os_page_bytes) {
  return limit.has_value() ? RoundDown(*limit, os_page_bytes) : ~uint64_t{0};
}

}  // namespace

Refusal Limits::Refuse(Rule rule, uint64_t asked, uint64_t in_use, uint64_t allowed) const {
  const ErrorNumbers& errors = platform_->machine.errors;
  Refusal refusal;
  refusal.rule = rule;
  const bool is_commit = rule == Rule::kCommitLimit || rule == Rule::kJobLimit;
  refusal.os_error = is_commit ? errors.commit_limit : errors.out_of_memory;
  refusal.asked_bytes = asked;
  refusal.in_use_bytes = in_use;
  refusal.allowed_bytes = allowed;
  return refusal;
}

Allowances Limits::Allowed() const {
  const uint64_t page = platform_->machine.os_page_bytes;
  return {WholePages(limits_.address_bytes, page), WholePages(limits_.data_bytes, page)};
}

Refusal Limits::Compare(Rule rule, std::optional<LimitedSum> sum, uint64_t asked, uint64_t allowed) const {
  if (!sum || !Exceeds(*sum, allowed)) return Refusal();
  return Refuse(rule, asked, sum->in_use_bytes, allowed);
}

Refusal Limits::CheckMap(const MappingTotals& totals, const Demand& demand) const {
  const Allowances allowed = Allowed();
  const Refusal refusal =
      Compare(Rule::kAddressLimit, address_->OnMap(totals, demand), demand.bytes, allowed.address_bytes);
  if (refusal.rule != Rule::kNone) return refusal;
  return Compare(Rule::kDataLimit, data_->OnMap(totals, demand), demand.bytes, allowed.data_bytes);
}

Refusal Limits::CheckClaim(const MappingTotals& totals, uint64_t claimed_bytes) const {
  const std::optional<LimitedSum> sum = data_->OnClaim(totals, claimed_bytes);
  return Compare(Rule::kDataLimit, sum, claimed_bytes, Allowed().data_bytes);
}

Refusal Limits::CheckProtect(const MappingTotals& totals, uint64_t bytes, bool was_data, bool becomes_data,
                             bool charge) const {
  const Allowances allowed = Allowed();
  if (data_->RefusesProtect(totals, {bytes, was_data, becomes_data}, *address_, allowed)) {
    return Refuse(Rule::kDataLimit, bytes, totals.data_bytes, allowed.data_bytes);
  }
  return charge ? CheckCommitLater(totals, bytes) : Refusal();
}

Refusal Limits::CheckNew(const ProcessLimits& limits, const MappingTotals& totals) const {
  const auto below_use = [&](Rule rule, const std::optional<uint64_t>& limit, bool may_be_below) {
    if (may_be_below || !limit || *limit >= totals.mapped_bytes) return Refusal();
    Refusal refusal = Refuse(rule, 0, totals.mapped_bytes, *limit);
    refusal.os_error = platform_->machine.errors.invalid_argument;
    return refusal;
  };
  const Refusal refusal = below_use(Rule::kAddressLimit, limits.address_bytes, address_->MayBeSetBelowUse());
  if (refusal.rule != Rule::kNone) return refusal;
  return below_use(Rule::kDataLimit, limits.data_bytes, data_->MayBeSetBelowUse());
}

Refusal Limits::CheckCommit(const MappingTotals& totals, uint64_t bytes) const {
  const CommitDemand demand{totals.charged_bytes, totals.mapped_bytes, bytes};
  const auto refused = commit_->Check(limits_, demand, platform_->machine.os_page_bytes);
  return refused ? Refuse(refused->rule, bytes, refused->in_use_bytes, refused->allowed_bytes) : Refusal();
}

Refusal Limits::CheckCommitLater(const MappingTotals& totals, uint64_t bytes) const {
  Refusal refusal = CheckCommit(totals, bytes);
  const int error = platform_->machine.errors.commit_limit_later;
  if (refusal.rule != Rule::kNone && error != 0) refusal.os_error = error;
  return refusal;
}

Refusal Limits::CheckBreak(uint64_t break_bytes, uint64_t now_bytes) const {
  const uint64_t allowed = limits_.data_bytes.value_or(~uint64_t{0});
  if (!data_->CoversBreak() || break_bytes <= allowed) return Refusal();
  return Refuse(Rule::kDataLimit, break_bytes - now_bytes, now_bytes, allowed);
}

// do_mlock and mlock_future_ok, mm/mlock.c and mm/mmap.c, linux 6.12; kern_mlock, sys/vm/vm_mmap.c, FreeBSD.
Refusal Limits::CheckLocked(uint64_t locked_bytes, uint64_t bytes, uint64_t counted_bytes) const {
  const uint64_t allowed = WholePages(limits_.locked_bytes, platform_->machine.os_page_bytes);
  if (platform_->limits.locked_counts_again) counted_bytes = 0;
  const LimitedSum sum{locked_bytes - counted_bytes, bytes};
  if (limits_.is_privileged || !Exceeds(sum, allowed)) return Refusal();
  Refusal refusal = Refuse(Rule::kLockedLimit, bytes, locked_bytes, allowed);
  if (const int error = platform_->machine.errors.lock_limit; error != 0) refusal.os_error = error;
  return refusal;
}

// can_do_mlock, mm/mlock.c, linux 6.12.
Refusal Limits::CheckMayLock() const {
  const bool asks_nobody = platform_->machine.errors.privilege == 0;  // the limit alone decides
  if (asks_nobody || limits_.is_privileged || limits_.locked_bytes.value_or(1) != 0) return Refusal();
  Refusal refusal = Refuse(Rule::kLockedLimit, 0, 0, 0);
  refusal.os_error = platform_->machine.errors.privilege;
  return refusal;
}

// try_charge_memcg, mm/memcontrol.c, linux 6.12: may reach the limit.
Refusal Limits::CheckMemory(uint64_t charged_bytes, uint64_t added_bytes) const {
  const uint64_t allowed = WholePages(limits_.memory_max_bytes, platform_->machine.os_page_bytes);
  if (!Exceeds(LimitedSum{charged_bytes, added_bytes}, allowed)) return Refusal();
  return Refuse(Rule::kMemoryCgroup, added_bytes, charged_bytes, allowed);
}

Refusal Limits::CheckMachine(uint64_t charged_bytes, uint64_t needed_bytes) const {
  // What does not fit in 64 bits is no machine's.
  const uint64_t swap = std::min(limits_.swap_bytes, ~uint64_t{0} - limits_.ram_bytes);
  const uint64_t allowed = limits_.ram_bytes + swap;
  if (needed_bytes <= allowed) return Refusal();
  return Refuse(Rule::kCommitLimit, needed_bytes, charged_bytes, allowed);
}

Refusal Limits::CheckCount(uint64_t count, bool strict) const {
  const uint64_t most = limits_.max_mappings.value_or(platform_->limits.max_mappings);
  // A new mapping is refused above the limit (do_mmap), a split at it (split_vma): mm/mmap.c, mm/vma.c, 6.12.
  if (most == 0 || (strict ? count < most : count <= most)) return Refusal();
  return Refuse(Rule::kMappingCount, 0, count, most);
}

}  // namespace reheap
