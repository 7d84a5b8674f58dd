// MetricSink: peaks and a timeline of what a process holds (row 10 of the walk).
//
// RSS only falls when the allocator gives memory back, and VSIZE only rises when it asks; so sampling before
// each request that gives back, and after each that takes, finds every peak exactly and costs nothing per event.
// A timeline of at most kTimelinePoints is kept beside: when it is full, every other point is dropped and the
// distance between points doubles, so it needs no guess at the trace's length and is the same in every run.
//
// Each peak has a cause: the event that was being replayed. A sample is taken deep inside a call, by somebody who does
// not know the event; whoever runs the events tells it afterwards (Place). RSS also grows between samples, so its
// cause is known exactly only where somebody samples after each growth; else it lies between two events.
//
// Plain data of fixed size (it may stand in shared memory). Threads: one.
#ifndef REHEAP_SIM_METRICS_METRIC_SINK_H_
#define REHEAP_SIM_METRICS_METRIC_SINK_H_

#include <cstdint>

#include "alloc/os.h"

namespace reheap {

enum class Peak : uint8_t { kRss = 0, kVsize, kCommit, kMappings };
inline constexpr int kPeakCount = 4;

inline constexpr uint64_t kAtStartup = ~uint64_t{0};  // no event: before the program's first call

// When a peak was reached: at `since_event` at the earliest, at `event` at the latest. The same: exactly then.
struct PeakMoment {
  uint64_t event = kAtStartup;
  uint64_t since_event = kAtStartup;
  uint64_t live_bytes = 0;  // of objects, after the event

  bool exact() const { return event == since_event; }
};

class MetricSink {
 public:
  static constexpr int kTimelinePoints = 512;

  struct Point {
    uint64_t event;
    uint64_t live_bytes;
    uint64_t rss_bytes;
    uint64_t vsize_bytes;
    uint64_t commit_bytes;
  };

  // What the process held before the heap's first request; every later figure is above it.
  void SetBaseline(const OsUsage& usage) {
    baseline_ = usage;
    last_ = usage;
  }
  const OsUsage& baseline() const { return baseline_; }

  // A sample: updates the peaks.
  void Sample(const OsUsage& usage) {
    last_ = usage;
    is_placed_ = false;
    Raise(Peak::kVsize, &peak_.vsize_bytes, Above(usage.vsize_bytes, baseline_.vsize_bytes));
    Raise(Peak::kRss, &peak_.rss_anonymous_bytes, Above(usage.rss_anonymous_bytes, baseline_.rss_anonymous_bytes));
    Raise(Peak::kCommit, &peak_.commit_bytes, Above(usage.commit_bytes, baseline_.commit_bytes));
    Raise(Peak::kMappings, &peak_.mapping_count, Above(usage.mapping_count, baseline_.mapping_count));
  }

  // What the samples since the last Place may have missed on the way.
  enum class Missed { kNothing, kRss, kAnything };
  // Whether there are samples since the last Place.
  bool is_placed() const { return is_placed_; }
  // They were taken while `event` was carried out (kAtStartup: before the first); `live_bytes` are alive after it.
  void Place(uint64_t event, uint64_t live_bytes, Missed missed);
  // Of a peak that is not zero.
  const PeakMoment& moment(Peak peak) const { return moments_[static_cast<int>(peak)]; }

  // Whether the timeline wants a point at this event.
  bool WantsPoint(uint64_t event) const { return event >= next_point_event_; }
  // Events that may pass before the next point is due; at least 1.
  uint64_t EventsUntilPoint(uint64_t event) const {
    return event < next_point_event_ ? next_point_event_ - event : 1;
  }
  // Preconditions: the usage was sampled just now.
  void AddPoint(uint64_t event, uint64_t live_bytes);

  // Peaks above the baseline.
  const OsUsage& peak() const { return peak_; }
  // The newest sample, above the baseline.
  OsUsage last() const;

  int point_count() const { return point_count_; }
  const Point& point(int i) const { return points_[i]; }

 private:
  static uint64_t Above(uint64_t now, uint64_t base) { return now > base ? now - base : 0; }
  void Raise(Peak which, uint64_t* peak, uint64_t value) {
    if (value <= *peak) return;
    *peak = value;
    raised_ |= 1u << static_cast<int>(which);
  }

  OsUsage baseline_;
  OsUsage peak_;
  OsUsage last_;
  PeakMoment moments_[kPeakCount];
  uint64_t last_placed_event_ = kAtStartup;
  uint32_t raised_ = 0;  // bit per Peak: since the last Place
  bool is_placed_ = true;
  uint64_t next_point_event_ = 0;
  uint64_t stride_events_ = 1024;
  int point_count_ = 0;
  Point points_[kTimelinePoints] = {};
};

// Samples an Os at each of its requests. Neither is owned.
class OsSampler : public Os::Observer {
 public:
  OsSampler(Os* os, MetricSink* sink) : os_(os), sink_(sink) {}

  void BeforeRequest(OsOperation operation, AddrRange) override {
    if (GivesBack(operation)) sink_->Sample(os_->Usage());
  }
  void AfterRequest(OsOperation operation, AddrRange, const Refusal*) override {
    if (!GivesBack(operation)) sink_->Sample(os_->Usage());
  }

 private:
  static bool GivesBack(OsOperation operation) {
    return operation == OsOperation::kDiscard || operation == OsOperation::kDecommit ||
           operation == OsOperation::kRelease;
  }

  Os* os_;
  MetricSink* sink_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_METRICS_METRIC_SINK_H_
