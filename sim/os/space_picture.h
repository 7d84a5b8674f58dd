// SpacePicture: who sits where in an address space, at one moment (row 9, "modelled kernel", and row 10).
//
//   c000000000-c000200000 rw-p heap | 7ffff7d8d000-7ffff7f22000 r-xp libc.so.6 | 7ffffffde000-7ffffffff000
//   rw-p [stack]
//
// Pieces in address order; neighbours of one holder and one kind of access are one. A process may have 60,000
// mappings and a picture is for people: beyond kMostPieces the smallest are left out and counted.
//
// Values. Threads: one. O(n log n) in pieces.
#ifndef REHEAP_SIM_OS_SPACE_PICTURE_H_
#define REHEAP_SIM_OS_SPACE_PICTURE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/addr.h"
#include "sim/os/virtual_os.h"

namespace reheap {

struct SpacePicture {
  static constexpr size_t kMostPieces = 256;

  struct Piece {
    AddrRange range;
    std::string permissions;  // "rw-p"
    std::string holder;       // as in refusals
  };

  uint64_t user_end = 0;      // first address that no process can have; 0 = there is no picture
  std::vector<Piece> pieces;  // in address order
  uint64_t left_out = 0;

  // Preconditions: behind all pieces so far, not empty.
  void Add(AddrRange range, std::string_view permissions, std::string_view holder);
  // Keeps the largest; of equal ones the lowest.
  void LeaveOutTheSmallest();
};

// As of now.
SpacePicture PictureSpace(const VirtualOs& os);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_SPACE_PICTURE_H_
