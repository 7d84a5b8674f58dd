// ChildPicture: a replay child's address space as the kernel shows it, less what is the replayer's own (row
// 10).
//
// The child copies its /proc/self/maps into memory that it shares with the parent, which has been mapped
// since before the baseline and costs no anonymous memory; the parent makes sense of it afterwards. What was
// mapped at the baseline is the replayer's, what the program's own calls mapped is known, and the rest is the
// heap's.
//
// Plain data of fixed size, too large for a stack. Threads: one. Limits: maps text of kMapsBytes (some 50,000
// mappings) and kMostForeign mappings of the program's own; a process with more has no picture.
#ifndef REHEAP_SIM_REPLAY_CHILD_PICTURE_H_
#define REHEAP_SIM_REPLAY_CHILD_PICTURE_H_

#include <cstdint>
#include <vector>

#include "alloc/addr.h"
#include "sim/os/maps_text.h"
#include "sim/os/space_picture.h"
#include "sim/replay/foreign_mappings.h"

namespace reheap {

struct ChildPicture {
  static constexpr uint64_t kMapsBytes = 4 * kMiB;
  static constexpr uint64_t kMostForeign = 1 << 14;
  struct Foreign {
    uint64_t start;
    uint64_t bytes;
    ForeignHolder holder;
  };

  // All zero in fresh shared memory: no initializers, or making one would touch every page.
  uint64_t maps_bytes;  // 0 = no picture
  uint64_t foreign_count;
  Foreign foreign[kMostForeign];
  char maps[kMapsBytes];
};

// In the child. `foreign` may be null. Allocates nothing.
void TakeChildPicture(const ForeignMappings* foreign, ChildPicture* picture);

// In the parent. Without picture when the child took none.
SpacePicture PictureOfChild(const ChildPicture& taken, const std::vector<ImageMapping>& baseline_image);

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_CHILD_PICTURE_H_
