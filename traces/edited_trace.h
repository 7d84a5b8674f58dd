// EditedTrace: a trace that is made of others' events: one file, dense slots, threads as they occur.
//
// Where `reheap trace cut`, `filter`, `merge` and `anonymize` write to (row 3 of the walk, from the other
// side). An edit leaves out objects and threads, or joins those of several traces, so their numbers are given
// anew: the slot freed last is the next one used, as the collector does, and a thread gets its number with
// its first event. A Renumbering is one source's view of that; several may share an EditedTrace.
//
// Ownership: owns the writer. A Renumbering refers to its EditedTrace and to the source's thread table, which
// outlive it. Threads: one at a time. Limits: 4 bytes per slot and source, beside the writer's own 32.
#ifndef REHEAP_TRACES_EDITED_TRACE_H_
#define REHEAP_TRACES_EDITED_TRACE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/trace.pb.h"
#include "traces/slot_table.h"
#include "traces/trace_event.h"
#include "traces/trace_writer.h"

namespace reheap {

// Ends with who wrote the source: "reheap trace cut --from-event 5, of: reheap record".
void SayHowItWasMade(const std::string& how, proto::TraceHeader* header);
// Adds a word of FORMAT.md's table to `unknown`, once.
void MarkUnknown(const std::string& word, proto::TraceHeader* header);
// FailedPrecondition: a request that this trace cannot fulfil, or an OUT that cannot be made. Editors keep
// the code for that, so that a command can tell a wrong request from an unreadable file.
absl::Status UnfitRequest(const std::string& message);

class EditedTrace {
 public:
  // An error is an UnfitRequest.
  static absl::StatusOr<std::unique_ptr<EditedTrace>> Create(const std::string& path,
                                                             const proto::TraceHeader& header);

  // (tid, generation) is made unique by raising the generation.
  uint32_t AddThread(proto::TraceThread thread);
  uint32_t TakeSlot();
  void GiveBackSlot(uint32_t slot) { free_slots_.push_back(slot); }

  // The first refusal of the file is kept for Flush() and Finish().
  void Append(const TraceEvent& event) {
    batch_.push_back(event);
    if (batch_.size() >= kBatchEvents) Hand();
  }
  // OK, or why nothing more is written: asked once per batch, so that a full disk ends the work.
  const absl::Status& status() const { return status_; }
  absl::Status Finish(uint64_t dropped_events, bool ended_in_order);

  uint64_t threads() const { return threads_; }

 private:
  static constexpr size_t kBatchEvents = 256;

  explicit EditedTrace(std::unique_ptr<TraceWriter> writer) : writer_(std::move(writer)) {}
  void Hand();

  std::unique_ptr<TraceWriter> writer_;
  absl::Status status_;
  std::vector<TraceEvent> batch_;
  std::vector<uint32_t> free_slots_;
  uint32_t next_slot_ = 0;
  uint64_t threads_ = 0;
  absl::flat_hash_map<int32_t, uint32_t> next_generations_;  // by tid
};

class Renumbering {
 public:
  using ThreadTable = google::protobuf::RepeatedPtrField<proto::TraceThread>;

  Renumbering(const ThreadTable* threads, EditedTrace* out) : threads_(threads), out_(out) {}

  // Gives the event its numbers and appends it. The events so appended keep TraceChecker's rules of objects.
  void Append(TraceEvent event);

 private:
  static constexpr uint32_t kNone = 0xffffffff;
  struct Number {
    uint32_t value = kNone;
  };

  uint32_t Thread(uint32_t source);

  const ThreadTable* threads_;
  EditedTrace* out_;
  SlotTable<Number> slots_;
  SlotTable<Number> thread_numbers_;
};

}  // namespace reheap

#endif  // REHEAP_TRACES_EDITED_TRACE_H_
