// AddressSpace: the mappings of one simulated process, coalesced as its kernel does it (row 9, "modelled
// kernel").
//
// Mappings are half-open, page-aligned and never overlap. Two neighbours are one mapping when the merge rule
// says so. It answers where the gaps are and how much is mapped; it knows no limits, no hints and no errors.
//
// A balanced tree ordered by address, in which each node also knows the largest gap of each of its subtrees, so
// that finding, inserting and "the highest gap of n bytes below x" are all O(log n). Neighbours are linked:
// merging looks at them in O(1). Nodes live in one array, and what a walk through the tree reads of a node lies
// in one cache line of it: 60,000 mappings take 8 MB, of which walks see half.
//
// Ownership: its own nodes; a Mapping reference is good until the next change. Threads: one. Limits: 2^32 - 1
// mappings, addresses below 2^63.
#ifndef REHEAP_SIM_OS_ADDRESS_SPACE_H_
#define REHEAP_SIM_OS_ADDRESS_SPACE_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/addr.h"
#include "sim/os/memory_objects.h"
#include "sim/os/platform.h"

namespace reheap {

enum class MappingKind : uint8_t {
  kAnonymous,
  kFile,      // pieces of one file at matching offsets merge
  kSpecial,   // the kernel's own pages ([vdso], [vvar]): never merges, never splits
  kStack,     // grows down, and keeps a guard gap below: exec's, or asked for
  kGuard,     // a hole that the process asked for: never accessible, not counted as mapped
  kStackGap,  // a guard that the stack above it may grow into
  kWindow,    // reserved for physical pages that the program maps itself (MEM_PHYSICAL): never committed
};

// What else mappings are told apart by: the vm_flags of include/linux/mm.h (linux 6.12) that a call can set.
enum MappingFlag : uint32_t {
  kGrowsDown = 1u << 0,  // an access below extends it
  kNoHuge = 1u << 1,     // no huge pages: MAP_STACK, MADV_NOHUGEPAGE
  kSync = 1u << 2,       // asked for with MAP_SYNC
  kDroppable = 1u << 3,  // MAP_DROPPABLE: not charged, not inherited, not dumped
  kLocked = 1u << 4,          // mlock, MAP_LOCKED
  kLockOnFault = 1u << 5,     // with kLocked: pages are locked as they come
  kHuge = 1u << 6,            // MADV_HUGEPAGE
  kNotDumped = 1u << 7,       // MADV_DONTDUMP
  kNotForked = 1u << 8,       // MADV_DONTFORK
  kWipedOnFork = 1u << 9,     // MADV_WIPEONFORK
  kReadRandomly = 1u << 10,   // MADV_RANDOM
  kReadInSequence = 1u << 11, // MADV_SEQUENTIAL
  kMergeable = 1u << 12,      // MADV_MERGEABLE
  kSealed = 1u << 13,         // mseal: not unmapped, moved, resized or protected anew
  kReadForGood = 1u << 14,    // the kernel's own data: never writable or executable
};

// What makes a mapping the same as its neighbour.
struct MappingTraits {
  MappingKind kind = MappingKind::kAnonymous;
  bool read = false;
  bool write = false;
  bool execute = false;
  bool shared = false;
  bool no_reserve = false;  // asked for with MAP_NORESERVE, and the kernel took it seriously
  bool charged = false;     // its pages count as committed
  // Reserve-and-commit systems (page_protection.h): PAGE_* of its pages, 0 = not committed; and what the
  // reservation was made with.
  uint16_t page_protection = 0;
  uint16_t allocation_protection = 0;
  uint32_t name = 0;        // index of AddressSpace::NameOf; 0 = none
  uint32_t flags = 0;       // MappingFlag
  MemoryObjects::Id object = MemoryObjects::kNone;  // a file that was added, or shared memory
  // Start - offset in what is mapped, so that contiguous pieces agree. Private anonymous memory lies at the
  // offset that is its address: 0, until it is moved with what was written (modulo 2^64). Reservations: their
  // base.
  uint64_t origin = 0;

  friend bool operator==(const MappingTraits&, const MappingTraits&) = default;
};

struct Mapping {
  Addr start;
  Addr end;
  MappingTraits traits;
  // Which anon_vma (linux), object or amap (BSD) it has: 0 = none of its pages was ever written. Two written
  // neighbours merge only when they share one.
  uint32_t writer = 0;

  uint64_t bytes() const { return end - start; }
  AddrRange range() const { return {start, bytes()}; }
};

// Sums over the mappings. Bytes.
struct MappingTotals {
  uint64_t mapped_bytes = 0;
  uint64_t data_bytes = 0;     // private, writable, not a stack
  uint64_t charged_bytes = 0;  // counted as committed
  uint64_t claimed_bytes = 0;  // ClaimsMemory
  uint64_t stack_bytes = 0;    // of all that grow down
  uint64_t executable_bytes = 0;  // and not writable
  uint64_t locked_bytes = 0;

  friend bool operator==(const MappingTotals&, const MappingTotals&) = default;
};

constexpr bool GrowsDown(const MappingTraits& traits) {
  return traits.kind == MappingKind::kStack || (traits.flags & kGrowsDown) != 0;
}
// Private, writable and not a stack: what linux's RLIMIT_DATA counts (is_data_mapping, mm/vma.h, 6.12).
constexpr bool IsData(const MappingTraits& traits) {
  return traits.write && !traits.shared && !GrowsDown(traits);
}
// Zero-filled and nobody else's (vma_is_anonymous, include/linux/mm.h, 6.12).
constexpr bool IsPrivateAnonymous(const MappingTraits& traits) {
  return (traits.kind == MappingKind::kAnonymous || traits.kind == MappingKind::kStack) && !traits.shared;
}

// A hole kept on purpose (MAP_GUARD): an entry whose pages are not in the map's size (vm_map_insert,
// sys/vm/vm_map.c, FreeBSD 12.3 to 14).
constexpr bool IsGuard(const MappingTraits& traits) {
  return traits.kind == MappingKind::kGuard || traits.kind == MappingKind::kStackGap;
}

// Anonymous, with any access, and not the stack: what OpenBSD's RLIMIT_DATA counts (vm_dused, uvm_mapanon and
// uvmspace_dused, sys/uvm/uvm_map.c 1.338).
constexpr bool ClaimsMemory(const MappingTraits& traits) {
  return traits.kind == MappingKind::kAnonymous && (traits.read || traits.write || traits.execute);
}

// Told about each new boundary inside a mapping, before the mapping is split there.
class BoundaryListener {
 public:
  virtual ~BoundaryListener() = default;
  virtual void OnBoundary(Addr a) = 0;
};

class AddressSpace {
 public:
  // A mapping's place in the tree; kNone = no such mapping. Good until that mapping is merged or unmapped.
  using Id = uint32_t;
  static constexpr Id kNone = 0;

  AddressSpace(MergeRule merge, bool written_joins_unwritten);

  // ---- looking ----
  const Mapping& mapping(Id id) const { return nodes_[id].mapping; }
  Id First() const { return first_; }
  Id Next(Id id) const { return nodes_[id].next; }
  Id Previous(Id id) const { return nodes_[id].previous; }
  Id Last() const { return last_; }
  // The lowest mapping that ends above `a`.
  Id FirstEndingAbove(Addr a) const;
  // The mapping that holds `a`.
  Id Containing(Addr a) const;
  bool Overlaps(AddrRange range) const;
  // The highest address at which `bytes` fit between lowest and highest (exclusive).
  std::optional<Addr> HighestFit(Addr lowest, Addr highest, uint64_t bytes) const;
  // The lowest multiple of `alignment` at which `bytes` fit. `alignment` is a power of two.
  std::optional<Addr> LowestFit(Addr lowest, Addr highest, uint64_t bytes, uint64_t alignment) const;
  uint64_t count() const { return count_; }
  const MappingTotals& totals() const { return totals_; }
  const MemoryObjects& objects() const { return objects_; }
  // Not owned; null = nobody.
  void set_boundary_listener(BoundaryListener* listener) { boundary_listener_ = listener; }

  // ---- changing ----
  // Which neighbours a new mapping may become one with. Where each would do but not both, kBoth takes the one before it;
  // kNextFirst takes the one after it, and lets none in before it that was never written when that one was.
  enum class Join { kBoth, kNextFirst, kLeft, kRight, kNone };
  // Adds a mapping and merges it with its neighbours; `writer` as in Mapping, for what is moved or extended.
  // Returns the mapping that holds range.start. Preconditions: `range` is free and not empty.
  Id Insert(AddrRange range, const MappingTraits& traits, uint32_t writer = 0, Join join = Join::kBoth);
  // As Insert, for image mappings that were written before the model begins; never merges.
  void InsertImage(AddrRange range, const MappingTraits& traits, bool written);
  // Makes `a` a boundary between mappings; nothing when it is one, or free.
  void SplitAt(Addr a);
  // Removes whatever is mapped in `range`, splitting what sticks out.
  void Remove(AddrRange range);
  // Gives `range`, which lies in mapping `id`, new traits; splits and merges. Returns the mapping that now
  // holds range.start.
  Id SetTraits(Id id, AddrRange range, const MappingTraits& traits);
  // Whether SetTraits would join with the mapping before (after) without a split at that side's far end.
  bool WouldJoinPrevious(Id id, AddrRange range, const MappingTraits& traits) const;
  bool WouldJoinNext(Id id, AddrRange range, const MappingTraits& traits) const;
  // A stack grows. Preconditions: [start, its start) is free.
  void ExtendDown(Id id, Addr start) { Resize(id, start, nodes_[id].mapping.end); }
  // A page of it is written for the first time: gives it an anon_vma, a compatible neighbour's if there is
  // one.
  void NoteFirstWrite(Id id);
  // Its written pages were moved away: none of them was ever written, as far as merging goes.
  void ForgetWrites(Id id) { nodes_[id].mapping.writer = 0; }
  // Private anonymous memory that was never written lies at the offset of its own address from now on.
  void ForgetOrigin(Id id) { nodes_[id].mapping.traits.origin = 0; }

  MemoryObjects::Id AddFile(std::string_view name, uint64_t bytes);
  MemoryObjects::Id AddShared(uint64_t bytes, bool charged);
  uint32_t InternName(std::string_view name);
  const std::string& NameOf(uint32_t name) const { return names_[name]; }

  // ---- checking ----
  MappingTotals Recount() const;
  // CHECKs order, links, gaps, balance bookkeeping and totals. O(n).
  void CheckInvariants() const;

 private:
  // The gaps of the children are kept here and not with them, so that neither a search nor an update on its way
  // up reads a node beside its path.
  struct alignas(64) Node {
    uint64_t gap = 0;                // between this mapping and the one before, or zero
    uint64_t child_gap[2] = {0, 0};  // the largest gap of each subtree
    Id child[2] = {kNone, kNone};
    Id parent = kNone;
    Id previous = kNone;
    Id next = kNone;
    uint32_t priority = 0;  // heap order: the parent's is at least the child's
    Mapping mapping;        // its bounds still lie in the first line
  };
  static_assert(sizeof(Node) == 128);

  bool IsFirstEndingAbove(Id id, Addr a) const {
    const Node& node = nodes_[id];
    return node.mapping.end > a && node.mapping.start.value() - node.gap <= a.value();
  }
  // What FirstEndingAbove answers; `finger` is looked at first, with its neighbours.
  Id Find(Addr a, Id finger) const;
  uint64_t LargestGap(Id id) const {
    const Node& node = nodes_[id];
    return std::max({node.gap, node.child_gap[0], node.child_gap[1]});
  }
  // The bounds of `id` or of the mapping before it have changed.
  void UpdateGap(Id id);
  // LargestGap(id) may have changed: tells those above.
  void UpdateGapsUpwards(Id id);
  void RotateUp(Id id);
  Id NewNode();
  Id Link(AddrRange range, const MappingTraits& traits, uint32_t writer, Id next);
  void Unlink(Id id);
  void Resize(Id id, Addr start, Addr end);
  void Count(uint64_t bytes, const MappingTraits& traits, bool add) { AddTo(&totals_, bytes, traits, add); }
  static void AddTo(MappingTotals* totals, uint64_t bytes, const MappingTraits& traits, bool add);
  // The outermost node of `subtree` on `side` (0 left, 1 right) whose gap is at least `bytes`.
  Id OutermostGap(Id subtree, uint64_t bytes, int side) const;
  // The nearest node before (side 0) or after (side 1) `id` whose gap is at least `bytes`.
  Id NearestGap(Id id, uint64_t bytes, int side) const;

  bool MayMerge(const MappingTraits& a, const MappingTraits& b) const;
  bool MayJoin(const Mapping& neighbour, const MappingTraits& traits, uint32_t writer, bool existing) const;
  bool MayShareWriter(const Mapping& a, const Mapping& b) const;
  void NoteSplit(Id id);
  void NoteBoundary(Addr a) {
    if (boundary_listener_ != nullptr) boundary_listener_->OnBoundary(a);
  }

  const MergeRule merge_;
  const bool written_joins_unwritten_;
  std::vector<Node> nodes_;  // [0] is unused
  Id free_ = kNone;          // unused nodes, linked by `next`
  Id root_ = kNone;
  // What FirstEndingAbove found last: one call asks about the same place several times.
  mutable Id finger_ = kNone;
  mutable Id ceiling_ = kNone;  // where HighestFit began last: mostly at the same place
  Id first_ = kNone;
  Id last_ = kNone;
  uint64_t count_ = 0;
  MappingTotals totals_;
  MemoryObjects objects_;
  BoundaryListener* boundary_listener_ = nullptr;
  uint32_t last_writer_ = 0;
  uint32_t random_ = 0x9e3779b9;  // xorshift state of the priorities: any constant but 0
  std::vector<std::string> names_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_ADDRESS_SPACE_H_
