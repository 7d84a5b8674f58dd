#include "sim/replay/event_words.h"

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "sim/report/human_units.h"
#include "traces/trace_reader.h"

namespace reheap {
namespace {

// Number of the event block that holds each event, by the trailer's index.
class BlockFinder {
 public:
  explicit BlockFinder(const TraceReader& reader) {
    if (reader.trailer() == nullptr) return;
    uint64_t event = 0;
    for (const uint32_t events : reader.trailer()->blocks().events()) {
      first_events_.push_back(event);
      event += events;
    }
  }
  // False without an index.
  bool Find(uint64_t event, size_t* block) const {
    const auto after = std::upper_bound(first_events_.begin(), first_events_.end(), event);
    if (after == first_events_.begin()) return false;
    *block = static_cast<size_t>(after - first_events_.begin()) - 1;
    return true;
  }

 private:
  std::vector<uint64_t> first_events_;
};

// Reads the words of each event that is a key.
absl::Status Look(const std::string& trace_path, std::map<uint64_t, std::string>* words) {
  absl::StatusOr<std::unique_ptr<TraceReader>> reader = TraceReader::Open(trace_path);
  if (!reader.ok()) return reader.status();
  const BlockFinder finder(**reader);
  TraceBlock block;
  std::vector<TraceEvent> events;
  uint64_t first = 0;
  for (auto& [number, text] : *words) {
    while (number >= first + events.size()) {
      size_t wanted = 0;
      if (finder.Find(number, &wanted)) {
        if (absl::Status status = (*reader)->SeekToBlock(wanted); !status.ok()) return status;
      }
      const absl::StatusOr<bool> more = (*reader)->NextBlock(&block);
      if (!more.ok()) return more.status();
      if (!*more) return absl::OkStatus();
      first = block.first_event();
      events.clear();
      if (absl::Status status = block.AppendTo(&events); !status.ok()) return status;
    }
    text = EventWords(events[number - first]);
  }
  return absl::OkStatus();
}

}  // namespace

std::string EventWords(const TraceEvent& event) {
  std::string words = event.call == CallKind::kUnknown ? EventKindName(event.kind) : CallKindName(event.call);
  switch (event.kind) {
    case EventKind::kResize:
      absl::StrAppend(&words, " to ", FormatBytes(event.size));
      break;
    case EventKind::kAllocate:
    case EventKind::kMap:
    case EventKind::kUnmap:
    case EventKind::kProtect:
    case EventKind::kAdvise:
    case EventKind::kRemap:
      absl::StrAppend(&words, " of ", FormatBytes(event.size));
      break;
    default:
      break;
  }
  if (event.alignment > 0 && event.kind == EventKind::kAllocate) {
    absl::StrAppend(&words, " aligned to ", FormatBytes(event.alignment));
  }
  absl::StrAppend(&words, " by thread ", event.thread);
  return words;
}

absl::Status FillCalls(const std::string& trace_path, absl::Span<proto::Run* const> runs) {
  std::map<uint64_t, std::string> words;
  for (const proto::Run* run : runs) {
    for (const proto::PeakCause& cause : run->peak_causes()) {
      if (cause.has_event()) words[cause.event()];
    }
    if (run->refusal().has_event()) words[run->refusal().event()];
  }
  if (words.empty()) return absl::OkStatus();
  if (absl::Status status = Look(trace_path, &words); !status.ok()) return status;
  for (proto::Run* run : runs) {
    for (proto::PeakCause& cause : *run->mutable_peak_causes()) {
      if (cause.has_event()) cause.set_call(words[cause.event()]);
    }
    if (run->refusal().has_event()) run->mutable_refusal()->set_call(words[run->refusal().event()]);
  }
  return absl::OkStatus();
}

}  // namespace reheap
