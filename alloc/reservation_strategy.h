// ReservationStrategy: how a heap gets its address space, as plain data (row 8 of the walk).
//
// What to reserve at startup, where, how firmly, what on conflict and on refusal; how to grow; where the
// allocator's own tables live. Arena (alloc/arena.h) carries it out; this file holds no code. The textproto
// form is proto/strategy.proto, the catalogue sim/strategies/. The 2011 mail is two of these that
// differ in two words: firmness kReserve -> kPretend, on_conflict kRelocate -> kDie.
//
// Sizes are bytes. Values only: no ownership, no threads.
#ifndef REHEAP_ALLOC_RESERVATION_STRATEGY_H_
#define REHEAP_ALLOC_RESERVATION_STRATEGY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "alloc/addr.h"
#include "alloc/map_request.h"
#include "alloc/os.h"
#include "alloc/release_plan.h"

namespace reheap {

// How the range for the heap is held before it is used.
enum class Firmness : uint8_t {
  kNothing,  // not at all: each growth is mapped where the OS likes (go-2010)
  kReserve,  // really reserved (Os::Reserve) at startup (go-2011-02-reserve17g)
  kPretend,  // assumed free without asking; each growth is Os::MapReadyAt (go-2011-02-pretend)
  kPerChunk, // reserved one chunk of reserve_chunk_bytes at a time (go-1.11 arenas)
};

// When the OS offers another address than the one hoped for, or somebody is already there.
enum class OnConflict : uint8_t {
  kRelocate,  // take what is offered
  kNextHint,  // give it back, try the next hint; after the last, take what is offered
  kDie,       // give up, naming both addresses
};

// When the OS refuses.
enum class OnRefusal : uint8_t {
  kDie,              // the program ends
  kReturnNull,       // the request that needed it fails, the program goes on
  kBelieveReserved,  // kReserve: not noticed, and the program ends at its first use; growths: as kDie
};

enum class PageMapKind : uint8_t {
  kFlat,         // 8-byte entry per heap page of the whole reservation (2011)
  kFlatIndex,    // 4-byte span index per heap page
  kRadix2,       // 10 + 10 bits of a 32-bit page number, 4-byte entries
  kRadix3,       // 18 + 18 + 16 bits of a 52-bit page number, 8-byte entries (tcmalloc, go-2010)
  kSparseArenas, // Go 1.11: table of arenas, each with its own array of 8-byte entries
  kNone,         // headers or masks find what a block is: none in the process (alloc/outside_page_map.h)
};
inline constexpr int kPageMapKindCount = 6;
// "flat", "flat-index", "radix2", "radix3", "sparse-arenas", "none".
const char* PageMapKindName(PageMapKind kind);

// Where a table of the allocator's own comes from.
enum class TablePlace : uint8_t {
  kImageBss,      // BSS of the program (Os::TakeImageBss), else mapped Ready at startup
  kMapped,        // mapped Ready at startup, whole
  kInReservation, // part of the heap's reservation, committed as it is needed (go-1.2 span table)
};

struct ReservationStrategy {
  std::string name;        // "go-2011-02-pretend"
  std::string provenance;  // where the numbers come from: commit, version, document
  int word_bits = 64;      // 32 or 64: of the program that it describes

  // --- the heap's range -----------------------------------------------------------------------------
  Firmness firmness = Firmness::kNothing;
  uint64_t heap_bytes = 0;           // most heap that the plan can hold; 0 = no bound (kNothing)
  uint64_t reserve_chunk_bytes = 0;  // kPerChunk: size and alignment of each reservation
  HintList hints;
  OnConflict on_conflict = OnConflict::kRelocate;
  OnRefusal on_refusal = OnRefusal::kDie;
  CommitMethod commit_method = CommitMethod::kMapFixed;
  Access access = Access::kReadWrite;
  // When the reservation is used up: map where the OS likes, if that is within this many bytes above the
  // heap's start (32-bit Go of 2011: the bitmap covers 2 GiB). 0 = the reservation is all there is.
  uint64_t window_bytes = 0;
  // Before that: reserve this much more, if the OS puts it right behind the range (Go 1.0). 0 = not.
  uint64_t extend_bytes = 0;
  // kReserve: the range begins at a multiple of this, found by mapping more (no hints then). 0 = as it comes.
  uint64_t align_bytes = 0;
  // Refused: instead of heap_bytes (kReserve) or reserve_chunk_bytes (kPerChunk, then without hints), in order.
  std::vector<uint64_t> smaller_bytes;
  // The reservation is made usable at once, not inaccessible: there is nothing left to commit.
  bool reserved_ready = false;
  // Reservations, and growths of kNothing, are not to be charged as committed before they are written.
  bool no_reserve = false;
  // kPretend: each hint is tried by reserving this much there and giving it back; a hint that is not granted counts
  // as a conflict. 0 = nobody is asked.
  uint64_t probe_bytes = 0;
  // kPretend: who is found in the range is mapped over. He is noticed only if pieces of clobber_check_bytes have no
  // free OS page at all (mincore asked about too much at a time); 0 = never.
  bool clobbers = false;
  uint64_t clobber_check_bytes = 0;
  // kPerChunk: chunks begin at a multiple of this (0 = of reserve_chunk_bytes); the first bytes of each are the
  // allocator's own.
  uint64_t chunk_align_bytes = 0;
  uint64_t chunk_head_bytes = 0;

  // --- growth ------------------------------------------------------------------------------------------
  uint64_t grow_min_bytes = kMiB;         // ask for at least this much ...
  uint64_t grow_round_bytes = 64 * kKiB;  // ... rounded up to this
  bool grow_retry_exact = true;           // refused: ask again for just what the request needs
  uint64_t startup_heap_bytes = kMiB;     // the runtime's own first growth, before the program's first call; 0 = none
  // Not 0: grow_min_bytes rises after each growth, so many steps to double it, up to grow_most_bytes (0 = no end).
  uint32_t grow_steps_per_doubling = 0;
  uint64_t grow_most_bytes = 0;
  // kNothing: the end of the data segment (brk) first; refused, a mapping of at least map_min_bytes.
  bool break_first = false;
  uint64_t map_min_bytes = 0;
  // kReserve, kPretend: for each growth of grow_min_bytes and more, this much is the allocator's own, of that
  // growth or of a later one with room: records that it keeps among the blocks (Go 1.0's memory profile).
  uint64_t grow_own_bytes = 0;

  // --- when free memory goes back ----------------------------------------------------------------------
  ReleasePlan release;

  // --- what is mapped beside the heap ------------------------------------------------------------------
  std::vector<MapRequest> startup_requests;  // before the heap's range
  std::vector<MapRequest> started_requests;  // after the heap's first growth
  std::vector<MapRequest> chunk_requests;    // kPerChunk: for each reserve_chunk_bytes of a chunk
  // For each thread from the thread_requests_from-th on (the first is 1) at its first allocation, for
  // thread_requests_most of them (0 = all).
  std::vector<MapRequest> thread_requests;
  uint32_t thread_requests_from = 1;
  uint32_t thread_requests_most = 0;

  // --- the allocator's own tables ----------------------------------------------------------------------
  uint32_t heap_page_shift = 12;  // heap page = 2^this bytes
  PageMapKind page_map = PageMapKind::kFlat;
  TablePlace page_map_place = TablePlace::kMapped;  // the root or the whole flat table

  // Heap bitmap: bits per heap word (4 in 2011), 0 = none. It lies directly below the heap and grows downward
  // in multiples of bitmap_chunk_bytes; bitmap_bytes is what the plan reserves for it (part of one
  // reservation with the heap: the hint is the bitmap's lowest address, the heap starts bitmap_bytes above).
  uint32_t bitmap_bits_per_word = 0;
  uint64_t bitmap_bytes = 0;
  uint64_t bitmap_chunk_bytes = 8 * kKiB;

  // Records (spans; thread caches) come from chunks of this size, each kind from its own (Go's FixAlloc).
  uint64_t metadata_chunk_bytes = 128 * kKiB;

  // Tables beside the heap that grow with it: one byte for each heap_bytes_per_byte, chunk_bytes at a time.
  struct GrowthTable {
    std::string purpose;
    uint64_t heap_bytes_per_byte = 0;
    uint64_t chunk_bytes = 0;
  };
  std::vector<GrowthTable> growth_tables;

  // --- when the start is refused -----------------------------------------------------------------------
  // What it is called when another plan falls back to this one, or limits choose it; empty = the plan as meant.
  std::string mode;
  // The program is noticeably worse in this mode, not only smaller.
  bool is_degraded = false;
  // Tried in order, with everything given back before; page map kind and heap page are those of the first.
  std::vector<ReservationStrategy> fallbacks;
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_RESERVATION_STRATEGY_H_
