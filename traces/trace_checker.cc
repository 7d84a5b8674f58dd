#include "traces/trace_checker.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <memory>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "traces/trace_cursor.h"

namespace reheap {
namespace {

constexpr const char* kRuleNames[] = {
    "allocation into a live slot",
    "free of a free slot",
    "resize of a dead slot",
    "successful allocation without object",
    "resize without object",
    "failed allocation with an object",
    "size on a free without size",
    "sized free of another size",
    "object on an event that has none",
    "object out of range",
    "alignment is not a power of two",
    "unknown thread",
    "event of a thread after its end",
    "thread started twice or late",
    "time goes backwards",
    "call of another kind",
    "mapping without size",
    "trailer differs from the events",
    "no trailer",
};
static_assert(std::size(kRuleNames) == kTraceRuleCount);

bool IsFreeCall(CallKind call) { return call == CallKind::kFree || call >= CallKind::kDelete; }

bool IsResizeCall(CallKind call) { return call == CallKind::kRealloc || call == CallKind::kReallocarray; }

bool IsSizedDelete(CallKind call) {
  return call == CallKind::kDeleteSized || call == CallKind::kDeleteSizedAligned ||
         call == CallKind::kDeleteArraySized || call == CallKind::kDeleteArraySizedAligned;
}

bool IsHeapKind(EventKind kind) { return kind <= EventKind::kResize; }

// realloc may allocate, free and resize; every other function does one of them.
bool CallFits(EventKind kind, CallKind call) {
  if (call == CallKind::kUnknown) return true;
  switch (kind) {
    case EventKind::kAllocate:
      return !IsFreeCall(call);
    case EventKind::kFree:
      return IsFreeCall(call) || IsResizeCall(call);
    case EventKind::kResize:
      return IsResizeCall(call);
    default:
      return false;
  }
}

}  // namespace

const char* TraceRuleName(TraceRule rule) { return kRuleNames[static_cast<size_t>(rule)]; }

std::string TraceViolation::ToString() const {
  return absl::StrFormat("block %d, event %d, thread %u, time %d ns: %s%s%s", block, event, thread, time_ns,
                         TraceRuleName(rule), detail.empty() ? "" : ": ", detail);
}

uint64_t TraceCheckReport::total() const {
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

void TraceChecker::ExpectTrailer(const proto::TraceTrailer& trailer) {
  has_limits_ = true;
  thread_limit_ = static_cast<uint64_t>(trailer.threads_size());
  slot_limit_ = trailer.slot_count();
}

void TraceChecker::Report(TraceRule rule, const TraceEvent& event, std::string detail) {
  ++report_.counts[static_cast<size_t>(rule)];
  if (report_.violations.size() >= options_.max_violations) return;
  report_.violations.push_back(
      {rule, block_, totals_.events(), event.thread, event.time_ns, event.object, std::move(detail)});
}

void TraceChecker::CheckThread(const TraceEvent& event) {
  if (has_limits_ && event.thread >= thread_limit_) {
    Report(TraceRule::kUnknownThread, event, absl::StrFormat("the trailer names %d threads", thread_limit_));
  }
  ThreadState& state = threads_[event.thread];
  if (event.kind == EventKind::kThreadStart && state != ThreadState::kUnseen) {
    Report(TraceRule::kThreadStartedTwice, event, "");
  } else if (state == ThreadState::kEnded) {
    Report(TraceRule::kEventAfterThreadEnd, event, EventKindName(event.kind));
  }
  if (state != ThreadState::kEnded) {
    state = event.kind == EventKind::kThreadEnd ? ThreadState::kEnded : ThreadState::kActive;
  }
}

void TraceChecker::CheckCall(const TraceEvent& event) {
  if (!CallFits(event.kind, event.call)) {
    Report(TraceRule::kCallOfOtherKind, event,
           absl::StrCat(EventKindName(event.kind), " by ", CallKindName(event.call)));
  }
  if (IsHeapKind(event.kind) && event.alignment != 0 && !std::has_single_bit(event.alignment)) {
    Report(TraceRule::kAlignmentNotPowerOfTwo, event, absl::StrCat(event.alignment));
  }
  if (has_limits_ && event.object != kNoObject && event.object >= slot_limit_) {
    Report(TraceRule::kObjectOutOfRange, event,
           absl::StrFormat("object %u, the trailer says %d slots", event.object, slot_limit_));
  }
}

void TraceChecker::CheckAllocate(const TraceEvent& event) {
  if (event.failed) {
    if (event.object != kNoObject) {
      Report(TraceRule::kFailedWithObject, event, absl::StrFormat("object %u", event.object));
    }
    return;
  }
  if (event.object == kNoObject) return Report(TraceRule::kAllocateWithoutObject, event, "");
  Object& object = objects_[event.object];
  if (object.live) {
    Report(TraceRule::kAllocateIntoLiveSlot, event,
           absl::StrFormat("object %u of %d bytes lives", event.object, object.size));
  }
  object = {event.size, true};
}

void TraceChecker::CheckFree(const TraceEvent& event) {
  const bool sized = IsSizedDelete(event.call);
  if (event.size != 0 && !sized) {
    Report(TraceRule::kSizeOnUnsizedFree, event, absl::StrFormat("%d bytes", event.size));
  }
  if (event.object == kNoObject) return;  // free(NULL)
  Object& object = objects_[event.object];
  if (!object.live) {
    Report(TraceRule::kFreeOfFreeSlot, event, absl::StrFormat("object %u", event.object));
  } else if (sized && event.size != 0 && event.size != object.size) {
    Report(TraceRule::kSizedFreeOfOtherSize, event,
           absl::StrFormat("object %u has %d bytes, freed as %d", event.object, object.size, event.size));
  }
  object.live = false;
}

void TraceChecker::CheckResize(const TraceEvent& event) {
  if (event.object == kNoObject) return Report(TraceRule::kResizeWithoutObject, event, "");
  Object& object = objects_[event.object];
  if (!object.live) {
    Report(TraceRule::kResizeOfDeadSlot, event, absl::StrFormat("object %u", event.object));
  } else if (!event.failed) {
    object.size = event.size;
  }
}

void TraceChecker::CheckOther(const TraceEvent& event) {
  if (event.object != kNoObject) {
    Report(TraceRule::kObjectOnOtherEvent, event,
           absl::StrFormat("%s with object %u", EventKindName(event.kind), event.object));
  }
  if (!event.failed && event.size == 0 &&
      (event.kind == EventKind::kMap || event.kind == EventKind::kUnmap || event.kind == EventKind::kRemap)) {
    // mmap, munmap and mremap answer EINVAL to a length of 0 (mmap(2), linux 2.6.12 and later).
    Report(TraceRule::kMapWithoutSize, event, EventKindName(event.kind));
  }
}

void TraceChecker::Check(uint64_t block, const TraceEvent* events, size_t count) {
  if (count != 0 && (block != block_ || report_.blocks == 0)) ++report_.blocks;
  block_ = block;
  for (size_t i = 0; i < count; ++i) {
    const TraceEvent& event = events[i];
    if (event.time_ns < last_time_ns_) {
      Report(TraceRule::kTimeGoesBackwards, event,
             absl::StrFormat("by %d ns", last_time_ns_ - event.time_ns));
    }
    last_time_ns_ = event.time_ns;
    CheckThread(event);
    CheckCall(event);
    switch (event.kind) {
      case EventKind::kAllocate:
        CheckAllocate(event);
        break;
      case EventKind::kFree:
        CheckFree(event);
        break;
      case EventKind::kResize:
        CheckResize(event);
        break;
      default:
        CheckOther(event);
        break;
    }
    totals_.Add(event);
  }
}

void TraceChecker::Compare(const char* what, uint64_t trailer, uint64_t events) {
  if (trailer == events) return;
  TraceEvent place;
  place.time_ns = last_time_ns_;
  Report(TraceRule::kTrailerDiffers, place,
         absl::StrFormat("%s: the trailer says %d, the events give %d", what, trailer, events));
}

void TraceChecker::CheckTrailer(const proto::TraceTrailer& trailer) {
  Compare("events", trailer.events(), totals_.events());
  for (int kind = 0; kind < std::max(kEventKindCount, trailer.events_by_kind_size()); ++kind) {
    Compare(EventKindName(static_cast<EventKind>(kind)),
            kind < trailer.events_by_kind_size() ? trailer.events_by_kind(kind) : 0,
            kind < kEventKindCount ? totals_.events_by_kind()[static_cast<size_t>(kind)] : 0);
  }
  Compare("slots", trailer.slot_count(), totals_.slot_count());
  Compare("bytes live at peak", trailer.peak_live_bytes(), totals_.peak_live_bytes());
  Compare("objects live at peak", trailer.peak_live_objects(), totals_.peak_live_objects());
  Compare("allocated bytes", trailer.allocated_bytes(), totals_.allocated_bytes());
  Compare("end time", trailer.end_time_ns(), totals_.end_time_ns());
}

TraceCheckReport TraceChecker::Finish(const proto::TraceTrailer* trailer) {
  if (trailer != nullptr) {
    CheckTrailer(*trailer);
    report_.dropped_events = trailer->dropped_events();
  } else {
    TraceEvent place;
    place.time_ns = last_time_ns_;
    Report(TraceRule::kNoTrailer, place, "the file was cut off; its whole blocks were checked");
  }
  report_.events = totals_.events();
  return report_;
}

absl::StatusOr<TraceCheckReport> CheckTrace(std::unique_ptr<TraceReader> reader,
                                            const TraceCheckerOptions& options) {
  TraceChecker checker(options);
  if (reader->trailer() != nullptr) checker.ExpectTrailer(*reader->trailer());
  TraceCursor cursor(std::move(reader));
  std::vector<TraceEvent> batch(256);  // 14 KiB: stays in the first-level cache
  while (true) {
    absl::StatusOr<size_t> count = cursor.NextBatch(batch.data(), batch.size());
    if (!count.ok()) return count.status();
    if (*count == 0) {
      TraceCheckReport report = checker.Finish(cursor.trailer());
      report.file_bytes = cursor.reader().file_bytes();
      report.cut_off = cursor.trailer() == nullptr;
      return report;
    }
    checker.Check(cursor.block(), batch.data(), *count);
  }
}

absl::StatusOr<TraceCheckReport> CheckTrace(const std::string& path, const TraceCheckerOptions& options) {
  absl::StatusOr<std::unique_ptr<TraceReader>> reader = TraceReader::Open(path);
  if (!reader.ok()) return reader.status();
  return CheckTrace(*std::move(reader), options);
}

}  // namespace reheap
