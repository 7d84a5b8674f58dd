#include "sim/os/space_picture.h"

#include <algorithm>

#include "alloc/check.h"
#include "sim/os/share_report.h"

namespace reheap {

void SpacePicture::Add(AddrRange range, std::string_view permissions, std::string_view holder) {
  if (!pieces.empty()) {
    Piece& last = pieces.back();
    REHEAP_CHECK_LE(last.range.end().value(), range.start.value());
    if (last.range.end() == range.start && last.permissions == permissions && last.holder == holder) {
      last.range.bytes += range.bytes;
      return;
    }
  }
  pieces.push_back({range, std::string(permissions), std::string(holder)});
}

void SpacePicture::LeaveOutTheSmallest() {
  if (pieces.size() <= kMostPieces) return;
  left_out += pieces.size() - kMostPieces;
  std::stable_sort(pieces.begin(), pieces.end(),
                   [](const Piece& a, const Piece& b) { return a.range.bytes > b.range.bytes; });
  pieces.resize(kMostPieces);
  std::sort(pieces.begin(), pieces.end(),
            [](const Piece& a, const Piece& b) { return a.range.start < b.range.start; });
}

SpacePicture PictureSpace(const VirtualOs& os) {
  SpacePicture picture;
  picture.user_end = os.platform().machine.user_end;
  const AddressSpace& space = os.space();
  for (auto id = space.First(); id != AddressSpace::kNone; id = space.Next(id)) {
    const Mapping& m = space.mapping(id);
    const MappingTraits& traits = m.traits;
    const char permissions[] = {traits.read ? 'r' : '-', traits.write ? 'w' : '-', traits.execute ? 'x' : '-',
                                traits.shared ? 's' : 'p'};
    ForEachHolder(os, m, [&](AddrRange piece, std::string_view holder) {
      picture.Add(piece, {permissions, sizeof(permissions)}, holder);
    });
  }
  picture.LeaveOutTheSmallest();
  return picture;
}

}  // namespace reheap
