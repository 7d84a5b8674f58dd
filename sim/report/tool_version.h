// Tool version: the name and number that reports and `reheap --version` carry.
//
// A constant: no ownership, any thread.
#ifndef REHEAP_SIM_REPORT_TOOL_VERSION_H_
#define REHEAP_SIM_REPORT_TOOL_VERSION_H_

namespace reheap {

inline constexpr char kToolVersion[] = "reheap 0.1.0";

}  // namespace reheap

#endif  // REHEAP_SIM_REPORT_TOOL_VERSION_H_
