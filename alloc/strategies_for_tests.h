// The strategy shapes of early 2011 and after as literals, for tests of alloc/ (the catalogue proper is textproto in
// sim/strategies/, which alloc/ must not know).
//
// Sources: Go history, commits 50f574515 (radix), 4608feb18 (16 GiB), 1e063b32c (17 GiB, and its 32-bit plan),
// 5b1b2ba9c (pretend), Go 1.11 runtime/malloc.go (64 MiB arenas at 128 hints). Test-only.
#ifndef REHEAP_ALLOC_STRATEGIES_FOR_TESTS_H_
#define REHEAP_ALLOC_STRATEGIES_FOR_TESTS_H_

#include "alloc/addr.h"
#include "alloc/reservation_strategy.h"

namespace reheap {

inline ReservationStrategy Go2010Radix() {
  ReservationStrategy s;
  s.name = "go-2010-radix";
  s.firmness = Firmness::kNothing;
  s.access = Access::kReadWriteExecute;
  s.page_map = PageMapKind::kRadix3;
  s.page_map_place = TablePlace::kImageBss;
  return s;
}

inline ReservationStrategy Go201101Reserve16g() {
  ReservationStrategy s;
  s.name = "go-2011-01-reserve16g";
  s.firmness = Firmness::kReserve;
  s.heap_bytes = 16 * kGiB;
  s.hints.base = Addr(0xf800000000);
  s.hints.count = 1;
  s.access = Access::kReadWriteExecute;
  s.page_map = PageMapKind::kFlat;
  s.page_map_place = TablePlace::kImageBss;
  return s;
}

inline ReservationStrategy Go201102Reserve17g() {
  ReservationStrategy s = Go201101Reserve16g();
  s.name = "go-2011-02-reserve17g";
  s.bitmap_bits_per_word = 4;
  s.bitmap_bytes = kGiB;
  return s;
}

inline ReservationStrategy Go201102Pretend() {
  ReservationStrategy s = Go201102Reserve17g();
  s.name = "go-2011-02-pretend";
  s.firmness = Firmness::kPretend;
  s.on_conflict = OnConflict::kDie;
  return s;
}

// 256 MiB of bitmap (4 bits for each 4-byte word of 2 GiB) and 512 MiB of heap behind the image.
inline ReservationStrategy Go201102Linux386() {
  ReservationStrategy s = Go201102Reserve17g();
  s.name = "go-2011-02-386";
  s.word_bits = 32;
  s.heap_bytes = 512 * kMiB;
  s.bitmap_bytes = 256 * kMiB;
  s.window_bytes = 2 * kGiB;
  s.hints = {};
  s.hints.after_image = true;
  s.hints.image_align_bytes = kMiB;
  return s;
}

inline ReservationStrategy Go111Arenas() {
  ReservationStrategy s;
  s.name = "go-1.11-arenas";
  s.firmness = Firmness::kPerChunk;
  s.reserve_chunk_bytes = 64 * kMiB;
  s.hints.base = Addr(0xc000000000);
  s.hints.stride_bytes = kTiB;
  s.hints.count = 128;
  s.on_conflict = OnConflict::kNextHint;
  s.heap_page_shift = 13;
  s.page_map = PageMapKind::kSparseArenas;
  s.metadata_chunk_bytes = 16 * kKiB;
  return s;
}

}  // namespace reheap

#endif  // REHEAP_ALLOC_STRATEGIES_FOR_TESTS_H_
