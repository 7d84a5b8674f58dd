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
#include <string_view>
#include <vector>

#include "alloc/os.h"
#include "sim/os/advice_calls.h"
#include "sim/os/break_calls.h"
#include "sim/os/fork_call.h"
#include "sim/os/grow_calls.h"
#include "sim/os/lock_calls.h"
#include "sim/os/map_calls.h"
#include "sim/os/maps_text.h"
#include "sim/os/page_faults.h"
#include "sim/os/platform.h"
#include "sim/os/process_image_loader.h"
#include "sim/os/process_layout.h"
#include "sim/os/process_state.h"
#include "sim/os/process_status.h"
#include "sim/os/protect_calls.h"
#include "sim/os/range_labels.h"
#include "sim/os/region_calls.h"
#include "sim/os/remap_calls.h"
#include "sim/os/reserve_calls.h"
#include "sim/os/seal_call.h"

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
  uint64_t overcommit_kbytes = 0;  // kilobytes; 0 = by the ratio
  uint64_t user_reserve_bytes = 0;
  uint64_t admin_reserve_bytes = 0;
  uint64_t huge_pool_bytes = 0;
  bool is_privileged = false;  // CAP_SYS_ADMIN
  bool protect_uncharges_unwritten = false;
  bool written_joins_unwritten = false;
  bool replace_checks_first = false;  // a fixed mapping that a limit refuses splits nothing
  bool new_joins_next_first = false;
  bool remap_looks_first = false;  // at what is mapped, before the new place is checked
  BesideSource beside_source = BesideSource::kJoinsSource;
  bool has_guards = false;  // MADV_GUARD_INSTALL
};

// What a mapping of a maps file should be when no process of `platform` can have it; empty when one can.
std::string PlatformFault(const ImageMapping& mapping, const Platform& platform);

struct VirtualProcess {
  const Platform* platform = nullptr;  // not owned
  // Empty = the platform's own small image. Each without PlatformFault.
  std::vector<ImageMapping> image;
  // Whether TakeImageBss may hand out the image's BSS; false when that BSS is another program's.
  bool image_bss_for_tables = true;
  ProcessLimits limits;
  ProcessLayout layout;
  std::optional<HostSwitches> switches;
  // Where brk begins and what RLIMIT_DATA counts beside it (mm->start_brk; mm->end_data - mm->start_data), to
  // the byte; absent = as far as the image shows.
  std::optional<DataSegment> data_segment;
};

class VirtualOs final : public Os, private BoundaryListener {
 public:
  explicit VirtualOs(const VirtualProcess& process);
  VirtualOs(const VirtualOs&) = delete;
  VirtualOs& operator=(const VirtualOs&) = delete;

  std::optional<AddrRange> TakeImageBss(uint64_t bytes) override;
  Addr image_end() const override { return image_.end; }
  uint64_t os_page_bytes() const override { return platform_.machine.os_page_bytes; }
  uint64_t granularity_bytes() const override { return platform_.machine.granularity_bytes; }
  bool release_is_whole() const override { return platform_.machine.calls == CallFamily::kReserveAndCommit; }
  bool only_grows() const override { return platform_.machine.calls == CallFamily::kGrowOnly; }
  OsUsage Usage() override;
  bool IsWhollyMapped(AddrRange range) override;

  // ---- the platform's own calls; `map` where calls are kMapAndProtect, `reserve` where kReserveAndCommit
  // ----
  // `file` where `flags` do not say anonymous.
  OsResult<Addr> Mmap(Addr addr, uint64_t bytes, int protection, int flags, MapFile file = {});
  // Preconditions: the platform has the call.
  OsResult<Addr> Mremap(Addr old_addr, uint64_t old_bytes, uint64_t new_bytes, int flags, Addr new_addr);
  OsResult<Done> Munmap(Addr addr, uint64_t bytes);
  OsResult<Done> Mprotect(Addr addr, uint64_t bytes, int protection);
  OsResult<Done> Madvise(Addr addr, uint64_t bytes, int advice);
  // `flags` as mlock2 has them; 0 = mlock.
  OsResult<Done> Mlock(Addr addr, uint64_t bytes, int flags = 0);
  OsResult<Done> Munlock(Addr addr, uint64_t bytes);
  OsResult<Done> Mlockall(int flags);
  OsResult<Done> Munlockall();
  // Preconditions: machine.seals.
  OsResult<Done> Mseal(Addr addr, uint64_t bytes, uint64_t flags);
  MmapResult Brk(Addr addr);
  // What a fork would charge as committed: the child may write every page that is charged to this process and
  // not shared. Forking answers whether the machine grants it; the child then lives on, its charge among what
  // is committed elsewhere.
  uint64_t ForkCharge() const { return fork_.Charge(); }
  OsResult<Done> Fork() { return Noted(fork_.Fork()); }
  // What a child would begin with now.
  ForkedChild Child() const { return fork_.Child(); }
  Addr program_break() const { return state_.break_end; }
  OsResult<Addr> VirtualAlloc(Addr addr, uint64_t bytes, uint32_t type, uint32_t protection) {
    REHEAP_CHECK(reserves());
    return Noted(reserve_.VirtualAlloc(addr, bytes, type, protection));
  }
  OsResult<Done> VirtualFree(Addr addr, uint64_t bytes, uint32_t type) {
    REHEAP_CHECK(reserves());
    return Noted(reserve_.VirtualFree(addr, bytes, type));
  }
  // `old`, unless null, becomes the first page's protection.
  OsResult<Done> VirtualProtect(Addr addr, uint64_t bytes, uint32_t protection, uint32_t* old = nullptr) {
    REHEAP_CHECK(reserves());
    return Noted(regions_.VirtualProtect(addr, bytes, protection, old));
  }
  OsResult<RegionInfo> VirtualQuery(Addr addr) const {
    REHEAP_CHECK(reserves());
    return regions_.VirtualQuery(addr);
  }
  // memory.grow, where calls are kGrowOnly; answers the end before it.
  OsResult<Addr> MemoryGrow(uint64_t bytes) {
    REHEAP_CHECK(only_grows());
    return Noted(grow_.Grow(bytes));
  }

  // The process opens a regular file of `bytes` for reading and writing: its descriptor, from 3 up.
  int AddFile(std::string name, uint64_t bytes);
  uint64_t file_count() const { return state_.files.size(); }

  // One access to the OS page of `a`, and what it makes resident.
  TouchOutcome Access(Addr a, bool write) { return faults_.Access(a, write); }
  bool Touch(Addr a, bool write) { return Access(a, write) == TouchOutcome::kDone; }
  // What the kernel killed the process for; null while it lives. Every access after it is kOutOfMemoryKill.
  const Refusal* killed() const { return state_.killed.rule == Rule::kNone ? nullptr : &state_.killed; }
  // prctl PR_SET_THP_DISABLE: no huge pages from now on, whatever the mode says.
  void DisableHugePages(bool disabled) { state_.huge_pages_disabled = disabled; }
  // /proc/PID/status. O(1).
  ProcessStatus Status() const { return StatusOf(state_); }
  // Changes the limits of the running process as setrlimit does, which may refuse it.
  OsResult<Done> ChangeLimits(const ProcessLimits& limits);
  // The same without asking, as sysctl or whoever started the process does.
  void set_limits(const ProcessLimits& limits) { state_.limits.set_process(limits); }
  const ProcessLimits& limits() const { return state_.limits.process(); }
  // Not owned; null = nobody. At most one.
  void set_page_listener(PageListener* listener) { state_.listener = listener; }

  // The newest request of either kind that was refused; rule kNone = none was. Not a kill.
  const Refusal& last_refusal() const { return last_refusal_; }
  // Says whose `range` is, for refusals that name the largest holder ("thread stacks"); empty = nobody's in
  // particular. What comes through the Os interface is labelled "heap" by itself, squatters "squatters".
  void Label(AddrRange range, std::string_view holder);
  const RangeLabels& labels() const { return labels_; }
  Addr break_start() const { return state_.break_start; }

  const Platform& platform() const { return platform_; }
  const AddressSpace& space() const { return state_.space; }
  const ResidentSet& resident() const { return state_.resident; }
  const ObjectPages& object_pages() const { return state_.object_pages; }
  // The parts of what memory.max counts that no mapping shows: pages of shared memory, and what was resident before
  // the model began.
  uint64_t shared_memory_bytes() const { return state_.object_pages.count() * os_page_bytes(); }
  uint64_t image_resident_bytes() const { return state_.image_resident_bytes; }
  std::string MapsText() const;
  // The name that maps shows for `m`, a mapping of space(); empty = none. Good until the next call.
  std::string_view LabelOf(const Mapping& m) const;

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
  OsResult<AddrRange> DoMap(uint64_t bytes, Addr hint, const MapTraits& traits) override;
  OsResult<AddrRange> DoGrowBreak(uint64_t bytes) override;
  OsResult<Done> DoCommit(AddrRange range, reheap::Access access, CommitMethod method) override;
  OsResult<Done> DoDiscard(AddrRange range) override;
  OsResult<Done> DoReuse(AddrRange range) override;
  OsResult<Done> DoDecommit(AddrRange range) override;
  OsResult<Done> DoRelease(AddrRange range) override;

  // Remembers what of `range` may be executed, before it is decommitted.
  void NoteExecutable(AddrRange range);
  // What is new in `range` is made resident when it is locked, or `flags` (of mmap) say so.
  void PopulateNew(AddrRange range, int flags);
  // Anonymous private memory anywhere near `hint`; `allocation` is the reserve-and-commit type.
  OsResult<AddrRange> MapAnywhere(OsOperation operation, AddrRange wanted, int protection,
                                  uint32_t allocation);
  OsResult<Done> MapFixed(OsOperation operation, AddrRange range, int protection);
  bool maps() const { return platform_.machine.calls == CallFamily::kMapAndProtect; }
  bool reserves() const { return platform_.machine.calls == CallFamily::kReserveAndCommit; }
  // Passes `result` on; a refusal becomes the last one.
  template <class T>
  OsResult<T> Noted(const OsResult<T>& result) {
    if (!result.ok()) [[unlikely]] last_refusal_ = result.refusal();
    return result;
  }
  OsResult<AddrRange> Labelled(const OsResult<AddrRange>& result) {
    if (result.ok()) labels_.Set(result.value(), heap_label_);
    return Noted(result);
  }
  bool RefusedByTest();
  Refusal TestRefusal(OsOperation operation, AddrRange range);
  // A huge page does not reach over a mapping's end (vma_adjust_trans_huge, mm/huge_memory.c, linux 6.12).
  void OnBoundary(Addr a) override { state_.resident.BreakHugeAt(a); }

  const Platform platform_;  // with the switches applied
  ProcessState state_;
  MapCalls map_;
  RemapCalls remap_;
  PageFaults faults_;
  ProtectCalls protect_;
  AdviceCalls advice_;
  LockCalls lock_;
  BreakCalls break_;
  ForkCall fork_;
  SealCall seal_;
  ReserveCalls reserve_;
  RegionCalls regions_;
  GrowCalls grow_;
  LoadedImage image_;  // the BSS empty once it is taken
  RangeLabels executable_;  // 1 = discarded while it could be executed; where calls are kReserveAndCommit
  RangeLabels labels_;  // a label is an interned name of the address space
  uint32_t heap_label_ = 0;
  Refusal last_refusal_;
  std::optional<uint64_t> requests_left_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_VIRTUAL_OS_H_
