// ProcessImageLoader: the image of a program, put into a modelled process as exec leaves it (row 9, "modelled
// kernel").
//
// Turns the lines of a maps file into mappings, and finds in them what the calls need to know later: where brk
// begins, what RLIMIT_DATA counts beside the brk area, which stack is the process's own, and the BSS behind
// the program's data, from which an allocator may take its tables.
//
// Ownership: none; fills a state that VirtualOs owns. Threads: one. Limits: the lines are sane and within the
// platform's range (PlatformFault in virtual_os.h).
#ifndef REHEAP_SIM_OS_PROCESS_IMAGE_LOADER_H_
#define REHEAP_SIM_OS_PROCESS_IMAGE_LOADER_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "alloc/addr.h"
#include "sim/os/maps_text.h"
#include "sim/os/process_state.h"
#include "sim/os/range_labels.h"

namespace reheap {

// What a maps file does not show to the byte.
struct DataSegment {
  uint64_t bytes = 0;
  Addr break_start;
  Addr break_end;
};

struct LoadedImage {
  Addr end;        // of the program's data, its BSS included
  AddrRange bss;   // anonymous and writable, right behind the data; empty = none
  Addr stack_end;  // of the image's [stack]; zero = none
};

// The writable data of the executable; null = none.
const ImageMapping* DataOf(const std::vector<ImageMapping>& image);

// Without a `segment`, data and brk area are as far as the image shows; the brk area begins
// `break_raised_bytes` above the image when that has no [heap]. Precondition: nothing is mapped yet.
LoadedImage LoadProcessImage(const std::vector<ImageMapping>& image, const std::optional<DataSegment>& segment,
                             uint64_t break_raised_bytes, ProcessState* state, RangeLabels* labels);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_PROCESS_IMAGE_LOADER_H_
