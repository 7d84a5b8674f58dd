// ProcessImage: the mappings that a replayed heap finds in its process (row 6 of the walk).
//
// From a saved maps file or from a trace's header, both of which somebody else wrote: checked here, so that
// VirtualOs may trust them. Values only.
#ifndef REHEAP_SIM_REPLAY_PROCESS_IMAGE_H_
#define REHEAP_SIM_REPLAY_PROCESS_IMAGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/trace.pb.h"
#include "sim/os/maps_text.h"
#include "sim/os/platform.h"

namespace reheap {

struct ProcessImage {
  std::vector<ImageMapping> mappings;  // empty = the platform's own small image
  std::string origin;                  // for the report
  uint64_t vsize_bytes = 0;
  uint64_t data_bytes = 0;             // what RLIMIT_DATA counts of it: private, writable, not the stack
};

absl::StatusOr<ProcessImage> ImageFromMapsFile(const std::string& path);
// `path` is the trace's, for the error. Without mappings in the header the image is empty.
absl::StatusOr<ProcessImage> ImageFromTrace(const proto::TraceHeader& header, const std::string& path);

// The first mapping that no process of `platform` can have (PlatformFault); null when there is none.
const ImageMapping* FirstUnfit(const ProcessImage& image, const Platform& platform);

}  // namespace reheap

#endif  // REHEAP_SIM_REPLAY_PROCESS_IMAGE_H_
