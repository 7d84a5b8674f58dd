#include "sim/strategies/strategy_resolver.h"

#include <algorithm>
#include <bit>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "sim/strategies/strategy_checks.h"
#include "sim/strategies/strategy_edit.h"

namespace reheap {
namespace {

Firmness FromProto(proto::StrategyFirmness firmness) {
  switch (firmness) {
    case proto::RESERVE:
      return Firmness::kReserve;
    case proto::PRETEND:
      return Firmness::kPretend;
    case proto::PER_CHUNK:
      return Firmness::kPerChunk;
    default:
      return Firmness::kNothing;
  }
}

OnConflict FromProto(proto::StrategyOnConflict on_conflict) {
  switch (on_conflict) {
    case proto::NEXT_HINT:
      return OnConflict::kNextHint;
    case proto::DIE:
      return OnConflict::kDie;
    default:
      return OnConflict::kRelocate;
  }
}

PageMapKind FromProto(proto::StrategyPageMap kind) {
  switch (kind) {
    case proto::FLAT_INDEX:
      return PageMapKind::kFlatIndex;
    case proto::RADIX2:
      return PageMapKind::kRadix2;
    case proto::RADIX3:
      return PageMapKind::kRadix3;
    case proto::SPARSE_ARENAS:
      return PageMapKind::kSparseArenas;
    case proto::NO_PAGE_MAP:
      return PageMapKind::kNone;
    default:
      return PageMapKind::kFlat;
  }
}

TablePlace FromProto(proto::StrategyTablePlace place) {
  switch (place) {
    case proto::IMAGE_BSS:
      return TablePlace::kImageBss;
    case proto::IN_RESERVATION:
      return TablePlace::kInReservation;
    default:
      return TablePlace::kMapped;
  }
}

OnRefusal FromProto(proto::StrategyOnRefusal on_refusal) {
  switch (on_refusal) {
    case proto::RETURN_NULL:
      return OnRefusal::kReturnNull;
    case proto::BELIEVE_RESERVED:
      return OnRefusal::kBelieveReserved;
    default:
      return OnRefusal::kDie;
  }
}

ReleasePolicy FromProto(proto::StrategyReleasePolicy policy) {
  switch (policy) {
    case proto::IDLE:
      return ReleasePolicy::kIdle;
    case proto::RATE:
      return ReleasePolicy::kRate;
    case proto::DECAY:
      return ReleasePolicy::kDecay;
    case proto::GOAL:
      return ReleasePolicy::kGoal;
    default:
      return ReleasePolicy::kNever;
  }
}

ReleasePlan FromProto(const proto::Strategy::Release& text) {
  constexpr uint64_t kNsPerMs = 1'000'000;
  ReleasePlan release;
  release.policy = FromProto(text.policy());
  release.method = text.method() == proto::DECOMMIT ? ReleaseMethod::kDecommit : ReleaseMethod::kDiscard;
  release.age_ns = text.age_ms() * kNsPerMs;
  release.tick_ns = text.tick_ms() * kNsPerMs;
  release.pages_freed_per_page = text.pages_freed_per_page();
  release.decay_ns = text.dirty_ms() * kNsPerMs;
  release.keep_percent = text.keep_percent();
  return release;
}

HintList FromProto(const proto::Strategy::Hints& text) {
  HintList hints;
  hints.base = Addr(text.base());
  hints.stride_bytes = text.stride_bytes();
  hints.count = text.count();
  hints.after_image = text.after_image();
  hints.image_align_bytes = text.image_align_bytes();
  hints.random_mask = text.random_mask();
  hints.seed = text.seed();
  return hints;
}

// Preconditions: StrategyChecks found nothing, so that each enum has a value.
ReservationStrategy FromProto(const proto::Strategy& text) {
  ReservationStrategy s;
  s.name = text.name();
  s.provenance = absl::StrJoin(text.source(), "; ");
  s.word_bits = static_cast<int>(text.word_bits());

  const auto& r = text.reservation();
  s.firmness = FromProto(r.firmness());
  s.heap_bytes = r.heap_bytes();
  s.reserve_chunk_bytes = r.reserve_chunk_bytes();
  s.hints = FromProto(r.hints());
  s.on_conflict = FromProto(r.on_conflict());
  s.on_refusal = FromProto(r.on_refusal());
  s.commit_method = r.commit_method() == proto::PROTECT ? CommitMethod::kProtect : CommitMethod::kMapFixed;
  s.access = r.access() == proto::READ_WRITE_EXECUTE ? Access::kReadWriteExecute : Access::kReadWrite;
  s.window_bytes = r.window_bytes();
  s.extend_bytes = r.extend_bytes();
  s.align_bytes = r.align_bytes();
  s.smaller_bytes.assign(r.smaller_bytes().begin(), r.smaller_bytes().end());
  s.reserved_ready = r.reserved_ready();
  s.no_reserve = r.no_reserve();
  s.probe_bytes = r.probe_bytes();
  s.clobbers = r.clobbers();
  s.clobber_check_bytes = r.clobber_check_bytes();
  s.chunk_align_bytes = r.chunk_align_bytes();
  s.chunk_head_bytes = r.chunk_head_bytes();

  s.grow_min_bytes = text.growth().min_bytes();
  s.grow_round_bytes = text.growth().round_bytes();
  s.grow_retry_exact = text.growth().retry_exact();
  s.startup_heap_bytes = text.growth().startup_heap_bytes();
  s.grow_steps_per_doubling = text.growth().steps_per_doubling();
  s.grow_most_bytes = text.growth().most_bytes();
  s.break_first = text.growth().break_first();
  s.map_min_bytes = text.growth().map_min_bytes();
  s.grow_own_bytes = text.growth().own_bytes();

  const auto& tables = text.tables();
  s.heap_page_shift = static_cast<uint32_t>(std::countr_zero(tables.heap_page_bytes()));
  s.page_map = FromProto(tables.page_map());
  s.page_map_place = FromProto(tables.page_map_place());
  s.bitmap_bits_per_word = tables.bitmap_bits_per_word();
  s.bitmap_bytes = tables.bitmap_bytes();
  s.bitmap_chunk_bytes = tables.bitmap_chunk_bytes();
  s.metadata_chunk_bytes = tables.metadata_chunk_bytes();
  for (const auto& growing : tables.growing()) {
    s.growth_tables.push_back({growing.purpose(), growing.heap_bytes_per_byte(), growing.chunk_bytes()});
  }
  s.release = FromProto(text.release());
  return s;
}

Protection FromProto(proto::StrategyProtection protection) {
  switch (protection) {
    case proto::READABLE_WRITABLE:
      return Protection::kReadWrite;
    case proto::READABLE_WRITABLE_EXECUTABLE:
      return Protection::kReadWriteExecute;
    default:
      return Protection::kNone;
  }
}

IfRefused FromProto(proto::StrategyIfRefused if_refused) {
  switch (if_refused) {
    case proto::SKIP:
      return IfRefused::kSkip;
    case proto::BELIEVE:
      return IfRefused::kBelieve;
    default:
      return IfRefused::kFail;
  }
}

constexpr uint64_t kMostRanges = 1 << 16;
constexpr uint64_t kMostBytes = uint64_t{1} << 60;  // rounded up and added to itself it is still a number

// One resolution. The first fault stops it: what follows from a number that is not there would only confuse.
class Resolution {
 public:
  Resolution(const CatalogStrategy& strategy, const StrategyEnvironment& environment)
      : text_(strategy.text), source_(*strategy.source), names_(NamesOf(environment)) {}

  absl::StatusOr<ReservationStrategy> Run();

 private:
  using ProtoRequests = google::protobuf::RepeatedPtrField<proto::Strategy::Request>;

  uint64_t Evaluate(const std::string& expression, const std::string& path);
  // `fallback` where there is no expression.
  uint64_t EvaluateOr(uint64_t fallback, const std::string& expression, const std::string& path) {
    return expression.empty() ? fallback : Evaluate(expression, path);
  }
  void Fail(absl::Status status) {
    if (status_.ok()) status_ = std::move(status);
  }
  void NameValues();
  int ChosenMode();
  ReservationStrategy PlanOf(int mode);
  void Compute(const google::protobuf::RepeatedPtrField<proto::Strategy::Computed>& computed,
               const std::string& path, proto::Strategy* plan);
  std::vector<MapRequest> RequestsOf(const ProtoRequests& list, const std::string& path);
  MapRequest RequestOf(const proto::Strategy::Request& text, const std::string& path);
  void AddRequests(const proto::Strategy::Requests& text, const std::string& path, ReservationStrategy* plan);

  const proto::Strategy& text_;
  const StrategySource& source_;
  SizeNames names_;
  absl::Status status_;
};

uint64_t Resolution::Evaluate(const std::string& expression, const std::string& path) {
  const SizeAnswer answer = EvaluateSize(expression, names_);
  if (answer.fault) {
    Fail(absl::InvalidArgumentError(
        absl::StrCat(source_.PlaceIn(path, answer.fault->offset), ": ", answer.fault->message)));
  }
  return answer.value;
}

void Resolution::NameValues() {
  for (int n = 0; n < text_.values_size(); ++n) {
    const std::string path = absl::StrCat("values[", n, "]");
    const std::string& name = text_.values(n).name();
    if (name.empty() || names_.count(name) != 0) {
      Fail(absl::InvalidArgumentError(
          absl::StrCat(source_.LineOf(path), ": values: the name '", name, "' is empty or taken")));
    }
    names_[name] = Evaluate(text_.values(n).is(), path + ".is");
  }
}

// -1: the file as it stands.
int Resolution::ChosenMode() {
  int chosen = -1;
  for (int n = 0; n < text_.modes_size(); ++n) {
    const std::string path = absl::StrCat("modes[", n, "]");
    const proto::Strategy::Mode& mode = text_.modes(n);
    if (mode.name().empty() || (mode.when().empty() && !mode.after_refusal())) {
      Fail(absl::InvalidArgumentError(
          absl::StrCat(source_.LineOf(path), ": modes: a mode needs a name, and `when` or after_refusal")));
    }
    if (EvaluateOr(0, mode.when(), path + ".when") != 0 && chosen < 0) chosen = n;
  }
  return chosen;
}

void Resolution::Compute(const google::protobuf::RepeatedPtrField<proto::Strategy::Computed>& computed,
                         const std::string& path, proto::Strategy* plan) {
  for (int n = 0; n < computed.size(); ++n) {
    const std::string here = absl::StrCat(path, "[", n, "]");
    const uint64_t value = Evaluate(computed[n].is(), here + ".is");
    if (!status_.ok()) return;
    if (absl::Status set = SetNumber(computed[n].field(), value, plan); !set.ok()) {
      Fail(absl::InvalidArgumentError(absl::StrCat(source_.LineOf(here), ": ", set.message())));
    }
  }
}

ReservationStrategy Resolution::PlanOf(int mode) {
  proto::Strategy plan = text_;
  Compute(text_.computed(), "computed", &plan);
  std::string requests_path = "requests";
  if (mode >= 0) {
    const std::string path = absl::StrCat("modes[", mode, "]");
    const proto::Strategy::Mode& over = text_.modes(mode);
    for (const std::string& field : over.cleared()) {
      if (absl::Status cleared = ClearField(field, &plan); !cleared.ok()) {
        Fail(absl::InvalidArgumentError(
            absl::StrCat(source_.LineOf(path + ".cleared"), ": ", cleared.message())));
      }
    }
    if (over.has_reservation()) plan.mutable_reservation()->MergeFrom(over.reservation());
    if (over.has_growth()) plan.mutable_growth()->MergeFrom(over.growth());
    if (over.has_tables()) plan.mutable_tables()->MergeFrom(over.tables());
    if (over.has_release()) plan.mutable_release()->MergeFrom(over.release());
    if (over.has_requests()) *plan.mutable_requests() = over.requests();
    if (over.has_requests()) requests_path = path + ".requests";
    Compute(over.computed(), path + ".computed", &plan);
  }
  if (!status_.ok()) return ReservationStrategy();
  const std::vector<std::string> violations = StrategyChecks(plan, source_).Run();
  if (!violations.empty()) Fail(absl::InvalidArgumentError(absl::StrJoin(violations, "\n")));
  if (!status_.ok()) return ReservationStrategy();
  ReservationStrategy s = FromProto(plan);
  AddRequests(plan.requests(), requests_path, &s);
  if (mode >= 0) {
    s.mode = text_.modes(mode).name();
    s.is_degraded = text_.modes(mode).is_degraded();
  }
  return s;
}

void Resolution::AddRequests(const proto::Strategy::Requests& text, const std::string& path,
                             ReservationStrategy* plan) {
  plan->startup_requests = RequestsOf(text.startup(), path + ".startup");
  plan->started_requests = RequestsOf(text.started(), path + ".started");
  plan->chunk_requests = RequestsOf(text.per_chunk(), path + ".per_chunk");
  plan->thread_requests = RequestsOf(text.per_thread(), path + ".per_thread");
  plan->thread_requests_from = text.threads_from() == 0 ? 1 : text.threads_from();
  plan->thread_requests_most = static_cast<uint32_t>(
      std::min(EvaluateOr(0, text.threads_most(), path + ".threads_most"), kMostRanges));
}

std::vector<MapRequest> Resolution::RequestsOf(const ProtoRequests& list, const std::string& path) {
  std::vector<MapRequest> requests;
  for (int n = 0; n < list.size(); ++n) {
    const std::string here = absl::StrCat(path, "[", n, "]");
    if (EvaluateOr(1, list[n].when(), here + ".when") == 0) continue;
    requests.push_back(RequestOf(list[n], here));
  }
  return requests;
}

MapRequest Resolution::RequestOf(const proto::Strategy::Request& text, const std::string& path) {
  MapRequest request;
  request.purpose = text.purpose();
  request.bytes = EvaluateOr(0, text.size(), path + ".size");
  const uint64_t count = EvaluateOr(1, text.count(), path + ".count");
  request.count = static_cast<uint32_t>(std::min(count, kMostRanges));
  request.alignment_bytes = EvaluateOr(0, text.alignment(), path + ".alignment");
  request.spare_bytes = EvaluateOr(0, text.spare(), path + ".spare");
  request.exact_second = text.exact_second();
  request.spare_is_next = text.spare_is_next();
  request.ready_bytes = EvaluateOr(0, text.ready(), path + ".ready");
  request.protection = FromProto(text.protection());
  request.no_reserve = text.no_reserve();
  request.low = text.low();
  request.hints = FromProto(text.hints());
  request.hint_only = text.hint_only();
  request.over = text.over();
  request.released = text.released();
  for (int n = 0; n < text.smaller_size(); ++n) {
    request.smaller_bytes.push_back(Evaluate(text.smaller(n), absl::StrCat(path, ".smaller[", n, "]")));
  }
  request.if_refused = FromProto(text.if_refused());
  request.instead = RequestsOf(text.instead(), path + ".instead");
  request.degraded_mode = text.degraded_mode();
  request.is_degraded = text.is_degraded();
  const bool power_of_two = request.alignment_bytes == 0 || std::has_single_bit(request.alignment_bytes);
  const char* wrong = nullptr;
  if (text.purpose().empty()) wrong = "purpose is missing";
  if (request.bytes == 0) wrong = "size is missing or 0";
  if (count > kMostRanges) wrong = "count is more than 65536";
  uint64_t largest =
      std::max({request.bytes, request.alignment_bytes, request.spare_bytes, request.ready_bytes});
  for (uint64_t bytes : request.smaller_bytes) {
    largest = std::max(largest, bytes);
    if (bytes == 0) wrong = "a smaller size is 0";
  }
  if (largest > kMostBytes) wrong = "a size is larger than any address space";
  if (text.protection() == proto::PROTECTION_UNSPECIFIED) wrong = "protection is missing";
  const uint64_t image_align = text.hints().image_align_bytes();
  if (image_align != 0 && !std::has_single_bit(image_align)) wrong = "image_align_bytes is no power of two";
  if (!power_of_two) wrong = "alignment is no power of two";
  if (request.over && text.hints().count() != 1) wrong = "over needs exactly one hint";
  if (request.ready_bytes != 0 && request.protection != Protection::kNone) {
    wrong = "ready contradicts protection: it is of an INACCESSIBLE mapping";
  }
  if (wrong != nullptr) {
    Fail(absl::InvalidArgumentError(
        absl::StrCat(source_.LineOf(path), ": request '", text.purpose(), "': ", wrong)));
  }
  return request;
}

absl::StatusOr<ReservationStrategy> Resolution::Run() {
  NameValues();
  const int chosen = ChosenMode();
  if (!status_.ok()) return status_;
  ReservationStrategy plan = PlanOf(chosen);
  for (int n = 0; n < text_.modes_size() && status_.ok(); ++n) {
    if (n == chosen) continue;
    ReservationStrategy fallback = PlanOf(n);  // also where it is not one: its faults are the file's
    if (text_.modes(n).after_refusal()) plan.fallbacks.push_back(std::move(fallback));
  }
  if (!status_.ok()) return status_;
  return plan;
}

}  // namespace

SizeNames NamesOf(const StrategyEnvironment& environment) {
  const uint64_t unlimited = ~uint64_t{0};
  return {
      {"UNLIMITED", unlimited},
      {"RAM", environment.ram_bytes},
      {"CPUS", environment.cpus},
      {"LIMIT_AS", environment.address_limit_bytes.value_or(unlimited)},
      {"LIMIT_DATA", environment.data_limit_bytes.value_or(unlimited)},
      {"MEMORY_MAX", environment.memory_max_bytes.value_or(unlimited)},
      {"USER_END", environment.user_end},
      {"OS_PAGE", environment.os_page_bytes},
      {"OVERCOMMIT", environment.overcommit_mode},
      {"IMAGE", environment.image_bytes},
  };
}

absl::StatusOr<ReservationStrategy> ResolveStrategy(const CatalogStrategy& strategy,
                                                    const StrategyEnvironment& environment) {
  return Resolution(strategy, environment).Run();
}

bool DependsOnEnvironment(const proto::Strategy& text) {
  return text.values_size() + text.computed_size() + text.modes_size() > 0 || text.has_requests();
}

}  // namespace reheap
