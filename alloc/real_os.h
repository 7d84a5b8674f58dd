// RealOs: the running Linux kernel behind the Os interface (row 9 of the walk, "real kernel").
//
// mmap, mprotect, madvise and munmap, nothing else; a refusal carries the errno and Rule::kUnknown, because the
// kernel does not say which limit it applied (an occupied address is known: kAddressTaken).
//
// Ownership: ranges belong to the caller and outlive this object. Threads: one. After fork the child makes its
// own RealOs (the usage file is per process). Allocates nothing after construction.
#ifndef REHEAP_ALLOC_REAL_OS_H_
#define REHEAP_ALLOC_REAL_OS_H_

#include <optional>

#include "alloc/os.h"

namespace reheap {

class RealOs final : public Os {
 public:
  RealOs();
  ~RealOs() override;

  std::optional<AddrRange> TakeImageBss(uint64_t bytes) override;
  Addr image_end() const override;
  uint64_t os_page_bytes() const override { return os_page_bytes_; }
  uint64_t granularity_bytes() const override { return os_page_bytes_; }
  bool release_is_whole() const override { return false; }
  // rss_anonymous_bytes is statm's resident - shared; exact where the kernel does not cache counters per
  // thread (6.18 does not; 6.1 reads up to 252 KiB low).
  OsUsage Usage() override;
  bool IsWhollyMapped(AddrRange range) override;

 private:
  OsResult<AddrRange> DoReserve(uint64_t bytes, Addr hint) override;
  OsResult<AddrRange> DoMapReady(uint64_t bytes, Access access, Addr hint) override;
  OsResult<Done> DoMapReadyAt(AddrRange range, Access access) override;
  OsResult<AddrRange> DoMap(uint64_t bytes, Addr hint, const MapTraits& traits) override;
  OsResult<Done> DoCommit(AddrRange range, Access access, CommitMethod method) override;
  OsResult<Done> DoDiscard(AddrRange range) override;
  OsResult<Done> DoReuse(AddrRange range) override;
  OsResult<Done> DoDecommit(AddrRange range) override;
  OsResult<Done> DoRelease(AddrRange range) override;

  uint64_t os_page_bytes_;
  int statm_fd_;
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_REAL_OS_H_
