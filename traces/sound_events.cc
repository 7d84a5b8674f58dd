#include "traces/sound_events.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace reheap {
namespace {

constexpr size_t kBatchEvents = 256;  // 14 KiB: stays in the first-level cache
// Slots that a trace may leave out. More than its events explain, and its trailer asks for tables that grow
// with its lies.
constexpr uint64_t kMaxUnusedSlots = 1u << 16;

}  // namespace

SoundEvents::SoundEvents(std::string path, std::unique_ptr<TraceCursor> cursor)
    : path_(std::move(path)),
      cursor_(std::move(cursor)),
      checker_({.max_violations = 1}),
      batch_(kBatchEvents) {
  checker_.ExpectTrailer(trailer());
}

absl::StatusOr<std::unique_ptr<SoundEvents>> SoundEvents::Open(const std::string& path) {
  absl::StatusOr<std::unique_ptr<TraceCursor>> cursor = TraceCursor::Open(path);
  if (!cursor.ok()) return cursor.status();
  const proto::TraceTrailer* trailer = (*cursor)->trailer();
  if (trailer == nullptr) return CutOffError(path, (*cursor)->reader().file_bytes());
  if (trailer->slot_count() > kMaxUnusedSlots &&
      trailer->slot_count() - kMaxUnusedSlots > trailer->events()) {
    return absl::DataLossError(
        absl::StrFormat("%s: trailer says %d object slots and %d events; at most %d more are possible", path,
                        trailer->slot_count(), trailer->events(), kMaxUnusedSlots));
  }
  return std::unique_ptr<SoundEvents>(new SoundEvents(path, *std::move(cursor)));
}

absl::Status SoundEvents::Broken(const TraceCheckReport& report) const {
  return absl::DataLossError(absl::StrCat(path_, ": ", report.violations.front().ToString(),
                                          "; `reheap trace check` lists every such event"));
}

absl::StatusOr<absl::Span<const TraceEvent>> SoundEvents::NextBatch() {
  absl::StatusOr<size_t> count = cursor_->NextBatch(batch_.data(), batch_.size());
  if (!count.ok()) return count.status();
  if (*count == 0) {
    const TraceCheckReport report = checker_.Finish(cursor_->trailer());
    if (!report.ok()) return Broken(report);
    return absl::Span<const TraceEvent>();
  }
  checker_.Check(cursor_->block(), batch_.data(), *count);
  if (!checker_.so_far().violations.empty()) return Broken(checker_.so_far());
  for (size_t i = 0; i < *count; ++i) {
    // The checker takes it for a free, the totals do not.
    if (batch_[i].failed && batch_[i].kind == EventKind::kFree) {
      return absl::DataLossError(
          absl::StrFormat("%s: event %d: a free that failed; expected none, since no function says so", path_,
                          cursor_->first_event() + i));
    }
  }
  return absl::MakeConstSpan(batch_.data(), *count);
}

}  // namespace reheap
