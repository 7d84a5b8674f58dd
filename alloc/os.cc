#include "alloc/os.h"

namespace reheap {

const char* RuleName(Rule rule) {
  switch (rule) {
    case Rule::kNone: return "none";
    case Rule::kUnknown: return "unknown";
    case Rule::kAddressLimit: return "RLIMIT_AS";
    case Rule::kDataLimit: return "RLIMIT_DATA";
    case Rule::kStackLimit: return "RLIMIT_STACK";
    case Rule::kOvercommitHeuristic: return "overcommit heuristic";
    case Rule::kCommitLimit: return "commit limit";
    case Rule::kMappingCount: return "mapping count";
    case Rule::kAddressSpaceExhausted: return "address space exhausted";
    case Rule::kAddressTaken: return "address taken";
    case Rule::kOutOfUserRange: return "out of user range";
    case Rule::kInvalidArgument: return "invalid argument";
    case Rule::kNotReserved: return "not reserved";
    case Rule::kNotCommitted: return "not committed";
    case Rule::kPrivilege: return "privilege";
    case Rule::kOnlyGrows: return "memory only grows";
    case Rule::kJobLimit: return "job memory limit";
    case Rule::kMemoryCgroup: return "memory.max";
    case Rule::kLockedLimit: return "RLIMIT_MEMLOCK";
    case Rule::kMemoryMaximum: return "memory maximum";
    case Rule::kWriteExecute: return "W^X";
  }
  return "unknown";
}

const char* OsOperationName(OsOperation operation) {
  switch (operation) {
    case OsOperation::kReserve: return "reserve";
    case OsOperation::kMapReady: return "map";
    case OsOperation::kMapReadyAt: return "map at";
    case OsOperation::kCommit: return "commit";
    case OsOperation::kDiscard: return "discard";
    case OsOperation::kReuse: return "reuse";
    case OsOperation::kDecommit: return "decommit";
    case OsOperation::kRelease: return "release";
  }
  return "unknown";
}

uint64_t Os::total_calls() const {
  uint64_t total = 0;
  for (uint64_t n : calls_) total += n;
  return total;
}

void Os::CheckRange(AddrRange range) const {
  REHEAP_CHECK_GT(range.bytes, 0);
  REHEAP_CHECK_NE(range.start.value(), 0);
  REHEAP_CHECK_EQ(range.start.value() % os_page_bytes(), 0);
  REHEAP_CHECK_EQ(range.bytes % os_page_bytes(), 0);
  REHEAP_CHECK_GE(range.end().value(), range.start.value());
}

template <class T, class Call>
OsResult<T> Os::Counted(OsOperation operation, AddrRange range, Call call) {
  ++calls_[static_cast<int>(operation)];
  if (observer_ == nullptr) return call();
  observer_->BeforeRequest(operation, range);
  OsResult<T> result = call();
  observer_->AfterRequest(operation, range, result.ok() ? nullptr : &result.refusal());
  return result;
}

OsResult<AddrRange> Os::Reserve(uint64_t bytes, Addr hint) {
  REHEAP_CHECK_GT(bytes, 0);
  REHEAP_CHECK_EQ(bytes % os_page_bytes(), 0);
  return Counted<AddrRange>(OsOperation::kReserve, {hint, bytes}, [&] { return DoReserve(bytes, hint); });
}

OsResult<AddrRange> Os::MapReady(uint64_t bytes, Access access, Addr hint) {
  REHEAP_CHECK_GT(bytes, 0);
  REHEAP_CHECK_EQ(bytes % os_page_bytes(), 0);
  return Counted<AddrRange>(OsOperation::kMapReady, {hint, bytes}, [&] { return DoMapReady(bytes, access, hint); });
}

OsResult<Done> Os::MapReadyAt(AddrRange range, Access access) {
  CheckRange(range);
  return Counted<Done>(OsOperation::kMapReadyAt, range, [&] { return DoMapReadyAt(range, access); });
}

OsResult<AddrRange> Os::Map(uint64_t bytes, Addr hint, const MapTraits& traits) {
  REHEAP_CHECK_GT(bytes, 0);
  REHEAP_CHECK_EQ(bytes % os_page_bytes(), 0);
  REHEAP_CHECK(hint || !traits.over);
  return Counted<AddrRange>(traits.ready ? OsOperation::kMapReady : OsOperation::kReserve, {hint, bytes},
                            [&] { return DoMap(bytes, hint, traits); });
}

OsResult<AddrRange> Os::GrowBreak(uint64_t bytes) {
  REHEAP_CHECK_GT(bytes, 0);
  REHEAP_CHECK_EQ(bytes % os_page_bytes(), 0);
  return Counted<AddrRange>(OsOperation::kMapReady, {Addr(), bytes}, [&] { return DoGrowBreak(bytes); });
}

// A system without words for the traits.
OsResult<AddrRange> Os::DoMap(uint64_t bytes, Addr hint, const MapTraits& traits) {
  if (!traits.over) return traits.ready ? DoMapReady(bytes, traits.access, hint) : DoReserve(bytes, hint);
  Refusal refusal;
  refusal.rule = Rule::kInvalidArgument;
  refusal.asked_bytes = bytes;
  refusal.wanted = hint;
  return refusal;
}

OsResult<AddrRange> Os::DoGrowBreak(uint64_t bytes) {
  Refusal refusal;
  refusal.rule = Rule::kInvalidArgument;
  refusal.operation = OsOperation::kMapReady;
  refusal.asked_bytes = bytes;
  return refusal;
}

OsResult<Done> Os::Commit(AddrRange range, Access access, CommitMethod method) {
  CheckRange(range);
  return Counted<Done>(OsOperation::kCommit, range, [&] { return DoCommit(range, access, method); });
}

OsResult<Done> Os::Discard(AddrRange range) {
  CheckRange(range);
  return Counted<Done>(OsOperation::kDiscard, range, [&] { return DoDiscard(range); });
}

OsResult<Done> Os::Reuse(AddrRange range) {
  CheckRange(range);
  return Counted<Done>(OsOperation::kReuse, range, [&] { return DoReuse(range); });
}

OsResult<Done> Os::Decommit(AddrRange range) {
  CheckRange(range);
  return Counted<Done>(OsOperation::kDecommit, range, [&] { return DoDecommit(range); });
}

OsResult<Done> Os::Release(AddrRange range) {
  CheckRange(range);
  return Counted<Done>(OsOperation::kRelease, range, [&] { return DoRelease(range); });
}

}  // namespace reheap
