// OutsideOs: address space outside the modelled process, for tables that the modelled allocator does not have
// (row 9).
//
// An allocator that finds a block's size in a header before it needs no page map; reheap's heap, which plays
// its part, does. What lies here is neither charged nor counted, so that the process is as large as the
// original's. Only a simulated Memory has such addresses (Memory::kOutsideStart); in a real process there is
// no outside.
//
// Ownership: hands out addresses and takes none back; the Memory owns the bytes. Threads: one. Limits: 2^62
// bytes.
#ifndef REHEAP_ALLOC_OUTSIDE_OS_H_
#define REHEAP_ALLOC_OUTSIDE_OS_H_

#include <cstdint>
#include <optional>

#include "alloc/addr.h"
#include "alloc/os.h"

namespace reheap {

class OutsideOs final : public Os {
 public:
  // `start`: the first address of the outside.
  explicit OutsideOs(Addr start) : next_(start) {}

  std::optional<AddrRange> TakeImageBss(uint64_t) override { return std::nullopt; }
  Addr image_end() const override { return Addr(); }
  uint64_t os_page_bytes() const override { return 4 * kKiB; }
  uint64_t granularity_bytes() const override { return 4 * kKiB; }
  bool release_is_whole() const override { return false; }
  OsUsage Usage() override { return OsUsage(); }

 private:
  OsResult<AddrRange> Take(uint64_t bytes) {
    const AddrRange range{next_, bytes};
    next_ = range.end();
    return range;
  }
  // All of it is always usable.
  OsResult<AddrRange> DoReserve(uint64_t bytes, Addr) override { return Take(bytes); }
  OsResult<AddrRange> DoMapReady(uint64_t bytes, Access, Addr) override { return Take(bytes); }
  OsResult<Done> DoMapReadyAt(AddrRange range, Access) override {
    Refusal refusal;
    refusal.rule = Rule::kAddressTaken;
    refusal.operation = OsOperation::kMapReadyAt;
    refusal.asked_bytes = range.bytes;
    refusal.wanted = range.start;
    return refusal;
  }
  OsResult<Done> DoCommit(AddrRange, Access, CommitMethod) override { return Done(); }
  OsResult<Done> DoDiscard(AddrRange) override { return Done(); }
  OsResult<Done> DoReuse(AddrRange) override { return Done(); }
  OsResult<Done> DoDecommit(AddrRange) override { return Done(); }
  OsResult<Done> DoRelease(AddrRange) override { return Done(); }

  Addr next_;
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_OUTSIDE_OS_H_
