#include "sim/replay/run_result.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace reheap {
namespace {

proto::Outcome OutcomeOf(TargetOutcome outcome) {
  switch (outcome) {
    case TargetOutcome::kSurvived: return proto::SURVIVED;
    case TargetOutcome::kStartupAbort: return proto::STARTUP_ABORT;
    case TargetOutcome::kLateAbort: return proto::LATE_ABORT;
    case TargetOutcome::kCatchableError: return proto::CATCHABLE_ERROR;
    case TargetOutcome::kDegraded: return proto::DEGRADED;
  }
  return proto::OUTCOME_UNSPECIFIED;
}

void FillRefusal(const TargetResult& result, proto::Run* run) {
  if (!result.refused) return;
  const Refusal& from = result.refusal;
  proto::Refusal* to = run->mutable_refusal();
  to->set_rule(RuleName(from.rule));
  const std::string whose = result.refusal_is_foreign ? "the program's own " : "";
  const bool is_kill = from.rule == Rule::kMemoryCgroup;
  to->set_operation(is_kill ? "touch" : whose + OsOperationName(from.operation));
  to->set_asked_bytes(from.asked_bytes);
  to->set_in_use_bytes(from.in_use_bytes);
  to->set_allowed_bytes(from.allowed_bytes);
  to->set_os_error(from.os_error);
  to->set_wanted_address(from.wanted.value());
  to->set_obtained_address(from.obtained.value());
  to->set_purpose(result.failed_purpose);
  if (result.outcome != TargetOutcome::kStartupAbort) to->set_event(result.refusal_event);
}

void FillTimeline(const MetricSink& metrics, proto::Run* run) {
  for (int i = 0; i < metrics.point_count(); ++i) {
    const MetricSink::Point& from = metrics.point(i);
    proto::TimelinePoint* to = run->add_timeline();
    to->set_event(from.event);
    to->set_live_bytes(from.live_bytes);
    to->set_rss_bytes(from.rss_bytes);
    to->set_vsize_bytes(from.vsize_bytes);
    to->set_commit_bytes(from.commit_bytes);
  }
}

void AddProvenance(const char* metric, proto::Provenance provenance, proto::Run* run) {
  proto::MetricProvenance* entry = run->add_provenance();
  entry->set_metric(metric);
  entry->set_provenance(provenance);
}

proto::Provenance ByWorld(const proto::Run& run) {
  return run.world() == proto::REAL ? proto::MEASURED : proto::MODELLED;
}

void FillProvenance(proto::Run* run) {
  const bool real = run->world() == proto::REAL;
  const auto add = [run](const char* metric, proto::Provenance provenance) { AddProvenance(metric, provenance, run); };
  const proto::Provenance by_world = ByWorld(*run);
  add("outcome", by_world);
  add("peak_rss_bytes", by_world);
  add("peak_vsize_bytes", by_world);
  add("peak_vma_count", by_world);
  if (!real) add("peak_commit_bytes", proto::MODELLED);
  // Counts of the allocator's own doing, in whichever world.
  add("peak_live_bytes", proto::MODELLED);
  if (run->has_page_map()) {
    add("page_map", proto::MODELLED);
    if (run->page_map().lookup_ns() > 0) add("page_map.lookup_ns", proto::MEASURED);
  }
  if (run->replay_ns_per_event() > 0) add("replay_ns_per_event", proto::MEASURED);
}

void FillCauses(const MetricSink& metrics, proto::Run* run) {
  const OsUsage& peak = metrics.peak();
  const auto add = [&](const char* metric, Peak which, uint64_t value) {
    if (value == 0) return;
    const PeakMoment& moment = metrics.moment(which);
    proto::PeakCause* cause = run->add_peak_causes();
    cause->set_metric(metric);
    cause->set_live_bytes(moment.live_bytes);
    if (moment.event != kAtStartup) cause->set_event(moment.event);
    if (moment.exact()) return;
    cause->set_sampled(true);
    if (moment.since_event != kAtStartup) cause->set_since_event(moment.since_event);
  };
  add("peak_rss_bytes", Peak::kRss, peak.rss_anonymous_bytes);
  add("peak_vsize_bytes", Peak::kVsize, peak.vsize_bytes);
  add("peak_commit_bytes", Peak::kCommit, peak.commit_bytes);
  add("peak_vma_count", Peak::kMappings, peak.mapping_count);
  if (run->peak_causes_size() != 0) AddProvenance("peak_causes", ByWorld(*run), run);
}

void FillHolder(const Holder& from, proto::Holder* to) {
  to->set_name(from.name);
  to->set_bytes(from.bytes);
  to->set_mappings(from.mappings);
  to->set_address(from.start.value());
}

}  // namespace

void FillHolders(const ShareReport& shares, proto::Provenance provenance, proto::Run* run) {
  if (!run->has_refusal() || shares.measure == ShareMeasure::kNothing) return;
  proto::Refusal* refusal = run->mutable_refusal();
  refusal->set_measure(ShareMeasureName(shares.measure));
  refusal->set_holders_provenance(provenance);
  refusal->set_free_bytes(shares.free_bytes);
  refusal->set_largest_gap_bytes(shares.largest_gap_bytes);
  for (const Holder& holder : shares.holders) FillHolder(holder, refusal->add_holders());
  if (!shares.holders.empty()) FillHolder(shares.holders.front(), refusal->mutable_largest_holder());
}

void FillHeapPicture(const HeapPicture& picture, const TraceDemand& demand, proto::Run* run) {
  if (!picture.is_taken) return;
  const HeapStats& heap = picture.heap;
  proto::Fragmentation* fragmentation = run->mutable_fragmentation();
  fragmentation->set_live_bytes(picture.live_bytes);
  fragmentation->set_rounded_bytes(heap.live_bytes);
  fragmentation->set_span_bytes(heap.small_span_bytes + heap.large_span_bytes);
  fragmentation->set_heap_bytes(heap.heap_bytes);
  fragmentation->set_table_bytes(heap.metadata_used_bytes + heap.bitmap_bytes + heap.page_map.resident_bytes);
  fragmentation->set_events(picture.events);

  // Empty where there is no trace (a usable heap's blocks).
  const std::vector<uint64_t>& allocations = demand.allocations(picture.heap_page_shift);
  const bool is_whole = !allocations.empty() && run->events() == demand.events;
  std::vector<proto::SizeClassUse> uses;
  for (size_t c = 0; c < static_cast<size_t>(picture.class_count); ++c) {
    const HeapPicture::Class& from = picture.classes[c];
    if (from.span_bytes == 0 && (allocations.empty() || allocations[c] == 0)) continue;
    proto::SizeClassUse& use = uses.emplace_back();
    use.set_object_bytes(from.object_bytes);
    if (is_whole) use.set_allocations(allocations[c]);
    use.set_live_objects(from.live_objects);
    use.set_requested_bytes(from.requested_bytes);
    use.set_span_bytes(from.span_bytes);
  }
  std::stable_sort(uses.begin(), uses.end(), [](const proto::SizeClassUse& a, const proto::SizeClassUse& b) {
    return a.span_bytes() > b.span_bytes();
  });
  for (proto::SizeClassUse& use : uses) *run->add_size_classes() = std::move(use);
  // Counts of the allocator's own doing, in whichever world.
  AddProvenance("fragmentation", proto::MODELLED, run);
  AddProvenance("size_classes", proto::MODELLED, run);
}

void FillAddressSpace(const SpacePicture& picture, proto::Run* run) {
  if (picture.user_end == 0) return;
  proto::AddressSpacePicture* space = run->mutable_address_space();
  space->set_when(run->has_refusal() ? "at the refusal" : "at the end");
  space->set_user_end(picture.user_end);
  space->set_left_out(picture.left_out);
  for (const SpacePicture::Piece& from : picture.pieces) {
    proto::SpacePiece* piece = space->add_pieces();
    piece->set_start(from.range.start.value());
    piece->set_end(from.range.end().value());
    piece->set_permissions(from.permissions);
    piece->set_holder(from.holder);
  }
  AddProvenance("address_space", ByWorld(*run), run);
}

void FillForeign(const ForeignStats& stats, const ReplayRequest& request, proto::Run* run) {
  proto::Foreign* foreign = run->mutable_foreign();
  foreign->set_mode(request.foreign);
  foreign->set_thread_stacks(request.thread_stacks);
  foreign->set_calls(stats.calls);
  foreign->set_mapped(stats.mapped);
  foreign->set_moved(stats.moved);
  foreign->set_refused(stats.refused);
  foreign->set_outside(stats.outside);
  foreign->set_stacks(stats.stacks);
  foreign->set_peak_bytes(stats.peak_bytes);
  AddProvenance("foreign", ByWorld(*run), run);
}

void FillRun(const TargetResult& result, proto::Run* run) {
  run->set_degraded_mode(result.mode);
  run->set_outcome(OutcomeOf(result.outcome));
  FillRefusal(result, run);
  run->set_events(result.events);
  run->set_failed_allocations(result.failed_allocations);
  run->set_peak_live_bytes(result.peak_live_bytes);
  const OsUsage& peak = result.metrics.peak();
  run->set_peak_rss_bytes(peak.rss_anonymous_bytes);
  run->set_peak_vsize_bytes(peak.vsize_bytes);
  run->set_peak_commit_bytes(peak.commit_bytes);
  if (peak.mapping_count != 0) run->set_peak_vma_count(peak.mapping_count);
  run->set_os_calls(result.os_calls);
  if (result.loads_per_lookup != 0) {
    proto::PageMapResult* map = run->mutable_page_map();
    map->set_kind(PageMapKindName(result.page_map_kind));
    map->set_reserved_bytes(result.page_map_reserved_bytes);
    map->set_resident_bytes(result.page_map_resident_bytes);
    map->set_loads_per_lookup(static_cast<uint32_t>(result.loads_per_lookup));
    map->set_lookup_ns(result.lookup_ns);
    map->set_baseline_ns(result.baseline_ns);
  }
  if (result.cpu_ns != 0 && result.events != 0) {
    run->set_replay_ns_per_event(static_cast<double>(result.cpu_ns) / static_cast<double>(result.events));
  }
  if (result.refused) run->set_mapped_at_failure_bytes(result.metrics.last().vsize_bytes);
  FillTimeline(result.metrics, run);
  FillProvenance(run);
  FillCauses(result.metrics, run);
}

}  // namespace reheap
