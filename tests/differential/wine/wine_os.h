// WineOs: VirtualAlloc and VirtualFree of Wine behind the Os interface, so that the contract suite can run
// there.
//
// The memory belongs to another process; Read and Write reach it, and an access that raises an exception
// there is a CHECK here. RSS is not told: Wine has none of its own.
//
// The process outlives it; what was reserved goes with it. Threads: one.
#ifndef REHEAP_TESTS_DIFFERENTIAL_WINE_WINE_OS_H_
#define REHEAP_TESTS_DIFFERENTIAL_WINE_WINE_OS_H_

#include <cstdint>
#include <optional>

#include "alloc/os.h"
#include "tests/differential/wine/windows_process.h"

namespace reheap {

class WineOs final : public Os {
 public:
  explicit WineOs(WindowsProcess* process) : process_(*process) {}
  ~WineOs() override { process_.ReleaseAll(); }

  std::optional<AddrRange> TakeImageBss(uint64_t) override { return std::nullopt; }
  Addr image_end() const override { return Addr(); }
  uint64_t os_page_bytes() const override { return 4096; }
  uint64_t granularity_bytes() const override { return 65536; }
  bool release_is_whole() const override { return true; }
  OsUsage Usage() override;

  uint64_t Read(Addr a);
  void Write(Addr a, uint64_t value);

 private:
  OsResult<AddrRange> DoReserve(uint64_t bytes, Addr hint) override;
  OsResult<AddrRange> DoMapReady(uint64_t bytes, Access access, Addr hint) override;
  OsResult<Done> DoMapReadyAt(AddrRange range, Access access) override;
  OsResult<Done> DoCommit(AddrRange range, Access access, CommitMethod method) override;
  OsResult<Done> DoDiscard(AddrRange range) override;
  OsResult<Done> DoReuse(AddrRange range) override;
  OsResult<Done> DoDecommit(AddrRange range) override;
  OsResult<Done> DoRelease(AddrRange range) override;

  OsResult<AddrRange> Alloc(OsOperation operation, AddrRange range, uint32_t type, uint32_t protection);
  OsResult<Done> Free(OsOperation operation, AddrRange range, uint64_t bytes, uint32_t type);

  WindowsProcess& process_;
};

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_WINE_WINE_OS_H_
