// StrategyChecks: what must hold between the fields of a strategy file, each violation with its line.
//
// The schema says which words exist; this says which of them make a plan that can be carried out. Known to
// strategy_catalog.cc only.
//
// Ownership: refers to the message and its source, which outlive it. Threads: one. Limits: the OS page
// that sizes are multiples of is the smallest that any platform has, 4 KiB.
#ifndef REHEAP_SIM_STRATEGIES_STRATEGY_CHECKS_H_
#define REHEAP_SIM_STRATEGIES_STRATEGY_CHECKS_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "proto/strategy.pb.h"
#include "sim/strategies/strategy_source.h"

namespace reheap {

class StrategyChecks {
 public:
  // `strategy`: with modes and formulas put in; `source`: the file that it comes from.
  StrategyChecks(const proto::Strategy& strategy, const StrategySource& source)
      : strategy_(strategy), source_(source) {}

  // Every violation, as "file:line: what is wrong"; empty = a plan that can be carried out.
  std::vector<std::string> Run();

 private:
  void CheckIdentity();
  void CheckPresence();
  void CheckSizes();
  void CheckFirmness();
  void CheckHints();
  void CheckGrowth();
  void CheckPageMap();
  void CheckBitmap();
  void CheckRelease();
  void CheckReleaseMethod();

  // Unless `holds`: a violation at the line of `path` ("reservation.heap_bytes"), or of the message around it
  // when the field is not in the file.
  void Require(bool holds, absl::string_view path, absl::string_view message);
  bool IsPresent(absl::string_view path) const;

  const proto::Strategy& strategy_;
  const StrategySource& source_;
  std::vector<std::string> violations_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_STRATEGIES_STRATEGY_CHECKS_H_
