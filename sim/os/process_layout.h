// ProcessLayout: how exec lays one process out, and what of it can be seen in a saved maps file (row 9).
//
// Takes a platform's rules and one process's circumstances (personality, randomisation, stack limit) and
// answers the rules as that process meets them: where its search begins, upwards or downwards, how far it may
// go, where stack, break and the kernel's own pages lie. Randomised, it draws from a seed: the same seed
// gives the same layout, a real process another one.
//
// Values and pure functions: no ownership, any thread.
#ifndef REHEAP_SIM_OS_PROCESS_LAYOUT_H_
#define REHEAP_SIM_OS_PROCESS_LAYOUT_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "alloc/addr.h"
#include "sim/os/maps_text.h"
#include "sim/os/placement.h"
#include "sim/os/platform.h"

namespace reheap {

struct ProcessLayout {
  uint32_t personality = 0;           // bits of personality(2), the platform's
  std::optional<uint64_t> aslr_seed;  // absent = nothing is randomised
  bool legacy_va_layout = false;      // sysctl vm.legacy_va_layout
};

// What exec decided for one process.
struct LaidProcess {
  Platform platform;             // the rules as this process meets them
  Addr base;                     // Placement's
  uint64_t stack_lowered_bytes;  // below the highest place
  uint64_t break_raised_bytes;   // above the end of the image
};

// `stack_limit_bytes`: absent = unlimited. `data_start` as PlacementBase.
LaidProcess LayProcess(const Platform& platform, const ProcessLayout& layout,
                       std::optional<uint64_t> stack_limit_bytes, Addr data_start);

// `image`, the platform's own, as exec would leave it in `laid`: the stack at its place, the kernel's own
// pages where the search finds room, the rest as it is.
std::vector<ImageMapping> LayImage(const LaidProcess& laid, std::vector<ImageMapping> image);

// A mapping of the executable's file: the last before the heap, which follows the executable; without a heap,
// the first. Null = no files.
const ImageMapping* ProgramOf(const std::vector<ImageMapping>& image);

// The same for a process that runs already: base, direction and address limit are what its mappings tell,
// since whatever exec and ld.so placed first lies at the base. `layout` says what is known besides.
LaidProcess LearnLayout(const Platform& platform, const ProcessLayout& layout,
                        std::optional<uint64_t> stack_limit_bytes, Addr data_start,
                        const std::vector<ImageMapping>& image);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_PROCESS_LAYOUT_H_
