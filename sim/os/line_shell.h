// LineShell: a modelled process, driven by lines of text: one operation in, one answer out (row 9).
//
// `reheap os` for people ("what would mmap do?") and for tests that go in lockstep with a kernel. The words
// are shell_commands.h, the answers shell_answer.h:
//
//   an operation      R <result-hex> <errno> ; S <vsize> <anonymous-rss> <data> ; M <layout>
//   maps, status      lines, then END
//   anything else     E <what was expected> (line N)      and nothing has happened
//   blank, # comment  no answer
//
// Ownership: the VirtualOs is the caller's and outlives it. Threads: one. Limits: lines of
// kLongestShellLine; one `touch` line reaches kMostTouchedPages. Cost: the layout is written per operation,
// measured in tests/bench/line_shell_bench.cc.
#ifndef REHEAP_SIM_OS_LINE_SHELL_H_
#define REHEAP_SIM_OS_LINE_SHELL_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "sim/os/shell_line.h"
#include "sim/os/virtual_os.h"

namespace reheap {

class LineShell {
 public:
  LineShell(VirtualOs* os, NearestWord nearest) : os_(*os), nearest_(nearest) {}

  // `line` without its end. The answer with its ends; empty for a blank line and for quit.
  std::string Execute(std::string_view line);
  // The same, appended.
  void Execute(std::string_view line, std::string* answer);

  bool quit() const { return quit_; }
  uint64_t lines() const { return lines_; }
  // Lines answered with E.
  uint64_t faults() const { return faults_; }

 private:
  void Fault(const std::string& expected, std::string* answer);

  VirtualOs& os_;
  const NearestWord nearest_;
  bool quit_ = false;
  uint64_t lines_ = 0;
  uint64_t faults_ = 0;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_LINE_SHELL_H_
