#include "sim/os/limits.h"

#include <algorithm>

namespace reheap {
namespace {

// Kernels compare in whole pages: the limit counts rounded down (may_expand_vm, mm/vma.c, linux 6.12).
uint64_t WholePages(const std::optional<uint64_t>& limit, uint64_t os_page_bytes) {
  return limit.has_value() ? RoundDown(*limit, os_page_bytes) : ~uint64_t{0};
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
  return Compare(Rule::kDataLimit, data_->OnClaim(totals, claimed_bytes), claimed_bytes, Allowed().data_bytes);
}

Refusal Limits::CheckProtect(const MappingTotals& totals, uint64_t bytes, bool was_data, bool becomes_data,
                             bool charge) const {
  const Allowances allowed = Allowed();
  if (data_->RefusesProtect(totals, {bytes, was_data, becomes_data}, *address_, allowed)) {
    return Refuse(Rule::kDataLimit, bytes, totals.data_bytes, allowed.data_bytes);
  }
  return charge ? CheckCommit(totals, bytes) : Refusal();
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
  switch (platform_->limits.commit_refusal) {
    case CommitRefusal::kNever:
      return Refusal();
    case CommitRefusal::kRamPlusSwap: {
      const uint64_t allowed = limits_.ram_bytes + limits_.swap_bytes;
      if (!Exceeds({totals.charged_bytes, bytes}, allowed)) return Refusal();
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
  const uint64_t allowed = limits_.data_bytes.value_or(~uint64_t{0});
  if (!data_->CoversBreak() || break_bytes <= allowed) return Refusal();
  return Refuse(Rule::kDataLimit, break_bytes - now_bytes, now_bytes, allowed);
}

Refusal Limits::CheckCount(uint64_t count, bool strict) const {
  const uint64_t most = limits_.max_mappings.value_or(platform_->limits.max_mappings);
  // A new mapping is refused above the limit (do_mmap), a split at it (split_vma): mm/mmap.c, mm/vma.c, 6.12.
  if (most == 0 || (strict ? count < most : count <= most)) return Refusal();
  return Refuse(Rule::kMappingCount, 0, count, most);
}

}  // namespace reheap
