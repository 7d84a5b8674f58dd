#include "sim/studies/band_search.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "alloc/check.h"

namespace reheap {

Fate FateOf(const proto::Run& run) {
  Fate fate;
  fate.outcome = run.outcome();
  fate.mode = run.degraded_mode();
  // An allocator that fell back to less is alive; a program that was refused a mapping of its own is not known to be.
  fate.lives = run.outcome() == proto::SURVIVED || (run.outcome() == proto::DEGRADED && !fate.mode.empty());
  if (run.has_refusal()) {
    fate.rule = run.refusal().rule();
    if (run.refusal().has_event()) fate.event = run.refusal().event();
  }
  return fate;
}

BandSearch::BandSearch(const Range& range) : range_(range) {
  REHEAP_CHECK(range.from > 0 && range.from <= range.to && range.resolution > 0 && range.unit > 0 &&
               range.steps_per_octave > 0);
  scan_.insert(range.from);
  for (int step = 1;; ++step) {
    const double limit = std::ldexp(static_cast<double>(range.from), step / static_cast<int>(range.steps_per_octave)) *
                         std::exp2(static_cast<double>(step % static_cast<int>(range.steps_per_octave)) /
                                   range.steps_per_octave);
    if (limit >= static_cast<double>(range.to)) break;
    AddPoint(static_cast<uint64_t>(limit));
  }
  scan_.insert(range.to);
}

void BandSearch::AddPoint(uint64_t limit) {
  const uint64_t rounded = limit / range_.unit * range_.unit;
  if (rounded > range_.from && rounded < range_.to) scan_.insert(rounded);
}

uint64_t BandSearch::Between(uint64_t low, uint64_t high) const {
  const uint64_t middle = low + (high - low) / 2;
  const uint64_t rounded = middle / range_.unit * range_.unit;
  return rounded > low ? rounded : middle;
}

template <class Visit>
void BandSearch::ForEachEdge(Visit visit) const {
  if (tried_.empty()) return;
  for (auto high = std::next(tried_.begin()); high != tried_.end(); ++high) {
    const auto low = std::prev(high);
    if (!low->second.SameBand(high->second)) visit(low->first, high->first);
  }
}

std::vector<uint64_t> BandSearch::Next() {
  std::vector<uint64_t> next(scan_.begin(), scan_.end());
  scan_.clear();
  if (!next.empty()) return next;
  ForEachEdge([&](uint64_t low, uint64_t high) {
    const bool is_wide = high - low > range_.resolution && high - low > 1;
    if (is_wide && tried_.size() + next.size() < kMaxTries) next.push_back(Between(low, high));
  });
  return next;
}

void BandSearch::Take(uint64_t limit, Fate fate) { tried_[limit] = std::move(fate); }

std::vector<proto::LimitBand> BandSearch::Bands() const {
  std::vector<proto::LimitBand> bands;
  const Fate* before = nullptr;
  for (const auto& [limit, fate] : tried_) {
    if (before == nullptr || !before->SameBand(fate)) {
      bands.emplace_back();
      bands.back().set_from_bytes(limit);
      bands.back().set_outcome(fate.outcome);
      bands.back().set_rule(fate.rule);
      bands.back().set_mode(fate.mode);
    }
    bands.back().set_to_bytes(limit);
    bands.back().clear_event();
    if (fate.event) bands.back().set_event(*fate.event);
    before = &fate;
  }
  return bands;
}

std::optional<uint64_t> BandSearch::Smallest() const {
  for (const auto& [limit, fate] : tried_) {
    if (fate.lives) return limit;
  }
  return std::nullopt;
}

std::optional<uint64_t> BandSearch::Safe() const {
  std::optional<uint64_t> safe;
  for (auto it = tried_.rbegin(); it != tried_.rend() && it->second.lives; ++it) safe = it->first;
  return safe;
}

uint64_t BandSearch::EdgeWidth() const {
  uint64_t widest = 0;
  ForEachEdge([&](uint64_t low, uint64_t high) { widest = std::max(widest, high - low); });
  return widest;
}

}  // namespace reheap
