// ProcessState: what a modelled kernel keeps of one process, shared by its call families (row 9).
//
// Ownership: its parts; the platform and the listener are not owned. Threads: one.
#ifndef REHEAP_SIM_OS_PROCESS_STATE_H_
#define REHEAP_SIM_OS_PROCESS_STATE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "alloc/addr.h"
#include "alloc/os.h"
#include "sim/os/address_space.h"
#include "sim/os/limits.h"
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

struct ProcessState {
  const Platform* platform;
  Limits limits;
  Placement placement;
  AddressSpace space;
  ResidentSet resident;
  PageListener* listener = nullptr;
  Addr break_start;  // of the brk area; zero = none
  Addr break_end;
  std::optional<uint64_t> place_seed;  // of DrawnPlacement; absent = nothing is drawn
  AddrRange main_stack;  // what exec made for the stack, its gap included; empty = none
  uint64_t table_charge_bytes = 0;  // page tables of reservations, where those are charged at once
  uint64_t data_segment_bytes = 0;         // of the executable, which RLIMIT_DATA counts beside the brk area
  std::vector<MemoryObjects::Id> files{};  // by descriptor - kFirstDescriptor

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

  // Contents and residency of `range` go.
  void DropPages(AddrRange range) {
    resident.Clear(range);
    if (listener != nullptr) listener->OnPagesDropped(range);
  }
  void ForgetContents(AddrRange range) {
    if (listener != nullptr) listener->OnPagesDropped(range);
  }
  // Contents and residency go elsewhere. Preconditions: there is neither at `to`.
  void MovePages(AddrRange from, Addr to) {
    resident.Move(from, to);
    if (listener != nullptr) listener->OnPagesMoved(from, to);
  }
  void AccessChanged(AddrRange range) {
    if (listener != nullptr) listener->OnAccessChanged(range);
  }
};

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
