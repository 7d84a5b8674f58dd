// ShareReport: who holds what a refused request ran into (row 9, "modelled kernel").
//
//   RLIMIT_AS: asked 17.0 GiB, 0.03 of 4.0 GiB in use; largest: program 0.02 GiB
//
// A rule counts something (mapped bytes, writable bytes, committed bytes, mappings, free addresses), so the
// holders are measured by just that. Made at a refusal, by walking the mappings once: O(n), never on the way
// of a request that is granted. Holders are the heap (what came through the Os interface), files of the image
// by name, [stack], [heap] (the brk area), what VirtualOs::Label was told, and the rest.
//
// Values: no ownership, no threads.
#ifndef REHEAP_SIM_OS_SHARE_REPORT_H_
#define REHEAP_SIM_OS_SHARE_REPORT_H_

#include <functional>
#include <string>
#include <string_view>

#include "alloc/os.h"
#include "sim/os/refusal_text.h"
#include "sim/os/virtual_os.h"

namespace reheap {

// What `rule` counts.
ShareMeasure MeasureOf(Rule rule);

// Calls visit for each piece of a mapping that has a holder of its own, in address order.
void ForEachHolder(const VirtualOs& os, const Mapping& m,
                   const std::function<void(AddrRange piece, std::string_view holder)>& visit);

// As of now: to be called before the process changes.
ShareReport ReportShares(const VirtualOs& os, const Refusal& refusal);

// RefusalText of `refusal` by `os`, with the shares as of now.
std::string ExplainRefusal(const VirtualOs& os, const Refusal& refusal);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_SHARE_REPORT_H_
