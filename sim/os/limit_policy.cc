#include "sim/os/limit_policy.h"

#include "alloc/check.h"

namespace reheap {
namespace {

// ---- address ----

// No RLIMIT_AS, or one that nobody reads.
class NoAddressLimit final : public AddressLimitPolicy {
 public:
  std::optional<LimitedSum> OnMap(const MappingTotals&, const Demand&) const override { return std::nullopt; }
};

// may_expand_vm(len - overlap), mm/mmap.c, linux 6.12: what a fixed mapping replaces does not count twice.
class OverlapSubtracted final : public AddressLimitPolicy {
 public:
  std::optional<LimitedSum> OnMap(const MappingTotals& totals, const Demand& demand) const override {
    return LimitedSum{totals.mapped_bytes, demand.bytes - demand.replaced_bytes};
  }
};

// map->size + size > lim_cur(RLIMIT_VMEM): vm_mmap_object, sys/vm/vm_mmap.c:1542, FreeBSD 12.3, before
// anything is unmapped; uvm_mmap, sys/uvm/uvm_mmap.c 1.153, NetBSD, after (Platform::Mappings::replace).
class OverlapCounted final : public AddressLimitPolicy {
 public:
  std::optional<LimitedSum> OnMap(const MappingTotals& totals, const Demand& demand) const override {
    return LimitedSum{totals.mapped_bytes, demand.bytes};
  }
};

// map->size > map->size_limit once the mapping is in, which is then taken out again and the replaced one put
// back: vm_map_enter, osfmk/vm/vm_map.c:3162 in xnu-8019.41.5. The same sum, so it can be asked before.
// A limit below map->size is refused: vm_map_set_size_limit, vm_map.c:21704 in xnu-11417.101.15.
class WholeMapAfter final : public AddressLimitPolicy {
 public:
  std::optional<LimitedSum> OnMap(const MappingTotals& totals, const Demand& demand) const override {
    return LimitedSum{totals.mapped_bytes - demand.replaced_bytes, demand.bytes};
  }
  bool MayBeSetBelowUse() const override { return false; }
};

// ---- data ----

class NoDataLimit final : public DataLimitPolicy {
 public:
  std::optional<LimitedSum> OnMap(const MappingTotals&, const Demand&) const override { return std::nullopt; }
};

// sys_break, sys/vm/vm_unix.c, FreeBSD 12.3 and 13; sys_obreak, sys/uvm/uvm_unix.c, NetBSD.
class BreakOnly final : public DataLimitPolicy {
 public:
  std::optional<LimitedSum> OnMap(const MappingTotals&, const Demand&) const override { return std::nullopt; }
  bool CoversBreak() const override { return true; }
};

// Private writable mappings: is_data_mapping, mm/vma.h, linux 6.12.
class PrivateWritable final : public DataLimitPolicy {
 public:
  // The overlap is subtracted whatever it was: one page count serves both limits (may_expand_vm, mm/mmap.c,
  // linux 6.12).
  std::optional<LimitedSum> OnMap(const MappingTotals& totals, const Demand& demand) const override {
    if (!demand.data) return std::nullopt;
    return LimitedSum{totals.data_bytes, demand.bytes - demand.replaced_bytes};
  }
  // Only when the limits have room for the pages as they were but not as they become: a full RLIMIT_AS
  // switches the test off (mprotect_fixup, mm/mprotect.c, linux 6.12).
  bool RefusesProtect(const MappingTotals& totals, const ProtectDemand& demand,
                      const AddressLimitPolicy& address, const Allowances& allowances) const override {
    const auto may_expand = [&](bool data) {
      const Demand more{demand.bytes, 0, data};
      const std::optional<LimitedSum> sum = address.OnMap(totals, more), data_sum = OnMap(totals, more);
      return !(sum && Exceeds(*sum, allowances.address_bytes)) &&
             !(data_sum && Exceeds(*data_sum, allowances.data_bytes));
    };
    return !may_expand(demand.becomes_data) && may_expand(demand.was_data);
  }
  bool CoversBreak() const override { return true; }
};

// Anonymous pages with any access (vm_dused): sys_mmap, sys/uvm/uvm_mmap.c 1.193, and uvm_map_protect,
// sys/uvm/uvm_map.c 1.338, OpenBSD. A PROT_NONE reservation is free. What a fixed mapping replaces is still
// counted when the sum is compared, because it is unmapped later.
class AccessibleAnonymous final : public DataLimitPolicy {
 public:
  std::optional<LimitedSum> OnMap(const MappingTotals& totals, const Demand& demand) const override {
    if (!demand.claims) return std::nullopt;
    return LimitedSum{totals.claimed_bytes, demand.bytes};
  }
  std::optional<LimitedSum> OnClaim(const MappingTotals& totals, uint64_t claimed_bytes) const override {
    return LimitedSum{totals.claimed_bytes, claimed_bytes};
  }
  bool CountsClaims() const override { return true; }
  bool CoversBreak() const override { return true; }  // sys_obreak, sys/uvm/uvm_unix.c
};

// map->size > map->data_limit beside the address limit: vm_map_enter, osfmk/vm/vm_map.c:3182, xnu-8019.41.5.
class WholeMapAsData final : public DataLimitPolicy {
 public:
  std::optional<LimitedSum> OnMap(const MappingTotals& totals, const Demand& demand) const override {
    return LimitedSum{totals.mapped_bytes - demand.replaced_bytes, demand.bytes};
  }
  bool MayBeSetBelowUse() const override { return false; }  // vm_map_set_data_limit, xnu-11417.101.15
};

}  // namespace

const AddressLimitPolicy& PolicyOf(AddressLimitRule rule) {
  static const NoAddressLimit none;
  static const OverlapSubtracted subtracted;
  static const OverlapCounted counted;
  static const WholeMapAfter whole_map;
  switch (rule) {
    case AddressLimitRule::kNotEnforced:
      return none;
    case AddressLimitRule::kBeforeOverlapSubtracted:
      return subtracted;
    case AddressLimitRule::kBeforeOverlapCounted:
      return counted;
    case AddressLimitRule::kAfterWholeMap:
      return whole_map;
  }
  REHEAP_CHECK(false);
  return none;
}

const DataLimitPolicy& PolicyOf(DataLimitRule rule) {
  static const NoDataLimit none;
  static const BreakOnly break_only;
  static const PrivateWritable private_writable;
  static const WholeMapAsData whole_map;
  static const AccessibleAnonymous accessible;
  switch (rule) {
    case DataLimitRule::kNotEnforced:
      return none;
    case DataLimitRule::kBreakOnly:
      return break_only;
    case DataLimitRule::kPrivateWritable:
      return private_writable;
    case DataLimitRule::kWholeMap:
      return whole_map;
    case DataLimitRule::kAccessibleAnonymous:
      return accessible;
  }
  REHEAP_CHECK(false);
  return none;
}

}  // namespace reheap
