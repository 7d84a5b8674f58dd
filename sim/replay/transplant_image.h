// TransplantImage: a program's sizes in the process layout of another platform (row 6 of the walk).
//
// A trace knows the mappings of the process that was recorded, which is a linux one. What the same program
// would look like elsewhere follows from the platform's own small image and rules:
//
//   the executable   where the platform's image has its own, its segments as far apart as recorded, its BSS
//                    behind them
//   libraries        as wide as recorded, each where the platform's own mmap (or VirtualAlloc) puts it, the
//                    highest one first, as a loader maps them
//   other mappings   likewise
//                    (both above the executable on platforms that reserve and commit)
//   kernel pages, stack, loader and C library of the platform's image: stay; recorded ones and [heap], which
//                    is the recorded malloc's, are left out
//
// Modelled: no loader of that platform was asked. Values only. Limits: the recorded image fits, or an error.
#ifndef REHEAP_SIM_REPLAY_TRANSPLANT_IMAGE_H_
#define REHEAP_SIM_REPLAY_TRANSPLANT_IMAGE_H_

#include <vector>

#include "absl/status/statusor.h"
#include "sim/os/maps_text.h"
#include "sim/os/platform.h"

namespace reheap {

// Preconditions: `recorded` is in rising order without overlap. InvalidArgument when it does not fit.
absl::StatusOr<std::vector<ImageMapping>> TransplantImage(const std::vector<ImageMapping>& recorded,
                                                          const Platform& platform);

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_TRANSPLANT_IMAGE_H_
