#include "traces/edited_trace.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace reheap {

void SayHowItWasMade(const std::string& how, proto::TraceHeader* header) {
  const std::string before = header->writer().empty() ? "an unknown writer" : header->writer();
  header->set_writer(absl::StrCat(how, ", of: ", before));
}

void MarkUnknown(const std::string& word, proto::TraceHeader* header) {
  const auto& words = header->unknown();
  if (std::find(words.begin(), words.end(), word) == words.end()) header->add_unknown(word);
}

absl::Status UnfitRequest(const std::string& message) { return absl::FailedPreconditionError(message); }

absl::StatusOr<std::unique_ptr<EditedTrace>> EditedTrace::Create(const std::string& path,
                                                                 const proto::TraceHeader& header) {
  absl::StatusOr<std::unique_ptr<TraceWriter>> writer = TraceWriter::Create(path, header);
  if (!writer.ok()) return UnfitRequest(std::string(writer.status().message()));
  return std::unique_ptr<EditedTrace>(new EditedTrace(*std::move(writer)));
}

uint32_t EditedTrace::AddThread(proto::TraceThread thread) {
  uint32_t& next = next_generations_[thread.tid()];
  thread.set_generation(std::max(thread.generation(), next));
  next = thread.generation() + 1;
  ++threads_;
  return writer_->AddThread(thread);
}

uint32_t EditedTrace::TakeSlot() {
  if (free_slots_.empty()) return next_slot_++;
  const uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  return slot;
}

void EditedTrace::Hand() {
  if (status_.ok()) status_ = writer_->Append(batch_.data(), batch_.size());
  batch_.clear();
}

absl::Status EditedTrace::Finish(uint64_t dropped_events, bool ended_in_order) {
  Hand();
  if (!status_.ok()) return status_;
  writer_->set_dropped_events(dropped_events);
  writer_->set_ended_in_order(ended_in_order);
  return writer_->Finish();
}

uint32_t Renumbering::Thread(uint32_t source) {
  Number& number = thread_numbers_[source];
  if (number.value == kNone) number.value = out_->AddThread((*threads_)[static_cast<int>(source)]);
  return number.value;
}

void Renumbering::Append(TraceEvent event) {
  event.thread = Thread(event.thread);
  if (event.object != kNoObject) {
    Number& slot = slots_[event.object];
    if (event.kind == EventKind::kAllocate) slot.value = out_->TakeSlot();
    event.object = slot.value;
    if (event.kind == EventKind::kFree) out_->GiveBackSlot(slot.value);
  }
  out_->Append(event);
}

}  // namespace reheap
