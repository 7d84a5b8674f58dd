#include "alloc/request_runner.h"

#include <algorithm>

namespace reheap {
namespace {

MapTraits TraitsOf(const MapRequest& request) {
  MapTraits traits;
  traits.ready = request.protection != Protection::kNone;
  traits.access =
      request.protection == Protection::kReadWriteExecute ? Access::kReadWriteExecute : Access::kReadWrite;
  traits.no_reserve = request.no_reserve;
  traits.low = request.low;
  return traits;
}

}  // namespace

OsResult<Done> RequestRunner::Run(const std::vector<MapRequest>& requests, CommitMethod commit_method) {
  for (const MapRequest& request : requests) {
    for (uint32_t n = 0; n < request.count; ++n) {
      const OsResult<Done> done = RunOne(request, commit_method);
      if (!done.ok()) return done;
    }
  }
  return Done();
}

OsResult<Done> RequestRunner::RunOne(const MapRequest& request, CommitMethod commit_method) {
  OsResult<AddrRange> got = TakeSize(request, request.bytes);
  bool smaller = false;
  for (size_t n = 0; !got.ok() && n < request.smaller_bytes.size(); ++n) {
    got = TakeSize(request, request.smaller_bytes[n]);
    smaller = true;
  }
  if (got.ok()) {
    if (smaller) NoteMode(request);
    return Keep(request, got.value(), commit_method);
  }
  if (!request.instead.empty()) {
    const OsResult<Done> instead = Run(request.instead, commit_method);
    if (instead.ok()) NoteMode(request);
    return instead;
  }
  if (request.if_refused == IfRefused::kSkip) {
    NoteMode(request);
    return Done();
  }
  failed_ = request.purpose;
  Refusal refusal = got.refusal();
  if (request.if_refused == IfRefused::kBelieve) refusal.operation = OsOperation::kCommit;
  return refusal;
}

OsResult<AddrRange> RequestRunner::TakeSize(const MapRequest& request, uint64_t bytes) {
  const MapTraits traits = TraitsOf(request);
  bytes = RoundUp(bytes, os_->os_page_bytes());
  if (HintCount(request.hints) > 0) return TakeAtHints(request, bytes, traits);
  if (request.alignment_bytes == 0) return taker_->Take(bytes, Addr(), traits);
  // glibc's aligned_heap_area (malloc/arena.c, new_heap): tried once, whatever comes of it.
  if (request.spare_is_next && next_) {
    const OsResult<AddrRange> beside = taker_->Take(bytes, next_, traits);
    next_ = Addr();
    if (beside.ok() && beside.value().start.value() % request.alignment_bytes == 0) return beside;
    if (beside.ok()) taker_->ReleaseOrLose(beside.value());
  }
  const OsResult<AddrRange> got =
      taker_->TakeAligned(bytes, request.alignment_bytes, request.spare_bytes, traits);
  if (got.ok() && request.spare_is_next && taker_->spare_was_behind()) next_ = got.value().end();
  if (got.ok() || !request.exact_second) return got;
  const OsResult<AddrRange> exact = taker_->Take(bytes, Addr(), traits);
  if (!exact.ok() || exact.value().start.value() % request.alignment_bytes == 0) return exact;
  taker_->ReleaseOrLose(exact.value());
  return got;
}

// After the last hint, unless only a hint will do: where the OS likes.
OsResult<AddrRange> RequestRunner::TakeAtHints(const MapRequest& request, uint64_t bytes,
                                               const MapTraits& traits) {
  MapTraits at_hint = traits;
  at_hint.over = request.over;
  OsResult<AddrRange> got = AddressTaken(OsOperation::kReserve, bytes, Addr(), Addr());
  for (uint32_t n = 0; n < HintCount(request.hints); ++n) {
    const Addr hint = HintAt(request.hints, n, *os_);
    got = taker_->Take(bytes, hint, at_hint);
    if (!got.ok() || got.value().start == hint) {
      if (got.ok()) return got;
      continue;
    }
    taker_->ReleaseOrLose(got.value());
    got = AddressTaken(OsOperation::kReserve, bytes, hint, got.value().start);
  }
  if (request.hint_only) return got;
  if (request.alignment_bytes == 0) return taker_->Take(bytes, Addr(), traits);
  return taker_->TakeAligned(bytes, request.alignment_bytes, request.spare_bytes, traits);
}

OsResult<Done> RequestRunner::Keep(const MapRequest& request, AddrRange range, CommitMethod commit_method) {
  if (request.released) {
    taker_->ReleaseOrLose(range);
    return Done();
  }
  held_.push_back(range);
  held_bytes_ += range.bytes;
  if (request.ready_bytes == 0) return Done();
  const uint64_t ready_bytes = std::min(RoundUp(request.ready_bytes, os_->os_page_bytes()), range.bytes);
  const OsResult<Done> ready = os_->Commit({range.start, ready_bytes}, Access::kReadWrite, commit_method);
  if (ready.ok()) return ready;
  taker_->ReleaseOrLose(range);
  held_.pop_back();
  held_bytes_ -= range.bytes;
  if (request.if_refused == IfRefused::kSkip) {
    NoteMode(request);
    return Done();
  }
  failed_ = request.purpose;
  return ready;
}

void RequestRunner::Undo() {
  for (auto range = held_.rbegin(); range != held_.rend(); ++range) taker_->ReleaseOrLose(*range);
  held_.clear();
  held_bytes_ = 0;
  next_ = Addr();
  failed_.clear();
  degraded_mode_.clear();
  is_degraded_ = false;
}

void RequestRunner::NoteMode(const MapRequest& request) {
  const std::string& mode = request.degraded_mode;
  is_degraded_ = is_degraded_ || request.is_degraded;
  if (mode.empty() || degraded_mode_.find(mode) != std::string::npos) return;
  if (!degraded_mode_.empty()) degraded_mode_ += ", ";
  degraded_mode_ += mode;
}

}  // namespace reheap
