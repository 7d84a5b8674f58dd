// LimitAxis: a limit of numbers that a study can vary, by its name (rows 6 and 9 of the walk).
//
// The same limit has a field in StudyLimits ("address"), in Limits of the report ("address_bytes") and in a row;
// this table is the one place that knows all three. Static values: any thread.
#ifndef REHEAP_SIM_STUDIES_LIMIT_AXIS_H_
#define REHEAP_SIM_STUDIES_LIMIT_AXIS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/report.pb.h"
#include "sim/replay/replay_grid.h"
#include "sim/replay/replay_request.h"

namespace reheap {

struct LimitAxis {
  const char* name;          // "address", of StudyLimits
  const char* report_field;  // "address_bytes", of Limits
  bool is_count;             // mappings, not bytes
  bool can_be_unlimited;     // absent in a row = unlimited; else the platform's own
  std::optional<uint64_t> (*get)(const ReplayRow& row);
  void (*set)(std::optional<uint64_t> value, ReplayRow* row);
  // Makes ResolveGrid ask each platform whether it has this limit.
  void (*mention)(uint64_t value, ReplayRequest* request);

  // Smallest step that makes a difference.
  uint64_t unit() const { return is_count ? 1 : 4096; }
};

const std::vector<LimitAxis>& LimitAxes();
// Null when there is none of that name.
const LimitAxis* FindLimitAxis(absl::string_view name);
std::vector<std::string> LimitAxisNames();

// `limits` without the axis's own field: what was held.
proto::Limits LimitsBut(proto::Limits limits, const LimitAxis& axis);

// "4GiB" or, of a count, "65530".
absl::StatusOr<uint64_t> ParseAxisValue(const LimitAxis& axis, absl::string_view text);
std::string FormatAxisValue(const LimitAxis& axis, std::optional<uint64_t> value);

}  // namespace reheap

#endif  // REHEAP_SIM_STUDIES_LIMIT_AXIS_H_
