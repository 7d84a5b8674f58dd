#include "sim/replay/trace_setup.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace reheap {
namespace {

// Stack of a thread whose limit is not known, and of one without limit (_STK_LIM, include/uapi/linux/resource.h,
// linux 6.12; ARCH_STACK_DEFAULT_SIZE, sysdeps/x86_64/nptl/pthreaddef.h, glibc; measured: 2,052 KiB with guard).
constexpr uint64_t kUsualStackBytes = 8 * kMiB;
constexpr uint64_t kUnlimitedStackBytes = 2 * kMiB;

// What a thread of the traced program has, as glibc decides it: by RLIMIT_STACK.
uint64_t StackBytes(const proto::TraceHeader& header) {
  const auto& unknown = header.unknown();
  const bool is_known =
      header.has_process() && std::find(unknown.begin(), unknown.end(), "limits") == unknown.end();
  if (!is_known) return kUsualStackBytes;
  if (!header.process().has_rlimit_stack_bytes()) return kUnlimitedStackBytes;
  return header.process().rlimit_stack_bytes();
}

}  // namespace

HeapTargetOptions TargetOptions(const ReplayRequest& request, const TraceSetup& setup) {
  return {setup.facts.slot_count, /*touch_objects=*/request.touch == "full", setup.demand.events_at_peak};
}

absl::StatusOr<TraceSetup> ReadTraceSetup(const ReplayRequest& request) {
  TraceSetup setup;
  absl::StatusOr<OpStream::Facts> facts = OpStream::ReadFacts(request.trace_path, request.allow_cut_off);
  if (!facts.ok()) return facts.status();
  setup.facts = *facts;
  absl::StatusOr<TraceDemand> demand = ReadDemand(request.trace_path, request.allow_cut_off);
  if (!demand.ok()) return demand.status();
  setup.demand = *std::move(demand);
  absl::StatusOr<std::unique_ptr<OpStream>> stream = OpStream::Open(request.trace_path, request.allow_cut_off);
  if (!stream.ok()) return stream.status();
  if (request.foreign == "replay") setup.foreign.calls = setup.facts.foreign_count;
  if (request.thread_stacks == "glibc") setup.foreign.stack_bytes = StackBytes((*stream)->header());
  absl::StatusOr<ProcessImage> image = request.maps_path.empty()
                                           ? ImageFromTrace((*stream)->header(), request.trace_path)
                                           : ImageFromMapsFile(request.maps_path);
  if (!image.ok()) return image.status();
  setup.image = *std::move(image);
  return setup;
}

}  // namespace reheap
