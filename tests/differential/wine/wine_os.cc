#include "tests/differential/wine/wine_os.h"

#include "alloc/check.h"
#include "sim/os/page_protection.h"

namespace reheap {
namespace {

uint32_t ProtectionFor(Access access) {
  return access == Access::kReadWriteExecute ? kPageExecuteReadWrite : kPageReadWrite;
}

}  // namespace

OsResult<AddrRange> WineOs::Alloc(OsOperation operation, AddrRange range, uint32_t type,
                                  uint32_t protection) {
  WindowsRequest request{WindowsRequest::kAlloc, range.start.value(), range.bytes, type, protection};
  WindowsAnswer answer = process_.Call(request);
  const bool is_preference = operation == OsOperation::kReserve || operation == OsOperation::kMapReady;
  if (answer.error == 487 && is_preference) {
    request.addr = 0;
    answer = process_.Call(request);
  }
  if (answer.error == 0) return AddrRange{Addr(answer.value), range.bytes};
  Refusal refusal;
  refusal.rule = operation == OsOperation::kMapReadyAt ? Rule::kAddressTaken : Rule::kUnknown;
  refusal.operation = operation;
  refusal.os_error = static_cast<int>(answer.error);
  refusal.asked_bytes = range.bytes;
  refusal.wanted = range.start;
  return refusal;
}

OsResult<Done> WineOs::Free(OsOperation operation, AddrRange range, uint64_t bytes, uint32_t type) {
  const WindowsAnswer answer = process_.Call({WindowsRequest::kFree, range.start.value(), bytes, type, 0});
  if (answer.error == 0) return Done();
  Refusal refusal;
  refusal.rule = Rule::kUnknown;
  refusal.operation = operation;
  refusal.os_error = static_cast<int>(answer.error);
  refusal.asked_bytes = range.bytes;
  refusal.wanted = range.start;
  return refusal;
}

OsResult<AddrRange> WineOs::DoReserve(uint64_t bytes, Addr hint) {
  return Alloc(OsOperation::kReserve, {hint, bytes}, kMemReserve, kPageNoAccess);
}
OsResult<AddrRange> WineOs::DoMapReady(uint64_t bytes, Access access, Addr hint) {
  return Alloc(OsOperation::kMapReady, {hint, bytes}, kMemReserve | kMemCommit, ProtectionFor(access));
}
OsResult<Done> WineOs::DoMapReadyAt(AddrRange range, Access access) {
  const auto got = Alloc(OsOperation::kMapReadyAt, range, kMemReserve | kMemCommit, ProtectionFor(access));
  return got.ok() ? OsResult<Done>(Done()) : got.refusal();
}
OsResult<Done> WineOs::DoCommit(AddrRange range, Access access, CommitMethod) {
  const auto got = Alloc(OsOperation::kCommit, range, kMemCommit, ProtectionFor(access));
  return got.ok() ? OsResult<Done>(Done()) : got.refusal();
}
OsResult<Done> WineOs::DoDiscard(AddrRange range) {
  return Free(OsOperation::kDiscard, range, range.bytes, kMemDecommit);
}
OsResult<Done> WineOs::DoReuse(AddrRange range) {
  const auto got = Alloc(OsOperation::kReuse, range, kMemCommit, kPageReadWrite);
  return got.ok() ? OsResult<Done>(Done()) : got.refusal();
}
OsResult<Done> WineOs::DoDecommit(AddrRange range) {
  return Free(OsOperation::kDecommit, range, range.bytes, kMemDecommit);
}
OsResult<Done> WineOs::DoRelease(AddrRange range) {
  return Free(OsOperation::kRelease, range, 0, kMemRelease);
}

OsUsage WineOs::Usage() {
  OsUsage usage;
  for (const RegionInfo& region : process_.Regions()) {
    usage.vsize_bytes += region.region_bytes;
    ++usage.mapping_count;
    if (region.state == kMemCommit && region.type == kMemPrivate) usage.commit_bytes += region.region_bytes;
  }
  return usage;
}

uint64_t WineOs::Read(Addr a) {
  const std::optional<uint64_t> value = process_.Read(a);
  REHEAP_CHECK(value.has_value());
  return *value;
}

void WineOs::Write(Addr a, uint64_t value) { REHEAP_CHECK(process_.Write(a, value)); }

}  // namespace reheap
