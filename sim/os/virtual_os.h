// VirtualOs: a modelled kernel behind the Os interface (row 9 of the walk, "modelled kernel").
//
// Starts as exec leaves a process, from an image, and answers every request as the platform would: same
// address, same error, same VSIZE and anonymous RSS. A refusal always names its rule and numbers. The
// platform's own calls (mmap .. brk, or VirtualAlloc and VirtualFree) are there too, for whoever else lives
// in the process.
//
// Ownership: the platform outlives it; memory behind the addresses is ShadowMemory's. Threads: one.
// Limits: what map_calls.h and reserve_calls.h say. Cost: measured in tests/bench/virtual_os_bench.cc.
#ifndef REHEAP_SIM_OS_VIRTUAL_OS_H_
#define REHEAP_SIM_OS_VIRTUAL_OS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "alloc/os.h"
#include "sim/os/advice_calls.h"
#include "sim/os/break_calls.h"
#include "sim/os/map_calls.h"
#include "sim/os/maps_text.h"
#include "sim/os/lock_calls.h"
#include "sim/os/page_faults.h"
#include "sim/os/platform.h"
#include "sim/os/process_state.h"
#include "sim/os/process_status.h"
#include "sim/os/protect_calls.h"
#include "sim/os/reserve_calls.h"

namespace reheap {

// What a probe of a running kernel found (host_probe.h); takes the place of the platform's values.
struct HostSwitches {
  Addr placement_base;  // mmap_base of this process
  uint64_t hint_floor_bytes = 0;
  uint64_t huge_alignment_bytes = 0;
  uint64_t os_page_bytes = 0;
  uint64_t ram_bytes = 0;
  uint64_t swap_bytes = 0;
  uint64_t max_mappings = 0;
  OvercommitMode overcommit = OvercommitMode::kHeuristic;
  uint32_t overcommit_ratio = 0;
  bool protect_uncharges_unwritten = false;
  bool written_joins_unwritten = false;
  HugePageMode thp = HugePageMode::kMadvise;
};

struct VirtualProcess {
  const Platform* platform = nullptr;  // not owned
  std::vector<ImageMapping> image;     // empty = the platform's own small image
  // Whether TakeImageBss may hand out the image's BSS; false when that BSS is another program's.
  bool image_bss_for_tables = true;
  ProcessLimits limits;
  std::optional<HostSwitches> switches;
};

class VirtualOs final : public Os, private BoundaryListener {
 public:
  explicit VirtualOs(const VirtualProcess& process);
  VirtualOs(const VirtualOs&) = delete;
  VirtualOs& operator=(const VirtualOs&) = delete;

  std::optional<AddrRange> TakeImageBss(uint64_t bytes) override;
  Addr image_end() const override { return image_end_; }
  uint64_t os_page_bytes() const override { return platform_.machine.os_page_bytes; }
  uint64_t granularity_bytes() const override { return platform_.machine.granularity_bytes; }
  bool release_is_whole() const override { return platform_.machine.calls == CallFamily::kReserveAndCommit; }
  OsUsage Usage() override;

  // ---- the platform's own calls; `map` where calls are kMapAndProtect, `reserve` where kReserveAndCommit
  // ----
  MmapResult Mmap(Addr addr, uint64_t bytes, int protection, int flags);
  OsResult<Done> Munmap(Addr addr, uint64_t bytes);
  OsResult<Done> Mprotect(Addr addr, uint64_t bytes, int protection);
  OsResult<Done> Madvise(Addr addr, uint64_t bytes, int advice);
  // `flags` as mlock2 has them; 0 = mlock.
  OsResult<Done> Mlock(Addr addr, uint64_t bytes, int flags = 0);
  OsResult<Done> Munlock(Addr addr, uint64_t bytes);
  OsResult<Done> Mlockall(int flags);
  OsResult<Done> Munlockall();
  MmapResult Brk(Addr addr);
  Addr program_break() const { return state_.break_end; }
  OsResult<Addr> VirtualAlloc(Addr addr, uint64_t bytes, uint32_t type, uint32_t protection);
  OsResult<Done> VirtualFree(Addr addr, uint64_t bytes, uint32_t type);

  // One access to the OS page of `a`, and what it makes resident.
  TouchOutcome Access(Addr a, bool write) { return faults_.Access(a, write); }
  bool Touch(Addr a, bool write) { return Access(a, write) == TouchOutcome::kDone; }
  // What the kernel killed the process for; null while it lives. Every access after it is kOutOfMemoryKill.
  const Refusal* killed() const { return state_.killed.rule == Rule::kNone ? nullptr : &state_.killed; }
  // prctl PR_SET_THP_DISABLE: no huge pages from now on, whatever the mode says.
  void DisableHugePages(bool disabled) { state_.huge_pages_disabled = disabled; }
  // /proc/PID/status. O(1).
  ProcessStatus Status() const { return StatusOf(state_); }
  // Changes the limits of the running process, as setrlimit and sysctl do.
  void set_limits(const ProcessLimits& limits) { state_.limits.set_process(limits); }
  const ProcessLimits& limits() const { return state_.limits.process(); }
  // Not owned; null = nobody. At most one.
  void set_page_listener(PageListener* listener) { state_.listener = listener; }

  const Platform& platform() const { return platform_; }
  const AddressSpace& space() const { return state_.space; }
  const ResidentSet& resident() const { return state_.resident; }
  std::string MapsText() const;

  // ---- for tests ----
  // Maps `range` readable and writable whatever the limits say: somebody is there first.
  void Squat(AddrRange range);
  // From now on `n` requests are answered normally and each one after them is refused (kUnknown).
  void RefuseAfter(uint64_t n) { requests_left_ = n; }
  void CheckInvariants() const;

 private:
  OsResult<AddrRange> DoReserve(uint64_t bytes, Addr hint) override;
  OsResult<AddrRange> DoMapReady(uint64_t bytes, reheap::Access access, Addr hint) override;
  OsResult<Done> DoMapReadyAt(AddrRange range, reheap::Access access) override;
  OsResult<Done> DoCommit(AddrRange range, reheap::Access access, CommitMethod method) override;
  OsResult<Done> DoDiscard(AddrRange range) override;
  OsResult<Done> DoReuse(AddrRange range) override;
  OsResult<Done> DoDecommit(AddrRange range) override;
  OsResult<Done> DoRelease(AddrRange range) override;

  // Anonymous private memory anywhere near `hint`; `allocation` is the reserve-and-commit type.
  OsResult<AddrRange> MapAnywhere(OsOperation operation, AddrRange wanted, int protection,
                                  uint32_t allocation);
  OsResult<Done> MapFixed(OsOperation operation, AddrRange range, int protection);
  void PopulateNew(AddrRange range, int flags);
  bool reserves() const { return platform_.machine.calls == CallFamily::kReserveAndCommit; }
  bool RefusedByTest();
  Refusal TestRefusal(OsOperation operation, AddrRange range) const;
  void LoadImage(const std::vector<ImageMapping>& image);
  // A huge page does not reach over a mapping's end (vma_adjust_trans_huge, mm/huge_memory.c, linux 6.12).
  void OnBoundary(Addr a) override { state_.resident.BreakHugeAt(a); }

  const Platform platform_;  // with the switches applied
  ProcessState state_;
  MapCalls map_;
  ProtectCalls protect_;
  PageFaults faults_;
  AdviceCalls advice_;
  LockCalls lock_;
  BreakCalls break_;
  ReserveCalls reserve_;
  Addr image_end_;
  AddrRange image_bss_;  // empty = none, or taken
  std::optional<uint64_t> requests_left_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_VIRTUAL_OS_H_
