#include "alloc/range_taker.h"

#include <algorithm>

namespace reheap {
namespace {

// Windows can give back whole reservations only, so an aligned piece is found by reserving more, giving all
// of it back and asking for the aligned part; another thread may be faster (Go 1.19, sysReserveAligned: 100
// tries).
constexpr int kAlignTries = 100;

Refusal NoRoom(uint64_t bytes, bool ready) {
  Refusal refusal;
  refusal.rule = Rule::kAddressSpaceExhausted;
  refusal.operation = ready ? OsOperation::kMapReady : OsOperation::kReserve;
  refusal.asked_bytes = bytes;
  return refusal;
}

// SplitMix64 (Steele, Lea and Flood, 2014): the n-th number of the sequence that `seed` begins.
uint64_t Draw(uint64_t seed, uint64_t n) {
  uint64_t z = seed + (n + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

uint32_t HintCount(const HintList& hints) {
  return hints.after_image ? std::max(hints.count, 1u) : hints.count;
}

Addr HintAt(const HintList& hints, uint32_t n, const Os& os) {
  if (hints.random_mask != 0) return hints.base + (Draw(hints.seed, n) & hints.random_mask);
  const Addr base = hints.after_image
                        ? RoundUp(os.image_end(), std::max(hints.image_align_bytes, os.os_page_bytes()))
                        : hints.base;
  return base + n * hints.stride_bytes;
}

Refusal AddressTaken(OsOperation operation, uint64_t bytes, Addr wanted, Addr obtained) {
  Refusal refusal;
  refusal.rule = Rule::kAddressTaken;
  refusal.operation = operation;
  refusal.asked_bytes = bytes;
  refusal.wanted = wanted;
  refusal.obtained = obtained;
  return refusal;
}

OsResult<AddrRange> RangeTaker::Take(uint64_t bytes, Addr hint, const MapTraits& traits) {
  if (traits.no_reserve || traits.low || traits.over) return os_->Map(bytes, hint, traits);
  return traits.ready ? os_->MapReady(bytes, traits.access, hint) : os_->Reserve(bytes, hint);
}

OsResult<AddrRange> RangeTaker::TakeAligned(uint64_t bytes, uint64_t alignment, uint64_t spare_bytes,
                                            const MapTraits& traits) {
  const bool aligned_anyway = alignment <= os_->granularity_bytes();
  const uint64_t ask_bytes = aligned_anyway ? bytes : bytes + (spare_bytes == 0 ? alignment : spare_bytes);
  if (ask_bytes < bytes) return NoRoom(bytes, traits.ready);
  for (int tries = 0; tries < kAlignTries; ++tries) {
    const OsResult<AddrRange> got = Take(ask_bytes, Addr(), traits);
    if (!got.ok() || aligned_anyway) return got;
    if (!os_->release_is_whole()) return TrimTo(got.value(), bytes, alignment);
    ReleaseOrLose(got.value());
    const AddrRange part{RoundUp(got.value().start, alignment), bytes};
    if (traits.ready) {
      const OsResult<Done> mapped = os_->MapReadyAt(part, traits.access);
      if (mapped.ok()) return part;
      continue;
    }
    const OsResult<AddrRange> again = Take(bytes, part.start, traits);
    if (again.ok() && again.value().start == part.start) return part;
    if (again.ok()) ReleaseOrLose(again.value());
  }
  return NoRoom(bytes, traits.ready);
}

OsResult<AddrRange> RangeTaker::TrimTo(AddrRange got, uint64_t bytes, uint64_t alignment) {
  const AddrRange part{RoundUp(got.start, alignment), bytes};
  spare_was_behind_ = part.start == got.start;
  if (part.start > got.start) ReleaseOrLose({got.start, part.start - got.start});
  if (got.end() > part.end()) ReleaseOrLose({part.end(), got.end() - part.end()});
  return part;
}

void RangeTaker::ReleaseOrLose(AddrRange range) {
  if (!os_->Release(range).ok()) lost_bytes_ += range.bytes;
}

}  // namespace reheap
