#include "sim/report/decimate.h"

#include <algorithm>
#include <cstdint>

#include "alloc/check.h"

namespace reheap {

namespace {

using Timeline = google::protobuf::RepeatedPtrField<proto::TimelinePoint>;
using Series = uint64_t (proto::TimelinePoint::*)() const;

constexpr Series kSeries[] = {&proto::TimelinePoint::live_bytes, &proto::TimelinePoint::rss_bytes,
                              &proto::TimelinePoint::vsize_bytes, &proto::TimelinePoint::commit_bytes};
constexpr size_t kPerBucket = 2 * std::size(kSeries);
static_assert(kLeastDecimatedPoints == kPerBucket + 2);

// The first points of [begin, end) with the least and the greatest value of each series.
void KeepExtremes(const Timeline& timeline, int begin, int end, std::vector<int>* kept) {
  for (const Series series : kSeries) {
    int least = begin;
    int greatest = begin;
    for (int i = begin + 1; i < end; ++i) {
      const uint64_t value = (timeline[i].*series)();
      if (value < (timeline[least].*series)()) least = i;
      if (value > (timeline[greatest].*series)()) greatest = i;
    }
    kept->push_back(least);
    kept->push_back(greatest);
  }
}

}  // namespace

std::vector<int> DecimateTimeline(const Timeline& timeline, size_t most) {
  REHEAP_CHECK(most >= kLeastDecimatedPoints);
  std::vector<int> kept;
  const int64_t points = timeline.size();
  if (static_cast<size_t>(points) <= most) {
    for (int i = 0; i < points; ++i) kept.push_back(i);
    return kept;
  }
  const int64_t buckets = static_cast<int64_t>((most - 2) / kPerBucket);
  kept.push_back(0);
  for (int64_t bucket = 0; bucket < buckets; ++bucket) {
    KeepExtremes(timeline, static_cast<int>(points * bucket / buckets),
                 static_cast<int>(points * (bucket + 1) / buckets), &kept);
  }
  kept.push_back(static_cast<int>(points - 1));
  std::sort(kept.begin(), kept.end());
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  return kept;
}

}  // namespace reheap
