// Trace info as text: what `reheap trace info` prints.
//
// Pure function: no ownership, any thread.
#ifndef REHEAP_TOOLS_TRACE_INFO_TEXT_H_
#define REHEAP_TOOLS_TRACE_INFO_TEXT_H_

#include <string>

#include "traces/trace_info.h"

namespace reheap {

// `path` is what the user called the file. Lines end in '\n'.
std::string RenderTraceInfo(const TraceInfo& info, const std::string& path);

}  // namespace reheap

#endif  // REHEAP_TOOLS_TRACE_INFO_TEXT_H_
