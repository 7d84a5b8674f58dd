// RefusalText: the one sentence that explains a refusal, for reports and for the line shell (row 9 and 11).
//
//   RLIMIT_AS: asked 17.0 GiB, 0.03 of 4.0 GiB in use; largest: program 0.02 GiB
//
// Wording only, of facts that somebody else found out: share_report.h for a modelled process, the replay child
// for a real one.
//
// Values and pure functions: no ownership, any thread.
#ifndef REHEAP_SIM_OS_REFUSAL_TEXT_H_
#define REHEAP_SIM_OS_REFUSAL_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/addr.h"

namespace reheap {

// What a rule counts. kNothing: it is not about an amount (an invalid argument).
enum class ShareMeasure : uint8_t {
  kNothing = 0,
  kMappedBytes,
  kDataBytes,     // what the platform's data limit counts
  kChargedBytes,  // committed
  kOneRequest,    // the size of the request itself; the holders are measured in committed bytes
  kMappings,
  kFreeBytes,  // what is left between the mappings; the holders are measured in mapped bytes
  kResidentBytes,  // what memory.max counts
  kLockedBytes,
  kPlace,      // the addresses asked for: the first holder is who is there, others are not listed
};
// "mapped bytes", ...; "" for kNothing.
const char* ShareMeasureName(ShareMeasure measure);
// The measure of that name; kNothing when there is none.
ShareMeasure ShareMeasureNamed(std::string_view name);

struct Holder {
  std::string name;
  uint64_t bytes = 0;     // as measured
  uint64_t mappings = 0;  // in which it holds something that counts
  Addr start;             // kPlace only: where it is
};

struct ShareReport {
  ShareMeasure measure = ShareMeasure::kNothing;
  std::vector<Holder> holders;  // the largest first, equal ones by name
  uint64_t free_bytes = 0;      // kFreeBytes: all of it,
  uint64_t largest_gap_bytes = 0;  // and the largest piece
};

// What is known of one refusal, for the sentence. `allowed`, `in_use` are mappings where measure is kMappings.
struct RefusalFacts {
  std::string rule;
  uint64_t asked_bytes = 0;
  uint64_t in_use = 0;
  uint64_t allowed = 0;
  ShareReport shares;
};
// Rule, asked, in use, allowed, and the largest holder: one sentence without a full stop.
std::string RefusalText(const RefusalFacts& facts);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_REFUSAL_TEXT_H_
