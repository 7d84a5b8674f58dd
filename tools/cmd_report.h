// `reheap report`: a saved result in another form: a page, Markdown, CSV, JSON, counters for Perfetto.
//
// Reads through sim/report/report_reader.h, writes through sim/report. Function of its arguments. Threads:
// one.
#ifndef REHEAP_TOOLS_CMD_REPORT_H_
#define REHEAP_TOOLS_CMD_REPORT_H_

#include <string>
#include <vector>

#include "tools/command.h"

namespace reheap {

int ReportCommand(const std::vector<std::string>& arguments, Terminal& terminal);

}  // namespace reheap

#endif  // REHEAP_TOOLS_CMD_REPORT_H_
