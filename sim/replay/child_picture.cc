#include "sim/replay/child_picture.h"

#include <string_view>

#include "absl/status/statusor.h"
#include "sim/os/range_labels.h"
#include "sim/replay/child_baseline.h"

namespace reheap {
namespace {

// TASK_SIZE_MAX with four levels of page tables (arch/x86/include/asm/page_64.h, linux 6.12).
constexpr uint64_t kUserEnd = (uint64_t{1} << 47) - 4096;

enum Whose : RangeLabels::Label { kHeaps = 0, kReplayers, kPrograms, kStacks };
constexpr std::string_view kHolderNames[] = {"heap", "the replayer", "mapped by the program",
                                             "thread stacks"};

}  // namespace

void TakeChildPicture(const ForeignMappings* foreign, ChildPicture* picture) {
  picture->maps_bytes = picture->foreign_count = 0;
  bool has_room = true;
  if (foreign != nullptr) {
    foreign->ForEachMapped([&](AddrRange range, ForeignHolder holder) {
      has_room = picture->foreign_count < ChildPicture::kMostForeign;
      if (has_room) picture->foreign[picture->foreign_count++] = {range.start.value(), range.bytes, holder};
    });
  }
  const uint64_t bytes = ReadWholeFile("/proc/self/maps", picture->maps, ChildPicture::kMapsBytes);
  if (has_room && bytes < ChildPicture::kMapsBytes) picture->maps_bytes = bytes;
}

SpacePicture PictureOfChild(const ChildPicture& taken, const std::vector<ImageMapping>& baseline_image) {
  SpacePicture picture;
  if (taken.maps_bytes == 0) return picture;
  const absl::StatusOr<std::vector<ImageMapping>> mappings =
      ParseMaps({taken.maps, taken.maps_bytes}, "/proc/PID/maps of the replay child");
  if (!mappings.ok()) return picture;
  RangeLabels labels;
  for (const ImageMapping& m : baseline_image) labels.Set({m.start, m.end - m.start}, kReplayers);
  for (uint64_t i = 0; i < taken.foreign_count; ++i) {
    const ChildPicture::Foreign& foreign = taken.foreign[i];
    labels.Set({Addr(foreign.start), foreign.bytes},
               foreign.holder == ForeignHolder::kProgram ? kPrograms : kStacks);
  }
  picture.user_end = kUserEnd;
  for (const ImageMapping& m : *mappings) {
    labels.ForEachPiece({m.start, m.end - m.start}, [&](AddrRange piece, RangeLabels::Label whose) {
      if (whose != kReplayers) picture.Add(piece, m.perms, kHolderNames[whose]);
    });
  }
  picture.LeaveOutTheSmallest();
  return picture;
}

}  // namespace reheap
