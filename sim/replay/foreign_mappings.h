// ForeignMappings: carries out the traced program's own address-space calls beside a replayed heap (row 6 of
// the walk).
//
// A recorded mapping goes where it was recorded when that place is free, as MAP_FIXED_NOREPLACE would, else
// where the OS likes; a table translates recorded addresses from then on:
//
//   recorded   [ A ........ )   [ B .... )          unmap, protect, remap of A..B name recorded addresses
//   here       [ A ........ )             [ B' ... )  (B's place was the heap's)
//
// MAP_FIXED over recorded ranges of its own replaces them; it never replaces anything else. Calls about
// addresses that the table does not have are left out and counted: the C library mapped them itself, or they
// are older than the recording. A stack per thread is modelled on the thread events, as glibc would map it.
//
// Memory comes from the resource given, so that a replay child allocates nothing on its own heap. Borrows
// space and resource. Threads: one. Cost: O(log n) per call and piece. Limits: of 64-bit recorded addresses.
#ifndef REHEAP_SIM_REPLAY_FOREIGN_MAPPINGS_H_
#define REHEAP_SIM_REPLAY_FOREIGN_MAPPINGS_H_

#include <cstdint>
#include <map>
#include <memory_resource>
#include <optional>

#include "sim/replay/foreign_op.h"
#include "sim/replay/foreign_space.h"

namespace reheap {

struct ForeignStats {
  uint64_t calls = 0;    // carried out, refused ones included
  uint64_t mapped = 0;   // mappings made
  uint64_t moved = 0;    // of them, elsewhere than recorded
  uint64_t refused = 0;  // calls that the OS granted when they were recorded, and refused here
  uint64_t outside = 0;  // calls left out: not about foreign mappings
  uint64_t stacks = 0;   // thread stacks mapped
  uint64_t mapped_bytes = 0;  // now
  uint64_t stacks_bytes = 0;  // of them, thread stacks
  uint64_t peak_bytes = 0;
};

class ForeignMappings {
 public:
  // What a table for `calls` calls can take of a resource, at most.
  static constexpr uint64_t TableBytes(uint64_t calls) { return (calls * 4 + 64) * 128; }

  // `stack_bytes` of each thread's stack, without its guard page; 0 = stacks are not modelled.
  ForeignMappings(ForeignSpace* space, uint64_t stack_bytes, std::pmr::memory_resource* resource);

  // The process has `range` of the program's image where it was recorded: calls may be about it.
  void AddImage(AddrRange range, int protection);
  // The refusal, when the OS refused.
  std::optional<Refusal> Apply(const ForeignOp& op);

  const ForeignStats& stats() const { return stats_; }
  // Calls visit(range, holder) for what is mapped here now; stacks come last, else in order of recorded addresses.
  template <class Visit>
  void ForEachMapped(Visit visit) const {
    for (auto piece = pieces_.begin(); piece != pieces_.end(); ++piece) {
      if (piece->second.counted) visit(Here(piece), ForeignHolder::kProgram);
    }
    for (const auto& [thread, start] : stack_of_thread_) visit(StackAt(start), ForeignHolder::kThreadStack);
    for (const auto& [order, start] : unused_stacks_) visit(StackAt(start), ForeignHolder::kThreadStack);
  }
  // CHECKs the table's order and sums. O(n).
  void CheckInvariants() const;

 private:
  struct Piece {
    uint64_t end = 0;    // recorded
    uint64_t shift = 0;  // here - recorded, modulo 2^64
    int protection = 0;
    ForeignFlags flags;
    bool counted = true;  // in mapped_bytes; false for the image's
  };
  using Table = std::pmr::map<uint64_t, Piece>;  // by recorded start

  void Map(uint64_t start, uint64_t bytes, int protection, ForeignFlags flags);
  bool MapOverOwn(uint64_t start, uint64_t bytes, int protection, ForeignFlags flags);
  void MapNew(uint64_t start, uint64_t bytes, int protection, ForeignFlags flags);
  // Whether there was anything of its own.
  bool UnmapOwn(uint64_t start, uint64_t end);
  void Protect(const ForeignOp& op);
  void Discard(const ForeignOp& op);
  void Remap(const ForeignOp& op);
  bool GrowInPlace(const ForeignOp& op);
  void MoveBreak(const ForeignOp& op);
  void GrowBreak(uint64_t start, int64_t bytes);
  void StartThread(uint32_t thread);
  void EndThread(uint32_t thread);

  // Calls visit(iterator) for each piece of [start, end), cut so that it lies inside. Returns whether there
  // was one. `visit` may erase its piece.
  template <class Visit>
  bool ForEachOwn(uint64_t start, uint64_t end, Visit visit);
  void CutAt(uint64_t recorded);
  AddrRange Here(Table::const_iterator piece) const;
  void Add(uint64_t start, const Piece& piece);
  void Count(int64_t bytes);
  bool Note(const OsResult<Done>& result);
  AddrRange StackAt(Addr start) const { return {start, stack_and_guard_bytes()}; }
  uint64_t stack_and_guard_bytes() const { return stack_bytes_ + space_.os_page_bytes(); }

  ForeignSpace& space_;
  const uint64_t stack_bytes_;
  Table pieces_;
  uint64_t last_break_ = 0;  // recorded; 0 = not known
  int64_t break_bytes_ = 0;  // by which the program moved it here
  std::pmr::map<uint32_t, Addr> stack_of_thread_;
  std::pmr::map<uint64_t, Addr> unused_stacks_;  // by the order in which their threads ended
  uint64_t ended_threads_ = 0;
  std::optional<Refusal> refusal_;  // of the call being carried out
  ForeignStats stats_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_FOREIGN_MAPPINGS_H_
