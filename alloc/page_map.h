// PageMap: which span does a heap page belong to? (a C++20 concept; rows 7 and 10 of the walk)
//
// The question of the 2011 mail: one flat array, or a tree? Each kind is a class template over Memory whose
// table lives in address space that it gets from the Os through PageMapSetup, so that its VSIZE, RSS and
// refusals are part of the study. A lookup is inlined; there is no virtual call (that would cost
// as much as the difference between the kinds).
//
//   flat            entry[page - first]                                8 B     1 load
//   flat-index      index[page - first], then the span table           4 B     1 load (2 with the span)
//   radix2          root[10 bits] -> leaf[10 bits]                     4 B     2 loads   (32-bit)
//   radix3          root[18] -> node[18] -> leaf[16]                   8 B     3 loads
//   sparse-arenas   arena[page / pages per arena] -> entry[page mod]   8 B     2 loads
//
// Threads: one writer; readers at the same time see old or new entries. Limits: in each header.
#ifndef REHEAP_ALLOC_PAGE_MAP_H_
#define REHEAP_ALLOC_PAGE_MAP_H_

#include <concepts>
#include <cstdint>

#include "alloc/addr.h"
#include "alloc/os.h"
#include "alloc/reservation_strategy.h"

namespace reheap {

// A span, by the address of its record in allocator memory (never a C++ pointer: it may be simulated).
// Zero = no span.
using SpanRef = Addr;

// What a page map is made from.
struct PageMapSetup {
  Os* os = nullptr;                 // not owned
  const ReservationStrategy* strategy = nullptr;
  // The pages that can ever be heap: kFlat and kFlatIndex cover just these. The others ignore it.
  // kFlat without a bound (firmness kNothing) is our own mistake.
  AddrRange heap_range;
  // The table's memory when the strategy puts it in the reservation; else empty and the map asks the Os.
  AddrRange table;
  // How `table` is held. kNothing: it is Ready. kReserve, kPretend: not usable yet; a flat map makes it
  // Ready from its start on as Prepare needs it (Go 1.2's span table, by the OS page): Commit or MapReadyAt.
  Firmness table_held = Firmness::kNothing;
};

// What a page map costs. Bytes.
struct PageMapCost {
  uint64_t reserved_bytes = 0;  // address space taken for tables
  uint64_t resident_bytes = 0;  // OS pages of them written so far
  int loads_per_lookup = 0;     // dependent loads from page number to SpanRef
};

template <class P>
concept PageMap = requires(P map, const P& cmap, const PageMapSetup& setup, PageId page, PageCount count,
                           SpanRef span) {
  { P::kKind } -> std::convertible_to<PageMapKind>;
  // Makes the tables; to be called once, first.
  { map.Init(setup) } -> std::same_as<OsResult<Done>>;
  // Makes sure that Set on these pages cannot be refused (a tree makes nodes here).
  { map.Prepare(page, count) } -> std::same_as<OsResult<Done>>;
  // All of the pages belong to `span` (zero: to none). Preconditions: Prepare succeeded for them.
  { map.Set(page, count, span) };
  // The span of a page; zero for any page that was never set, wherever it is.
  { cmap.Get(page) } -> std::same_as<SpanRef>;
  { cmap.Cost() } -> std::same_as<PageMapCost>;
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_PAGE_MAP_H_
