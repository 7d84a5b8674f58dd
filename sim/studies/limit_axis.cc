#include "sim/studies/limit_axis.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "sim/report/human_units.h"

namespace reheap {
namespace {

using Value = std::optional<uint64_t>;

template <Value VirtualSettings::*member>
Value GetSetting(const ReplayRow& row) {
  return row.settings.*member;
}
template <Value VirtualSettings::*member>
void SetSetting(Value value, ReplayRow* row) {
  row->settings.*member = value;
}
template <auto member>
void Mention(uint64_t value, ReplayRequest* request) {
  (request->*member).assign(1, value);
}

}  // namespace

const std::vector<LimitAxis>& LimitAxes() {
  static const std::vector<LimitAxis>* const axes = new std::vector<LimitAxis>{
      {"address", "address_bytes", false, true, [](const ReplayRow& row) { return row.address_limit; },
       [](Value value, ReplayRow* row) { row->address_limit = value; }, Mention<&ReplayRequest::address_limits>},
      {"data", "data_bytes", false, true, [](const ReplayRow& row) { return row.data_limit; },
       [](Value value, ReplayRow* row) { row->data_limit = value; }, Mention<&ReplayRequest::data_limits>},
      {"memory_max", "memory_max_bytes", false, true, GetSetting<&VirtualSettings::memory_max_bytes>,
       SetSetting<&VirtualSettings::memory_max_bytes>, Mention<&ReplayRequest::memory_limits>},
      {"max_map_count", "max_mappings", true, false, GetSetting<&VirtualSettings::max_mappings>,
       SetSetting<&VirtualSettings::max_mappings>, Mention<&ReplayRequest::max_mappings>},
      {"ram", "ram_bytes", false, false, GetSetting<&VirtualSettings::ram_bytes>, SetSetting<&VirtualSettings::ram_bytes>,
       Mention<&ReplayRequest::ram_bytes>},
      {"swap", "swap_bytes", false, false, GetSetting<&VirtualSettings::swap_bytes>,
       SetSetting<&VirtualSettings::swap_bytes>, Mention<&ReplayRequest::swap_bytes>},
      {"commit", "job_commit_bytes", false, true, GetSetting<&VirtualSettings::job_commit_bytes>,
       SetSetting<&VirtualSettings::job_commit_bytes>, Mention<&ReplayRequest::job_commits>},
  };
  return *axes;
}

const LimitAxis* FindLimitAxis(absl::string_view name) {
  for (const LimitAxis& axis : LimitAxes()) {
    if (name == axis.name) return &axis;
  }
  return nullptr;
}

std::vector<std::string> LimitAxisNames() {
  std::vector<std::string> names;
  for (const LimitAxis& axis : LimitAxes()) names.push_back(axis.name);
  return names;
}

proto::Limits LimitsBut(proto::Limits limits, const LimitAxis& axis) {
  limits.GetReflection()->ClearField(&limits, limits.GetDescriptor()->FindFieldByName(axis.report_field));
  return limits;
}

absl::StatusOr<uint64_t> ParseAxisValue(const LimitAxis& axis, absl::string_view text) {
  if (!axis.is_count) return ParseBytes(text);
  uint64_t count = 0;
  if (absl::SimpleAtoi(text, &count)) return count;
  return absl::InvalidArgumentError(absl::StrCat("'", text, "' is not a number of mappings"));
}

std::string FormatAxisValue(const LimitAxis& axis, std::optional<uint64_t> value) {
  if (!value) return axis.can_be_unlimited ? "unlimited" : "the platform's own";
  return axis.is_count ? FormatCount(*value) : FormatBytes(*value);
}

}  // namespace reheap
