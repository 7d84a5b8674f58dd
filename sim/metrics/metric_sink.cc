#include "sim/metrics/metric_sink.h"

namespace reheap {

void MetricSink::AddPoint(uint64_t event, uint64_t live_bytes) {
  if (point_count_ == kTimelinePoints) {
    for (int i = 0; i < kTimelinePoints / 2; ++i) points_[i] = points_[2 * i];
    point_count_ = kTimelinePoints / 2;
    stride_events_ *= 2;
  }
  const OsUsage now = last();
  points_[point_count_++] = {event, live_bytes, now.rss_anonymous_bytes, now.vsize_bytes, now.commit_bytes};
  next_point_event_ = event + stride_events_;
}

void MetricSink::Place(uint64_t event, uint64_t live_bytes, Missed missed) {
  for (int i = 0; i < kPeakCount; ++i) {
    if ((raised_ >> i & 1) == 0) continue;
    const bool is_late = missed == Missed::kAnything || (missed == Missed::kRss && i == static_cast<int>(Peak::kRss));
    moments_[i] = {event, is_late ? last_placed_event_ : event, live_bytes};
  }
  raised_ = 0;
  is_placed_ = true;
  last_placed_event_ = event;
}

OsUsage MetricSink::last() const {
  OsUsage usage;
  usage.vsize_bytes = Above(last_.vsize_bytes, baseline_.vsize_bytes);
  usage.rss_anonymous_bytes = Above(last_.rss_anonymous_bytes, baseline_.rss_anonymous_bytes);
  usage.commit_bytes = Above(last_.commit_bytes, baseline_.commit_bytes);
  usage.mapping_count = Above(last_.mapping_count, baseline_.mapping_count);
  return usage;
}

}  // namespace reheap
