// StrategyChecks: what must hold between the fields of a strategy file, each violation with its line.
//
// The schema says which words exist; this says which of them make a plan that can be carried out. Known to
// strategy_catalog.cc only.
//
// Ownership: refers to the message and the parse tree, which outlive it. Threads: one. Limits: the OS page
// that sizes are multiples of is the smallest that any platform has, 4 KiB.
#ifndef REHEAP_SIM_STRATEGIES_STRATEGY_CHECKS_H_
#define REHEAP_SIM_STRATEGIES_STRATEGY_CHECKS_H_

#include <google/protobuf/text_format.h>

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "proto/strategy.pb.h"

namespace reheap {

class StrategyChecks {
 public:
  StrategyChecks(const proto::Strategy& strategy, const google::protobuf::TextFormat::ParseInfoTree& tree,
                 absl::string_view file)
      : strategy_(strategy), tree_(tree), file_(file) {}

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

  // Unless `holds`: a violation at the line of `path` ("reservation.heap_bytes"), or of the message around it
  // when the field is not in the file.
  void Require(bool holds, absl::string_view path, absl::string_view message);
  bool IsPresent(absl::string_view path) const;
  int LineOf(absl::string_view path) const;

  const proto::Strategy& strategy_;
  const google::protobuf::TextFormat::ParseInfoTree& tree_;
  std::string file_;
  std::vector<std::string> violations_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_STRATEGIES_STRATEGY_CHECKS_H_
