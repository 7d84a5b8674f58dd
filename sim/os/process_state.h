// ProcessState: what a modelled kernel keeps of one process, shared by its call families (row 9).
//
// Ownership: its parts; the platform and the listener are not owned. Threads: one.
#ifndef REHEAP_SIM_OS_PROCESS_STATE_H_
#define REHEAP_SIM_OS_PROCESS_STATE_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "alloc/addr.h"
#include "alloc/os.h"
#include "sim/os/address_space.h"
#include "sim/os/limits.h"
#include "sim/os/object_pages.h"
#include "sim/os/placement.h"
#include "sim/os/platform.h"
#include "sim/os/resident_set.h"

namespace reheap {

// Protection bits: the same numbers on every system with mmap (sys/mman.h).
inline constexpr int kProtRead = 1;
inline constexpr int kProtWrite = 2;
inline constexpr int kProtExecute = 4;
constexpr bool IsWriteExecute(int protection) { return (protection & kProtWrite) && (protection & kProtExecute); }

// Told when what was behind addresses is no longer there (ShadowMemory drops its copies).
class PageListener {
 public:
  virtual ~PageListener() = default;
  // Contents are gone, or may no longer be written without asking.
  virtual void OnPagesDropped(AddrRange range) = 0;
  virtual void OnAccessChanged(AddrRange range) = 0;
  // Contents are now at `to`, where nothing was.
  virtual void OnPagesMoved(AddrRange from, Addr to) = 0;
};

// Descriptors below are the standard streams.
inline constexpr int kFirstDescriptor = 3;

// Whether one mapping may become two (special_mapping_split, mm/mmap.c, linux 6.12).
inline bool MaySplit(const MappingTraits& traits) { return traits.kind != MappingKind::kSpecial; }

// Whether it may not be unmapped, moved, resized or protected anew (vma_is_sealed, mm/vma.h, linux 6.18).
constexpr bool IsSealed(const MappingTraits& traits) { return (traits.flags & kSealed) != 0; }

// The highest sums so far (VmPeak, VmHWM). Bytes.
struct Peaks {
  uint64_t vsize_bytes = 0;
  uint64_t rss_bytes = 0;
};

struct ProcessState {
  const Platform* platform;
  Limits limits;
  Placement placement;
  AddressSpace space;
  ResidentSet resident;
  ObjectPages object_pages;
  PageListener* listener = nullptr;
  Addr break_start = Addr();  // of the brk area; zero = none
  Addr break_end = Addr();
  std::optional<uint64_t> place_seed{};  // of DrawnPlacement; absent = nothing is drawn
  AddrRange main_stack{};  // what exec made for the stack, its gap included; empty = none
  uint64_t table_charge_bytes = 0;  // page tables of reservations, where those are charged at once
  uint64_t data_segment_bytes = 0;         // of the executable, which RLIMIT_DATA counts beside the brk area
  std::vector<MemoryObjects::Id> files{};  // by descriptor - kFirstDescriptor
  uint64_t image_resident_bytes = 0;  // anonymous memory of the image, written before the model begins
  uint32_t new_mapping_flags = 0;     // MappingFlag of each new mapping (mlockall MCL_FUTURE)
  bool huge_pages_disabled = false;   // prctl PR_SET_THP_DISABLE
  uint64_t lost_locked_bytes = 0;  // counted as locked, though no mapping is (RemapCall.unlocks_whole_mapping)
  Peaks peaks = {};
  Refusal killed = {};  // why the kernel ended the process; kNone while it lives

  // VmLck.
  uint64_t LockedBytes() const { return space.totals().locked_bytes + lost_locked_bytes; }
  // Whether `bytes` more may be locked, `counted_bytes` of them being locked already.
  Refusal CheckLocked(uint64_t bytes, uint64_t counted_bytes) const {
    return limits.CheckLocked(LockedBytes(), bytes, counted_bytes);
  }

  // The file that was added as `descriptor`; kNone = none.
  MemoryObjects::Id FileAt(int descriptor) const {
    const size_t index = static_cast<size_t>(descriptor) - kFirstDescriptor;
    return descriptor >= kFirstDescriptor && index < files.size() ? files[index] : MemoryObjects::kNone;
  }

  // Whether `m` shows nothing at `a`, being longer than its file or shared memory: SIGBUS (filemap_fault,
  // mm/filemap.c; shmem_get_folio_gfp, mm/shmem.c, linux 6.12).
  bool IsBeyondObject(const Mapping& m, Addr a) const {
    if (m.traits.object == MemoryObjects::kNone) return false;
    const uint64_t offset = RoundDown(a, platform->machine.os_page_bytes).value() - m.traits.origin;
    return offset >= space.objects()[m.traits.object].bytes;
  }

  // What memory.max counts.
  uint64_t ChargedBytes() const {
    const uint64_t pages = resident.anonymous_pages() + object_pages.count() + resident.tables().count();
    return image_resident_bytes + pages * resident.os_page_bytes();
  }
  // Of the lowest page tables alone that entries for all of `range` take.
  uint64_t TableBytesFor(AddrRange range) const {
    const uint64_t covered = resident.tables().covered_bytes();
    return covered == 0 ? 0 : range.bytes / covered * resident.os_page_bytes();
  }
  // An enforced working set maximum keeps contents and not residency.
  uint64_t AnonymousRssBytes() const {
    const uint64_t touched_bytes = image_resident_bytes + resident.anonymous_pages() * resident.os_page_bytes();
    return std::min(touched_bytes, limits.process().working_set_bytes.value_or(~uint64_t{0}));
  }
  uint64_t CommitBytes() const { return space.totals().charged_bytes + table_charge_bytes; }
  // RssAnon + RssFile + RssShmem.
  uint64_t RssBytes() const {
    return image_resident_bytes + resident.resident_pages() * resident.os_page_bytes();
  }
  // Sums only fall where one of the functions below is called, so the peaks are noted there (update_hiwater_rss and
  // update_hiwater_vm, mm/memory.c and mm/vma.c, linux 6.12, do it at the same places).
  void NotePeaks() {
    peaks.vsize_bytes = std::max(peaks.vsize_bytes, space.totals().mapped_bytes);
    peaks.rss_bytes = std::max(peaks.rss_bytes, RssBytes());
  }
  // Nothing is mapped in `range` any more: mappings, contents, residency and the page tables that only it needed go,
  // and shared memory that nobody else has.
  void Unmap(AddrRange range);
  // How many mappings have a page table entry for the page of `object` at `offset`. O(mappings).
  uint64_t CountMapped(MemoryObjects::Id object, uint64_t offset) const;
  // Pages of shared memory go, from every mapping of it.
  void RemoveShared(MemoryObjects::Id object, uint64_t offset, uint64_t bytes);
  // Contents and residency of `range` go.
  void DropPages(AddrRange range) {
    NotePeaks();
    resident.Clear(range);
    if (listener != nullptr) listener->OnPagesDropped(range);
  }
  void ForgetContents(AddrRange range) {
    if (listener != nullptr) listener->OnPagesDropped(range);
  }
  // Contents and residency go elsewhere, `with_tables` as ResidentSet has it. Preconditions: there is neither at `to`.
  void MovePages(AddrRange from, Addr to, AddrRange with_tables) {
    resident.Move(from, to, with_tables);
    if (listener != nullptr) listener->OnPagesMoved(from, to);
  }
  void AccessChanged(AddrRange range) {
    if (listener != nullptr) listener->OnAccessChanged(range);
  }
};

// Gives `piece`, which lies in mapping `*id`, new traits; `*id` = what holds it after. Fails when the mapping count has
// no room for a split that it takes, or the mapping may not split (vma_modify, mm/vma.c, linux 6.12).
Refusal ChangeTraits(ProcessState& s, AddressSpace::Id* id, AddrRange piece, const MappingTraits& traits);

// A refusal that is not about an allowance.
inline Refusal Refused(Rule rule, int os_error, AddrRange range) {
  Refusal refusal;
  refusal.rule = rule;
  refusal.os_error = os_error;
  refusal.asked_bytes = range.bytes;
  refusal.wanted = range.start;
  return refusal;
}

// Completes a refusal of a limit with what was asked and where.
inline Refusal Where(Refusal refusal, AddrRange range) {
  if (refusal.asked_bytes == 0) refusal.asked_bytes = range.bytes;
  refusal.wanted = range.start;
  return refusal;
}

}  // namespace reheap

#endif  // REHEAP_SIM_OS_PROCESS_STATE_H_
