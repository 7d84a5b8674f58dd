// `reheap trace cut`, `filter`, `merge`, `anonymize`, `synth`: traces made of traces, or of a seed.
//
// What they do to events is traces/trace_cutter.h, trace_filter.h, trace_merger.h, trace_anonymizer.h and
// synthetic_trace.h. What they have in common: OUT appears whole under its name or not at all, and may be
// none of the inputs; a request that the trace cannot fulfil is a wrong usage, a trace that cannot be read or
// breaks rules is unreadable.
//
// Functions of arguments and a Terminal (command.h). Threads: one.
#ifndef REHEAP_TOOLS_CMD_TRACE_EDIT_H_
#define REHEAP_TOOLS_CMD_TRACE_EDIT_H_

#include <string>
#include <vector>

#include "tools/command.h"

namespace reheap {

int TraceCutCommand(const std::vector<std::string>& arguments, Terminal& terminal);
int TraceFilterCommand(const std::vector<std::string>& arguments, Terminal& terminal);
int TraceMergeCommand(const std::vector<std::string>& arguments, Terminal& terminal);
int TraceAnonymizeCommand(const std::vector<std::string>& arguments, Terminal& terminal);
int TraceSynthCommand(const std::vector<std::string>& arguments, Terminal& terminal);

}  // namespace reheap

#endif  // REHEAP_TOOLS_CMD_TRACE_EDIT_H_
