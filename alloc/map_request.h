// MapRequest: one range of address space that an allocator asks for beside its heap, as plain data (row 8 of
// the walk).
//
// Page summaries, shadow, code cages, thread arenas: what is asked, in which way, and what follows from a no.
// Whole lists of them stand in a ReservationStrategy; RequestRunner (alloc/request_runner.h) carries them
// out.
//
// Sizes are bytes; whoever carries them out rounds up to OS pages, as kernels do. Values only: no ownership,
// no threads.
#ifndef REHEAP_ALLOC_MAP_REQUEST_H_
#define REHEAP_ALLOC_MAP_REQUEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "alloc/addr.h"

namespace reheap {

// Addresses to try, in order: base, base + stride, ... (count of them). count 0: no hint.
struct HintList {
  Addr base;
  uint64_t stride_bytes = 0;
  uint32_t count = 0;
  // base is ignored: the first hint is the image's end (Os::image_end) rounded up to image_align_bytes.
  bool after_image = false;
  uint64_t image_align_bytes = 0;
  // Not 0: hint n is base plus a draw, by `seed` and n, of the bits of this mask. Bits of base that are not
  // in the mask are the same in every hint: a tag.
  uint64_t random_mask = 0;
  uint64_t seed = 0;
};

// What the program may do with a range from the start.
enum class Protection : uint8_t { kNone, kReadWrite, kReadWriteExecute };

// When the OS refuses a request and none of its ways around helps.
enum class IfRefused : uint8_t {
  kFail,     // whoever needs it fails: the program's start, a thread's first allocation, a growth
  kSkip,     // goes on without it
  kBelieve,  // does not notice, and dies at its first use of the range
};

struct MapRequest {
  std::string purpose;  // "page summaries"
  uint64_t bytes = 0;
  uint32_t count = 1;  // this many ranges, one after the other
  uint64_t alignment_bytes =
      0;  // found by mapping spare_bytes more and unmapping what is too much; 0 = as it comes
  uint64_t spare_bytes = 0;   // 0 = alignment_bytes
  bool exact_second = false;  // refused with spare: once more without, good if it happens to be aligned
  bool spare_is_next =
      false;  // the spare, where all of it lies behind, is where the next of this purpose is tried first
  uint64_t ready_bytes = 0;  // of an inaccessible range: this much from its start is made usable
  Protection protection = Protection::kNone;
  bool no_reserve = false;
  bool low = false;  // where 32 bits reach
  HintList hints;
  bool hint_only = false;               // any other place is as good as a refusal
  bool over = false;                    // exactly at the hint, over whatever is there
  bool released = false;                // given back at once: a probe
  std::vector<uint64_t> smaller_bytes;  // refused: these sizes, in order, before giving up
  IfRefused if_refused = IfRefused::kFail;
  std::vector<MapRequest> instead;  // before if_refused: these, all of them
  // What the program is when it goes on with less, or without ("no JIT"); empty = nobody notices.
  std::string degraded_mode;
  bool is_degraded = false;  // noticeably worse then, not only smaller
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_MAP_REQUEST_H_
