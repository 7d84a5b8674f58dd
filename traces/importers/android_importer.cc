#include "traces/importers/android_importer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <fstream>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "traces/trace_event.h"

namespace reheap {
namespace {

constexpr size_t kMaxLineBytes = 1024;

// An operation and how many numbers follow its pointer, times not counted.
struct Operation {
  std::string_view name;
  EventKind kind;
  CallKind call;
  size_t arguments;
};

constexpr Operation kOperations[] = {
    {"malloc", EventKind::kAllocate, CallKind::kMalloc, 1},
    {"calloc", EventKind::kAllocate, CallKind::kCalloc, 2},
    {"realloc", EventKind::kResize, CallKind::kRealloc, 2},
    // Stands for memalign, aligned_alloc, posix_memalign, valloc and pvalloc alike.
    {"memalign", EventKind::kAllocate, CallKind::kUnknown, 2},
    {"free", EventKind::kFree, CallKind::kFree, 0},
    {"thread_done", EventKind::kThreadEnd, CallKind::kUnknown, 0},
};

struct Line {
  const Operation* operation = nullptr;
  int32_t tid = 0;
  uint64_t pointer = 0;
  std::array<uint64_t, 2> arguments{};
  bool has_time = false;
  uint64_t begin_ns = 0;
};

// Takes the next word off the front of `text`; empty = none left.
std::string_view NextWord(std::string_view* text) {
  const size_t begin = std::min(text->find_first_not_of(" \t\r"), text->size());
  text->remove_prefix(begin);
  const std::string_view word = text->substr(0, text->find_first_of(" \t\r"));
  text->remove_prefix(word.size());
  return word;
}

bool ParseNumber(std::string_view word, uint64_t* value) {
  const bool hex = word.starts_with("0x");
  if (hex) word.remove_prefix(2);
  const char* end = word.data() + word.size();
  const auto result = std::from_chars(word.data(), end, *value, hex ? 16 : 10);
  return result.ec == std::errc() && result.ptr == end && !word.empty();
}

absl::StatusOr<Line> ParseLine(std::string_view text) {
  Line line;
  std::string_view tid = NextWord(&text);
  uint64_t number = 0;
  if (!tid.ends_with(':') || !ParseNumber(tid.substr(0, tid.size() - 1), &number) || number > INT32_MAX) {
    return absl::InvalidArgumentError("expected a thread id and a colon");
  }
  line.tid = static_cast<int32_t>(number);
  const std::string_view name = NextWord(&text);
  for (const Operation& operation : kOperations) {
    if (operation.name == name) line.operation = &operation;
  }
  if (line.operation == nullptr) {
    return absl::InvalidArgumentError("expected malloc, calloc, realloc, memalign, free or thread_done");
  }
  if (!ParseNumber(NextWord(&text), &line.pointer)) return absl::InvalidArgumentError("expected a pointer");
  for (size_t i = 0; i < line.operation->arguments; ++i) {
    if (!ParseNumber(NextWord(&text), &line.arguments[i])) {
      return absl::InvalidArgumentError(absl::StrFormat("expected %d numbers behind the pointer of a %s",
                                                        line.operation->arguments,
                                                        std::string(line.operation->name)));
    }
  }
  const std::string_view begin = NextWord(&text);
  if (begin.empty()) return line;
  const std::string_view end = NextWord(&text);
  const bool may_have_one_time = line.operation->kind == EventKind::kThreadEnd;
  if (!ParseNumber(begin, &line.begin_ns) ||
      (end.empty() ? !may_have_one_time : !ParseNumber(end, &number)) || !NextWord(&text).empty()) {
    return absl::InvalidArgumentError("expected two times, begin and end, or the end of the line");
  }
  line.has_time = true;
  return line;
}

class AndroidImport {
 public:
  explicit AndroidImport(const AndroidImportOptions& options) : options_(options) {}

  absl::Status Start(const std::string& out_path, const Line& first);
  absl::Status Add(const Line& line);
  absl::StatusOr<AndroidImportReport> Finish();
  void CountLine() { ++report_.lines; }
  uint64_t lines() const { return report_.lines; }

 private:
  uint32_t ThreadOf(int32_t tid);
  void SetTime(const Line& line, TraceEvent* event);
  absl::Status Allocate(uint64_t pointer, TraceEvent* event);
  absl::Status Free(uint64_t pointer, TraceEvent* event);
  absl::Status Realloc(const Line& line, TraceEvent* event);
  absl::Status Append(const TraceEvent& event);
  uint32_t TakeSlot();

  const AndroidImportOptions options_;
  AndroidImportReport report_;
  std::unique_ptr<TraceWriter> writer_;
  absl::flat_hash_map<uint64_t, uint32_t> live_;  // pointer -> slot
  std::vector<uint32_t> free_slots_;
  uint32_t slots_ = 0;
  absl::flat_hash_map<int32_t, uint32_t> threads_;      // tid -> its thread that has not ended
  absl::flat_hash_map<int32_t, uint32_t> generations_;  // tid -> threads that had it
  bool has_times_ = false;
  uint64_t first_time_ns_ = 0;
  uint64_t last_time_ns_ = 0;
};

absl::Status AndroidImport::Start(const std::string& out_path, const Line& first) {
  proto::TraceHeader header;
  header.set_writer("reheap trace import --from android");
  has_times_ = first.has_time;
  first_time_ns_ = first.begin_ns;
  for (const char* what :
       {"call kind", "thread start", "program", "host", "limits", "mappings", "address space"}) {
    header.add_unknown(what);
  }
  if (has_times_) {
    header.set_time_resolution_ns(1);
  } else {
    header.add_unknown("time");
  }
  absl::StatusOr<std::unique_ptr<TraceWriter>> writer =
      TraceWriter::Create(out_path, header, options_.writer);
  if (!writer.ok()) return writer.status();
  writer_ = *std::move(writer);
  return absl::OkStatus();
}

uint32_t AndroidImport::ThreadOf(int32_t tid) {
  const auto [entry, is_new] = threads_.try_emplace(tid, 0);
  if (is_new) {
    proto::TraceThread thread;
    thread.set_tid(tid);
    thread.set_generation(generations_[tid]++);
    entry->second = writer_->AddThread(thread);
  }
  return entry->second;
}

void AndroidImport::SetTime(const Line& line, TraceEvent* event) {
  if (has_times_ && line.has_time) {
    const uint64_t time_ns = line.begin_ns - std::min(line.begin_ns, first_time_ns_);
    report_.raised_times += time_ns < last_time_ns_ ? 1 : 0;
    last_time_ns_ = std::max(last_time_ns_, time_ns);
  }
  event->time_ns = last_time_ns_;
}

absl::Status AndroidImport::Append(const TraceEvent& event) {
  ++report_.events;
  return writer_->Append(event);
}

uint32_t AndroidImport::TakeSlot() {
  if (free_slots_.empty()) return slots_++;
  const uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  return slot;
}

absl::Status AndroidImport::Allocate(uint64_t pointer, TraceEvent* event) {
  if (pointer == 0) {
    event->failed = true;
    return Append(*event);
  }
  if (live_.contains(pointer)) {
    if (!options_.lenient) return absl::InvalidArgumentError("allocation at a pointer that was not freed");
    ++report_.doubled_allocations;
    TraceEvent repair;
    repair.kind = EventKind::kFree;
    repair.thread = event->thread;
    repair.time_ns = event->time_ns;
    absl::Status status = Free(pointer, &repair);
    if (!status.ok()) return status;
  }
  event->object = TakeSlot();
  live_[pointer] = event->object;
  return Append(*event);
}

absl::Status AndroidImport::Free(uint64_t pointer, TraceEvent* event) {
  if (pointer == 0) return Append(*event);  // free(NULL)
  const auto found = live_.find(pointer);
  if (found == live_.end()) {
    if (!options_.lenient) return absl::InvalidArgumentError("free of a pointer that is not allocated");
    ++report_.unknown_frees;
    return absl::OkStatus();
  }
  event->object = found->second;
  free_slots_.push_back(found->second);
  live_.erase(found);
  return Append(*event);
}

absl::Status AndroidImport::Realloc(const Line& line, TraceEvent* event) {
  const auto [old_pointer, size] = line.arguments;
  event->size = size;
  if (old_pointer == 0) {
    event->kind = EventKind::kAllocate;
    return Allocate(line.pointer, event);
  }
  const auto found = live_.find(old_pointer);
  if (found == live_.end()) {
    if (!options_.lenient) return absl::InvalidArgumentError("realloc of a pointer that is not allocated");
    ++report_.unknown_reallocs;
    event->kind = EventKind::kAllocate;
    return Allocate(line.pointer, event);
  }
  if (line.pointer == 0 && size == 0) {
    event->kind = EventKind::kFree;
    return Free(old_pointer, event);
  }
  event->object = found->second;
  event->failed = line.pointer == 0;
  if (line.pointer != 0 && line.pointer != old_pointer) {
    if (live_.contains(line.pointer)) {
      return absl::InvalidArgumentError("realloc to a pointer that was not freed");
    }
    live_.erase(found);
    live_[line.pointer] = event->object;
  }
  return Append(*event);
}

absl::Status AndroidImport::Add(const Line& line) {
  TraceEvent event;
  event.kind = line.operation->kind;
  event.call = line.operation->call;
  event.thread = ThreadOf(line.tid);
  SetTime(line, &event);
  if (event.kind == EventKind::kFree) return Free(line.pointer, &event);
  if (event.kind == EventKind::kResize) return Realloc(line, &event);
  if (event.kind == EventKind::kThreadEnd) {
    threads_.erase(line.tid);
    return Append(event);
  }
  event.size = line.arguments[0];
  if (event.call == CallKind::kCalloc && __builtin_mul_overflow(event.size, line.arguments[1], &event.size)) {
    event.size = UINT64_MAX;  // TraceEvent::size saturates
  } else if (event.call == CallKind::kUnknown) {
    event.alignment = line.arguments[0];
    event.size = line.arguments[1];
  }
  return Allocate(line.pointer, &event);
}

absl::StatusOr<AndroidImportReport> AndroidImport::Finish() {
  absl::Status status = writer_->Finish();
  if (!status.ok()) return status;
  return report_;
}

absl::Status AtLine(const std::string& name, uint64_t line, uint64_t offset, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrFormat("%s: line %d, offset %d: %s", name, line, offset, status.message()));
}

}  // namespace

absl::StatusOr<AndroidImportReport> ImportAndroidTrace(std::istream& in, const std::string& name,
                                                       const std::string& out_path,
                                                       const AndroidImportOptions& options) {
  AndroidImport import(options);
  std::array<char, kMaxLineBytes> buffer;
  uint64_t offset = 0;
  while (in.getline(buffer.data(), buffer.size()) || in.gcount() != 0) {
    if (in.fail()) {
      return AtLine(name, import.lines() + 1, offset,
                    absl::InvalidArgumentError(
                        absl::StrFormat("expected a line of less than %d characters", kMaxLineBytes)));
    }
    const absl::StatusOr<Line> line = ParseLine(std::string_view(buffer.data(), std::strlen(buffer.data())));
    absl::Status status = line.status();
    if (status.ok() && import.lines() == 0) status = import.Start(out_path, *line);
    import.CountLine();
    if (status.ok()) status = import.Add(*line);
    if (!status.ok()) return AtLine(name, import.lines(), offset, status);
    offset += static_cast<uint64_t>(in.gcount());
  }
  if (import.lines() == 0)
    return AtLine(name, 1, 0, absl::InvalidArgumentError("expected at least one event"));
  return import.Finish();
}

absl::StatusOr<AndroidImportReport> ImportAndroidTrace(const std::string& in_path,
                                                       const std::string& out_path,
                                                       const AndroidImportOptions& options) {
  std::ifstream in(in_path, std::ios::binary);
  if (!in) return absl::NotFoundError(in_path + ": cannot be opened");
  return ImportAndroidTrace(in, in_path, out_path, options);
}

}  // namespace reheap
