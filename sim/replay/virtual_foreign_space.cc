#include "sim/replay/virtual_foreign_space.h"

#include <iterator>
#include <map>
#include <string_view>

#include "alloc/check.h"

namespace reheap {
namespace {

// As a holder of memory in a refusal; unlabelled memory is "mapped by the program".
std::string_view LabelOf(const ForeignTraits& traits) {
  if (traits.holder == ForeignHolder::kThreadStack) return "thread stacks";
  return traits.flags.file ? "files mapped by the program" : "";
}

// What the place has to say before anything is asked of the platform: it lies in a granule, among the
// addresses of a process.
Rule CheckPlace(const VirtualOs& os, AddrRange range) {
  const Platform::Machine& machine = os.platform().machine;
  if (range.start.value() < machine.user_start || range.end().value() > machine.user_end) {
    return Rule::kOutOfUserRange;
  }
  const bool free = range.start.value() % machine.granularity_bytes == 0 && !os.space().Overlaps(range);
  return free ? Rule::kNone : Rule::kAddressTaken;
}

Refusal RefusedPlace(Rule rule, AddrRange range) {
  Refusal refusal;
  refusal.rule = rule;
  refusal.operation = OsOperation::kMapReady;
  refusal.asked_bytes = range.bytes;
  refusal.wanted = range.start;
  return refusal;
}

template <class T>
OsResult<Done> DoneIf(const OsResult<T>& result, OsOperation operation) {
  if (result.ok()) return Done();
  Refusal refusal = result.refusal();
  refusal.operation = operation;
  return refusal;
}

class MappingForeignSpace final : public ForeignSpace {
 public:
  explicit MappingForeignSpace(VirtualOs* os) : os_(*os) {}

  uint64_t os_page_bytes() const override { return os_.os_page_bytes(); }
  bool has_break() const override { return true; }

  OsResult<Done> MapAt(AddrRange range, const ForeignTraits& traits) override {
    if (const Rule rule = CheckPlace(os_, range); rule != Rule::kNone) return RefusedPlace(rule, range);
    return DoneIf(Map(range, traits, bits().map_fixed), OsOperation::kMapReady);
  }
  OsResult<Addr> MapAnywhere(uint64_t bytes, const ForeignTraits& traits) override {
    return Map({Addr(), bytes}, traits, 0);
  }
  OsResult<Done> MapOver(AddrRange range, const ForeignTraits& traits) override {
    return DoneIf(Map(range, traits, bits().map_fixed), OsOperation::kMapReady);
  }
  OsResult<Done> Unmap(AddrRange range) override {
    const OsResult<Done> done = os_.Munmap(range.start, range.bytes);
    if (done.ok()) os_.Label(range, "");
    return DoneIf(done, OsOperation::kRelease);
  }
  OsResult<Done> Protect(AddrRange range, int protection) override {
    return DoneIf(os_.Mprotect(range.start, range.bytes, protection), OsOperation::kCommit);
  }
  OsResult<Done> Discard(AddrRange range) override {
    return DoneIf(os_.Madvise(range.start, range.bytes, bits().advice_discard), OsOperation::kDiscard);
  }
  OsResult<Done> MoveBreak(int64_t step_bytes) override {
    return DoneIf(os_.Brk(os_.program_break() + static_cast<uint64_t>(step_bytes)), OsOperation::kMapReady);
  }

 private:
  const CallBits& bits() const { return os_.platform().machine.bits; }

  OsResult<Addr> Map(AddrRange range, const ForeignTraits& traits, int more_flags) {
    const bool shared = traits.flags.shared;
    const bool uncharged = traits.flags.no_reserve || (shared && traits.flags.file);
    const int flags = (shared ? bits().map_shared : bits().map_private) | bits().map_anonymous | more_flags |
                      (uncharged ? bits().map_no_reserve : 0);
    OsResult<Addr> got = os_.Mmap(range.start, range.bytes, traits.protection, flags);
    if (got.ok()) {
      os_.Label({got.value(), range.bytes}, LabelOf(traits));
      return got;
    }
    Refusal refusal = got.refusal();
    refusal.operation = OsOperation::kMapReady;
    return refusal;
  }

  VirtualOs& os_;
};

uint32_t PageProtection(int protection) {
  if (protection & kProtExecute) return kPageExecuteReadWrite;
  if (protection & kProtWrite) return kPageReadWrite;
  return protection & kProtRead ? kPageReadOnly : kPageNoAccess;
}

class ReservingForeignSpace final : public ForeignSpace {
 public:
  explicit ReservingForeignSpace(VirtualOs* os) : os_(*os) {}

  uint64_t os_page_bytes() const override { return os_.os_page_bytes(); }
  bool has_break() const override { return false; }

  OsResult<Done> MapAt(AddrRange range, const ForeignTraits& traits) override {
    if (const Rule rule = CheckPlace(os_, range); rule != Rule::kNone) return RefusedPlace(rule, range);
    return DoneIf(Allocate(range, traits), OsOperation::kMapReady);
  }
  OsResult<Addr> MapAnywhere(uint64_t bytes, const ForeignTraits& traits) override {
    return Allocate({Addr(), bytes}, traits);
  }
  OsResult<Done> MapOver(AddrRange range, const ForeignTraits& traits) override {
    const OsResult<Done> gone = os_.VirtualFree(range.start, range.bytes, kMemDecommit);
    if (!gone.ok()) return DoneIf(gone, OsOperation::kMapReady);
    return Protect(range, traits.protection);
  }
  OsResult<Done> Unmap(AddrRange range) override {
    auto allocation = std::prev(allocations_.upper_bound(range.start));
    allocation->second -= range.bytes;
    if (allocation->second != 0) {
      return DoneIf(os_.VirtualFree(range.start, range.bytes, kMemDecommit), OsOperation::kDecommit);
    }
    const Addr base = allocation->first;
    allocations_.erase(allocation);
    os_.Label(range, "");
    return DoneIf(os_.VirtualFree(base, 0, kMemRelease), OsOperation::kRelease);
  }
  // Committed memory that becomes inaccessible stays committed; reserved memory is inaccessible as it is, which
  // VirtualProtect answers with a refusal.
  OsResult<Done> Protect(AddrRange range, int protection) override {
    if (protection == 0) {
      const OsResult<Done> hidden = os_.VirtualProtect(range.start, range.bytes, kPageNoAccess);
      const bool only_reserved = !hidden.ok() && hidden.refusal().rule == Rule::kNotCommitted;
      return only_reserved ? OsResult<Done>(Done()) : DoneIf(hidden, OsOperation::kDecommit);
    }
    return DoneIf(os_.VirtualAlloc(range.start, range.bytes, kMemCommit, PageProtection(protection)),
                  OsOperation::kCommit);
  }
  OsResult<Done> Discard(AddrRange) override { return Done(); }
  OsResult<Done> MoveBreak(int64_t) override { REHEAP_CHECK(false && "there is no break"); }

 private:
  OsResult<Addr> Allocate(AddrRange range, const ForeignTraits& traits) {
    const uint32_t type = traits.protection == 0 ? kMemReserve : kMemReserve | kMemCommit;
    OsResult<Addr> got = os_.VirtualAlloc(range.start, range.bytes, type, PageProtection(traits.protection));
    if (got.ok()) {
      allocations_[got.value()] = range.bytes;
      os_.Label({got.value(), range.bytes}, LabelOf(traits));
      return got;
    }
    Refusal refusal = got.refusal();
    refusal.operation = OsOperation::kMapReady;
    return refusal;
  }

  VirtualOs& os_;
  std::map<Addr, uint64_t> allocations_;  // base -> bytes not unmapped
};

// One linear memory: there is nothing but growing it, and nothing is ever given back.
class GrowingForeignSpace final : public ForeignSpace {
 public:
  explicit GrowingForeignSpace(VirtualOs* os) : os_(*os) {}

  uint64_t os_page_bytes() const override { return os_.os_page_bytes(); }
  bool has_break() const override { return false; }
  OsResult<Done> MapAt(AddrRange range, const ForeignTraits&) override {
    return RefusedPlace(Rule::kOutOfUserRange, range);
  }
  OsResult<Addr> MapAnywhere(uint64_t bytes, const ForeignTraits& traits) override {
    OsResult<Addr> got = os_.MemoryGrow(RoundUp(bytes, os_.granularity_bytes()));
    if (got.ok()) {
      os_.Label({got.value(), bytes}, LabelOf(traits));
      return got;
    }
    Refusal refusal = got.refusal();
    refusal.operation = OsOperation::kMapReady;
    return refusal;
  }
  OsResult<Done> MapOver(AddrRange, const ForeignTraits&) override { return Done(); }
  OsResult<Done> Unmap(AddrRange) override { return Done(); }
  OsResult<Done> Protect(AddrRange, int) override { return Done(); }
  OsResult<Done> Discard(AddrRange) override { return Done(); }
  OsResult<Done> MoveBreak(int64_t) override { REHEAP_CHECK(false && "there is no break"); }

 private:
  VirtualOs& os_;
};

}  // namespace

std::unique_ptr<ForeignSpace> MakeVirtualForeignSpace(VirtualOs* os) {
  switch (os->platform().machine.calls) {
    case CallFamily::kReserveAndCommit:
      return std::make_unique<ReservingForeignSpace>(os);
    case CallFamily::kGrowOnly:
      return std::make_unique<GrowingForeignSpace>(os);
    case CallFamily::kMapAndProtect:
      break;
  }
  return std::make_unique<MappingForeignSpace>(os);
}

}  // namespace reheap
