// The smallest limit that works: a BandSearch over one limit of a row.
#include <optional>
#include <utility>

#include "sim/studies/band_search.h"
#include "sim/studies/cell_question.h"

namespace reheap {
namespace {

constexpr uint64_t kUsualResolutionBytes = 64 << 10;

class LimitSearchCell final : public CellQuestion {
 public:
  explicit LimitSearchCell(const PlannedCell& cell)
      : cell_(cell), axis_(*cell.question->axis), search_(RangeOf(cell)) {}

  // First without the limit: where the program then ends up is where an edge is likely.
  std::vector<Probe> Next() override {
    if (!free_run_) {
      asked_ = {std::nullopt};
    } else {
      const std::vector<uint64_t> next = search_.Next();
      asked_.assign(next.begin(), next.end());
    }
    std::vector<Probe> probes;
    for (std::optional<uint64_t> limit : asked_) {
      probes.push_back({*cell_.row, nullptr});
      axis_.set(limit, &probes.back().row);
    }
    return probes;
  }

  void Take(std::vector<proto::Run> runs) override {
    if (!free_run_) {
      free_run_ = std::move(runs[0]);
      AddLikelyEdge();
      return;
    }
    for (size_t i = 0; i < runs.size(); ++i) search_.Take(*asked_[i], FateOf(runs[i]));
  }

  void Answer(proto::Report* report) override {
    proto::LimitSearch* answer = report->add_limit_searches();
    answer->set_cell(cell_.number);
    answer->set_trace(cell_.trace->name);
    answer->set_strategy(free_run_->strategy());
    answer->set_platform(free_run_->platform());
    answer->set_limit(axis_.report_field);
    *answer->mutable_others() = LimitsBut(free_run_->limits(), axis_);
    for (proto::LimitBand& band : search_.Bands()) *answer->add_bands() = std::move(band);
    if (search_.Smallest()) answer->set_smallest_bytes(*search_.Smallest());
    if (search_.Safe()) answer->set_safe_bytes(*search_.Safe());
    answer->set_resolution_bytes(search_.EdgeWidth());
    answer->set_replays(static_cast<uint32_t>(search_.tries()));
    if (IsAddress()) answer->set_image_bytes(free_run_->image_vsize_bytes());
    answer->set_provenance(proto::MODELLED);
  }

 private:
  static BandSearch::Range RangeOf(const PlannedCell& cell) {
    const LimitAxis& axis = *cell.question->axis;
    const proto::StudyMinimalLimit& text = cell.question->text->minimal_limit();
    BandSearch::Range range;
    range.from = *ParseAxisValue(axis, text.from());
    range.to = *ParseAxisValue(axis, text.to());
    range.unit = axis.unit();
    range.resolution = axis.is_count ? 1 : kUsualResolutionBytes;
    if (!text.resolution().empty()) range.resolution = *ParseAxisValue(axis, text.resolution());
    if (text.steps_per_octave() != 0) range.steps_per_octave = text.steps_per_octave();
    return range;
  }

  bool IsAddress() const { return &axis_ == FindLimitAxis("address"); }

  void AddLikelyEdge() {
    uint64_t peak = 0;
    if (IsAddress()) peak = free_run_->image_vsize_bytes() + free_run_->peak_vsize_bytes();
    if (axis_.is_count) peak = free_run_->peak_vma_count();
    if (peak == 0) return;
    search_.AddPoint(peak);
    search_.AddPoint(peak + axis_.unit());
    search_.AddPoint(peak - axis_.unit());
  }

  const PlannedCell& cell_;
  const LimitAxis& axis_;
  BandSearch search_;
  std::vector<std::optional<uint64_t>> asked_;
  std::optional<proto::Run> free_run_;  // without the limit
};

}  // namespace

std::unique_ptr<CellQuestion> MakeLimitSearchCell(const PlannedCell& cell) {
  return std::make_unique<LimitSearchCell>(cell);
}

}  // namespace reheap
