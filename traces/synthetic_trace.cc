#include "traces/synthetic_trace.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <utility>

#include "absl/strings/str_format.h"

namespace reheap {
namespace {

constexpr size_t kCallSites = 64;

}  // namespace

SyntheticTrace::SyntheticTrace(const SyntheticTraceOptions& options)
    : options_(options), state_(options.seed) {
  for (size_t i = 0; i < kCallSites; ++i) site_sizes_.push_back(RandomSize());
}

// SplitMix64 (Steele, Lea, Flood 2014): the standard library's distributions differ between libraries, and
// its engines would do, but this one fits a line and any seed is a good one.
uint64_t SyntheticTrace::Random() {
  uint64_t z = (state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

uint64_t SyntheticTrace::RandomSize() {
  const int bits = static_cast<int>(Below(static_cast<uint64_t>(std::bit_width(options_.max_size_bytes))));
  return std::min(options_.max_size_bytes, (uint64_t{1} << bits) + Below(uint64_t{1} << bits));
}

// The youngest object with probability 1/2, else among the twice as many youngest, and so on.
size_t SyntheticTrace::Victim() {
  const int doublings = std::countr_one(Random());
  const uint64_t reach = std::min<uint64_t>(live_.size(), uint64_t{1} << std::min(doublings, 40));
  return live_.size() - 1 - Below(reach);
}

void SyntheticTrace::Allocate(TraceEvent* event) {
  event->kind = EventKind::kAllocate;
  event->call = CallKind::kMalloc;
  event->size = Chance(options_.same_size_per_mille) ? site_sizes_[Below(kCallSites)] : RandomSize();
  if (Chance(options_.aligned_per_mille)) {
    event->call = CallKind::kPosixMemalign;
    event->alignment = uint64_t{16} << Below(9);  // 16 to 4,096
  }
  if (free_slots_.empty()) {
    event->object = slots_++;
  } else {
    event->object = free_slots_.back();
    free_slots_.pop_back();
  }
  live_.push_back({event->object, thread_, event->size});
  live_bytes_ += event->size;
}

void SyntheticTrace::Free(TraceEvent* event) {
  const auto victim = live_.begin() + static_cast<ptrdiff_t>(Victim());
  event->kind = EventKind::kFree;
  event->call = CallKind::kFree;
  event->object = victim->slot;
  event->thread = victim->thread;
  if (options_.threads > 1 && Chance(options_.cross_thread_frees_per_mille)) {
    event->thread =
        (victim->thread + 1 + static_cast<uint32_t>(Below(options_.threads - 1))) % options_.threads;
  }
  live_bytes_ -= victim->size;
  free_slots_.push_back(victim->slot);
  *victim = live_.back();
  live_.pop_back();
}

void SyntheticTrace::Resize(TraceEvent* event) {
  Object& object = live_[Victim()];
  event->kind = EventKind::kResize;
  event->call = CallKind::kRealloc;
  event->object = object.slot;
  event->thread = object.thread;
  event->size = RandomSize();
  live_bytes_ += event->size - object.size;
  object.size = event->size;
}

TraceEvent SyntheticTrace::Next() {
  // A thread runs for 64 events on average before another one does.
  if (options_.threads > 1 && Below(64) == 0) thread_ = static_cast<uint32_t>(Below(options_.threads));
  TraceEvent event;
  event.thread = thread_;
  event.time_ns = events_++ / options_.events_per_tick * options_.tick_ns;
  if (!live_.empty() && Chance(options_.resizes_per_mille)) {
    Resize(&event);
  } else if (live_.empty() || Chance(live_bytes_ < options_.live_target_bytes ? 550 : 450)) {
    Allocate(&event);
  } else {
    Free(&event);
  }
  return event;
}

void SyntheticTrace::Next(TraceEvent* events, size_t count) {
  std::generate_n(events, count, [this] { return Next(); });
}

absl::Status WriteSyntheticTrace(const std::string& path, const SyntheticTraceOptions& options,
                                 uint64_t events, const TraceWriterOptions& writer_options) {
  proto::TraceHeader header;
  // All that it takes to make the same events again, for the options that `reheap trace synth` has.
  header.set_writer(absl::StrFormat("synthetic: seed %d, %d events, live target %d bytes, %d threads, sizes to %d bytes",
                                    options.seed, events, options.live_target_bytes, options.threads,
                                    options.max_size_bytes));
  header.set_time_resolution_ns(options.tick_ns);
  for (const char* word : {"program", "host", "limits", "mappings", "thread start", "address space"}) {
    header.add_unknown(word);
  }
  absl::StatusOr<std::unique_ptr<TraceWriter>> writer = TraceWriter::Create(path, header, writer_options);
  if (!writer.ok()) return writer.status();
  for (uint32_t i = 0; i < options.threads; ++i) {
    proto::TraceThread thread;
    thread.set_tid(static_cast<int32_t>(1000 + i));
    (*writer)->AddThread(thread);
  }
  SyntheticTrace trace(options);
  std::vector<TraceEvent> batch(256);
  for (uint64_t left = events; left != 0;) {
    const size_t count = static_cast<size_t>(std::min<uint64_t>(left, batch.size()));
    trace.Next(batch.data(), count);
    absl::Status status = (*writer)->Append(batch.data(), count);
    if (!status.ok()) return status;
    left -= count;
  }
  return (*writer)->Finish();
}

}  // namespace reheap
