#include <sys/resource.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <memory_resource>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "alloc/check.h"
#include "sim/os/host_probe.h"
#include "sim/os/image_catalog.h"
#include "sim/os/shadow_memory.h"
#include "sim/os/share_report.h"
#include "sim/os/space_picture.h"
#include "sim/os/virtual_os.h"
#include "sim/replay/event_words.h"
#include "sim/replay/op_stream.h"
#include "sim/replay/process_image.h"
#include "sim/replay/replay_child.h"
#include "sim/replay/replay_grid.h"
#include "sim/replay/replay_request.h"
#include "sim/replay/run_result.h"
#include "sim/replay/target_factory.h"
#include "sim/replay/trace_demand.h"
#include "sim/replay/transplant_image.h"
#include "sim/replay/virtual_foreign_space.h"

namespace reheap {
namespace {

// Stack of a thread whose limit is not known, and of one without limit (_STK_LIM, include/uapi/linux/resource.h,
// linux 6.12; ARCH_STACK_DEFAULT_SIZE, sysdeps/x86_64/nptl/pthreaddef.h, glibc; measured: 2,052 KiB with guard).
constexpr uint64_t kUsualStackBytes = 8 * kMiB;
constexpr uint64_t kUnlimitedStackBytes = 2 * kMiB;

// What a thread of the traced program has, as glibc decides it: by RLIMIT_STACK.
uint64_t StackBytes(const proto::TraceHeader& header) {
  const auto& unknown = header.unknown();
  const bool is_known =
      header.has_process() && std::find(unknown.begin(), unknown.end(), "limits") == unknown.end();
  if (!is_known) return kUsualStackBytes;
  if (!header.process().has_rlimit_stack_bytes()) return kUnlimitedStackBytes;
  return header.process().rlimit_stack_bytes();
}

uint64_t Room(uint64_t limit, uint64_t in_use) { return limit > in_use ? limit - in_use : 0; }

// A real row cannot have more than this process may have.
void NoteHardLimit(int resource, const char* name, proto::Report* report) {
  rlimit limit;
  if (getrlimit(resource, &limit) != 0 || limit.rlim_max == RLIM_INFINITY) return;
  report->add_notes(absl::StrCat("real rows, \"unlimited\" ones too, ran below this process's own ", name, " of ",
                                 limit.rlim_max, " bytes"));
}

// One call of RunReplays.
class Session {
 public:
  Session(const ReplayRequest& request, ReplayGrid grid, ProgressSink* progress)
      : request_(request), grid_(std::move(grid)), progress_(progress) {}

  absl::StatusOr<proto::Report> Run();

 private:
  absl::Status Prepare();
  absl::Status RunRow(const ReplayRow& row, proto::Run* run);
  absl::StatusOr<TargetResult> RunReal(const ReplayRow& row, OpStream* stream, proto::Run* run);
  absl::StatusOr<TargetResult> RunVirtual(const ReplayRow& row, OpStream* stream, proto::Run* run);
  absl::StatusOr<VirtualProcess> ProcessFor(const ReplayRow& row, proto::Run* run) const;
  absl::Status ChooseImage(const Platform& platform, VirtualProcess* process, proto::Run* run) const;
  absl::Status TakeNamedImage(const Platform& platform, VirtualProcess* process, proto::Run* run) const;
  bool IsPairedWithReal(const ReplayRow& row) const;
  absl::Status Squat(const std::string& platform, VirtualOs* os) const;
  HeapTargetOptions TargetOptions() const {
    return {facts_.slot_count, request_.touch == "full", demand_.events_at_peak};
  }
  std::function<void(uint64_t)> ProgressOfRow() const;
  bool ReplaysForeign() const { return foreign_.calls != 0; }
  void FillForeignMode(const ForeignStats& stats, proto::Run* run) const;

  const ReplayRequest& request_;
  ReplayGrid grid_;
  ProgressSink* progress_;
  OpStream::Facts facts_;
  TraceDemand demand_;
  ProcessImage image_;
  ForeignPlan foreign_;  // calls 0: the trace has none, or they are left out
  int row_number_ = 0;
  int real_rows_ = 0;
  // The newest real row of the heap and what its child held at the baseline.
  const ReplayRow* real_row_ = nullptr;
  ChildReport real_child_;
  ShareReport shares_;    // at the row's refusal
  SpacePicture picture_;  // then, else at its end
};

// What the kernel lets a process know: how much is mapped. The baseline is the replayer's own.
ShareReport SharesOfChild(const ChildReport& child) {
  ShareReport shares;
  if (!child.result.refused) return shares;
  shares.measure = ShareMeasure::kMappedBytes;
  const ForeignStats& foreign = child.refusal_foreign;
  const uint64_t stacks_bytes = foreign.stacks_bytes;
  const uint64_t others_bytes = child.baseline.vsize_bytes + foreign.mapped_bytes;
  const auto add = [&shares](const char* name, uint64_t bytes) {
    if (bytes != 0) shares.holders.push_back({name, bytes, 0, Addr()});
  };
  add("heap", Room(child.refusal_vsize_bytes, others_bytes));
  add("mapped by the program", foreign.mapped_bytes - stacks_bytes);
  add("thread stacks", stacks_bytes);
  add("the replayer", child.baseline.vsize_bytes);
  std::stable_sort(shares.holders.begin(), shares.holders.end(),
                   [](const Holder& a, const Holder& b) { return a.bytes > b.bytes; });
  return shares;
}

absl::StatusOr<proto::Report> Session::Run() {
  if (absl::Status status = Prepare(); !status.ok()) return status;
  proto::Report report;
  for (const ReplayRow& row : grid_.rows) {
    if (absl::Status status = RunRow(row, report.add_runs()); !status.ok()) return status;
    ++row_number_;
  }
  const std::vector<proto::Run*> runs(report.mutable_runs()->pointer_begin(), report.mutable_runs()->pointer_end());
  if (absl::Status status = FillCalls(request_.trace_path, runs); !status.ok()) return status;
  for (const std::string& note : grid_.notes) report.add_notes(note);
  if (real_rows_ > 0) {
    NoteHardLimit(RLIMIT_AS, "RLIMIT_AS (ulimit -Hv)", &report);
    NoteHardLimit(RLIMIT_DATA, "RLIMIT_DATA (ulimit -Hd)", &report);
  }
  return report;
}

absl::Status Session::Prepare() {
  absl::StatusOr<OpStream::Facts> facts = OpStream::ReadFacts(request_.trace_path, request_.allow_cut_off);
  if (!facts.ok()) return facts.status();
  facts_ = *facts;
  absl::StatusOr<TraceDemand> demand = ReadDemand(request_.trace_path, request_.allow_cut_off);
  if (!demand.ok()) return demand.status();
  demand_ = *std::move(demand);
  absl::StatusOr<std::unique_ptr<OpStream>> stream = OpStream::Open(request_.trace_path, request_.allow_cut_off);
  if (!stream.ok()) return stream.status();
  if (request_.foreign == "replay") foreign_.calls = facts_.foreign_count;
  if (request_.thread_stacks == "glibc") foreign_.stack_bytes = StackBytes((*stream)->header());
  if (!request_.maps_path.empty()) {
    absl::StatusOr<ProcessImage> image = ImageFromMapsFile(request_.maps_path);
    if (!image.ok()) return image.status();
    image_ = *std::move(image);
    return absl::OkStatus();
  }
  absl::StatusOr<ProcessImage> image = ImageFromTrace((*stream)->header(), request_.trace_path);
  if (!image.ok()) return image.status();
  image_ = *std::move(image);
  return absl::OkStatus();
}

absl::Status Session::RunRow(const ReplayRow& row, proto::Run* run) {
  absl::StatusOr<std::unique_ptr<OpStream>> stream = OpStream::Open(request_.trace_path, request_.allow_cut_off);
  if (!stream.ok()) return stream.status();
  run->set_trace(request_.trace_path);
  run->set_target(row.target);
  if (row.strategy != nullptr) run->set_strategy(row.strategy->name);
  run->set_world(row.world);
  if (row.address_limit) run->mutable_limits()->set_address_bytes(*row.address_limit);
  if (row.data_limit) run->mutable_limits()->set_data_bytes(*row.data_limit);
  row.settings.Describe(run->mutable_limits());
  run->set_order(request_.order);
  run->set_touch(request_.touch);
  absl::StatusOr<TargetResult> result =
      row.world == proto::REAL ? RunReal(row, stream->get(), run) : RunVirtual(row, stream->get(), run);
  if (!result.ok()) return result.status();
  REHEAP_CHECK_EQ(result->rejected_frees, 0);  // OpStream let only frees of live objects through
  FillRun(*result, run);
  FillHeapPicture(result->picture, demand_, run);
  FillAddressSpace(picture_, run);
  FillHolders(shares_, row.world == proto::REAL ? proto::MEASURED : proto::MODELLED, run);
  if (ReplaysForeign()) FillForeignMode(result->foreign, run);
  return absl::OkStatus();
}

void Session::FillForeignMode(const ForeignStats& stats, proto::Run* run) const {
  FillForeign(stats, run);
  run->mutable_foreign()->set_mode(request_.foreign);
  run->mutable_foreign()->set_thread_stacks(request_.thread_stacks);
}

std::function<void(uint64_t)> Session::ProgressOfRow() const {
  if (progress_ == nullptr) return nullptr;
  const ReplayRow& row = grid_.rows[static_cast<size_t>(row_number_)];
  std::string doing = absl::StrCat(row.strategy != nullptr ? row.strategy->name : row.target, ", ",
                                   row.platform != nullptr ? row.platform->name : "this kernel");
  const uint64_t before = static_cast<uint64_t>(row_number_) * facts_.event_count;
  const uint64_t total = grid_.rows.size() * facts_.event_count;
  return [this, doing = std::move(doing), before, total](uint64_t events) {
    progress_->Progress(doing, before + events, total);
  };
}

absl::StatusOr<TargetResult> Session::RunReal(const ReplayRow& row, OpStream* stream, proto::Run* run) {
  ++real_rows_;
  ChildPlan plan;
  plan.measure_lookup = request_.measure_lookup && row.strategy != nullptr;
  if (row.address_limit) plan.address_room_bytes = Room(*row.address_limit, image_.vsize_bytes);
  if (row.data_limit) plan.data_room_bytes = Room(*row.data_limit, image_.data_bytes);
  DirectMemory memory;
  if (row.strategy != nullptr) {
    plan.squatters = request_.squatters;
    plan.make_target = [this, &row, &memory](Os* os) {
      return MakeHeapTarget(*os, memory, *row.strategy, TargetOptions());
    };
  } else {
    plan.exec_worker = true;
    plan.slot_count = facts_.slot_count;
    plan.touch_objects = request_.touch == "full";
    const absl::string_view library = absl::StripPrefix(row.target, "malloc:");
    if (library != "glibc") plan.preload = std::string(library);
  }
  plan.foreign = foreign_;
  absl::StatusOr<ChildReport> child = RunInChild(plan, stream, ProgressOfRow());
  if (!child.ok()) return child.status();
  run->set_platform("this kernel");
  run->set_platform_basis("the running kernel");
  run->set_image(image_.origin);
  run->set_image_vsize_bytes(image_.vsize_bytes);
  run->set_bookkeeping_vsize_bytes(child->baseline.vsize_bytes);
  run->set_bookkeeping_rss_bytes(child->baseline.rss_anonymous_bytes);
  run->set_peak_vma_count(child->added_mappings);
  TargetResult result = child->result;
  shares_ = SharesOfChild(*child);
  picture_ = child->picture;
  // With touching, the CPU time would be mostly page faults of the objects: not the allocator's.
  if (request_.touch != "none") result.cpu_ns = 0;
  if (row.strategy != nullptr) {
    real_row_ = &row;
    real_child_ = *std::move(child);
  }
  return result;
}

bool Session::IsPairedWithReal(const ReplayRow& row) const {
  return real_row_ != nullptr && real_row_->strategy == row.strategy && real_row_->address_limit == row.address_limit &&
         real_row_->data_limit == row.data_limit && row.settings == VirtualSettings() && request_.maps_path.empty() && request_.image.empty() &&
         row.platform->basis == Basis::kComparableWithRunningKernel;
}

absl::StatusOr<VirtualProcess> Session::ProcessFor(const ReplayRow& row, proto::Run* run) const {
  VirtualProcess process;
  process.platform = row.platform;
  process.limits.address_bytes = row.address_limit;
  process.limits.data_bytes = row.data_limit;
  row.settings.ApplyTo(&process.limits);
  run->set_platform_basis(row.platform->basis == Basis::kComparableWithRunningKernel
                              ? "rules compared with a running kernel"
                              : "from source, not measured");
  if (IsPairedWithReal(row)) {
    process.image = real_child_.baseline_image;
    process.image_bss_for_tables = false;  // that BSS is the replayer's
    absl::StatusOr<HostSwitches> switches = ProbeHost();
    if (!switches.ok()) return switches.status();
    process.switches = *switches;
    if (row.address_limit) {
      process.limits.address_bytes =
          PlusRoom(real_child_.baseline.vsize_bytes, Room(*row.address_limit, image_.vsize_bytes));
    }
    if (row.data_limit) {
      process.limits.data_bytes =
          PlusRoom(real_child_.baseline_data_bytes, Room(*row.data_limit, image_.data_bytes));
    }
    run->set_platform_basis("switches probed from the running kernel");
    run->set_image("replay child");
    return process;
  }
  if (absl::Status status = ChooseImage(*row.platform, &process, run); !status.ok()) return status;
  return process;
}

// What the process starts from: a maps file, a named image, the trace's own mappings where they are those of
// such a process, else their sizes in the layout of the platform.
absl::Status Session::ChooseImage(const Platform& platform, VirtualProcess* process, proto::Run* run) const {
  const ImageMapping* unfit = FirstUnfit(image_, platform);
  const bool is_comparable = platform.basis == Basis::kComparableWithRunningKernel;
  run->set_image(image_.origin);
  if (!request_.maps_path.empty()) {
    process->image = image_.mappings;
    if (unfit == nullptr) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(image_.origin, ": expected ", PlatformFault(*unfit, platform),
                                                   ", found \"", FormatMapsLine(*unfit), "\""));
  }
  if (!request_.image.empty()) return TakeNamedImage(platform, process, run);
  if (image_.mappings.empty()) return absl::OkStatus();
  if (is_comparable && unfit == nullptr) {
    process->image = image_.mappings;
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<ImageMapping>> moved = TransplantImage(image_.mappings, platform);
  run->set_image(moved.ok() ? absl::StrCat("platform, with the sizes of the ", image_.origin, "'s")
                            : absl::StrCat("platform; ", moved.status().message()));
  if (moved.ok()) process->image = *std::move(moved);
  return absl::OkStatus();
}

absl::Status Session::TakeNamedImage(const Platform& platform, VirtualProcess* process, proto::Run* run) const {
  run->set_image("platform");
  if (request_.image == "platform") return absl::OkStatus();
  const NamedImage* image = FindNamedImage(request_.image, platform.name);
  REHEAP_CHECK(image != nullptr);  // ResolveGrid knows the names
  if (IsImageOf(*image, platform.name)) {
    process->image = image->mappings;
    run->set_image(absl::StrCat("image ", image->name));
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<ImageMapping>> moved = TransplantImage(image->mappings, platform);
  if (!moved.ok()) return moved.status();
  process->image = *std::move(moved);
  run->set_image(absl::StrCat("platform, with the sizes of image ", image->name, " of ", image->platforms[0]));
  return absl::OkStatus();
}

absl::Status Session::Squat(const std::string& platform, VirtualOs* os) const {
  for (AddrRange range : request_.squatters) {
    if (range.end().value() > os->platform().machine.user_end || os->space().Overlaps(range)) {
      return absl::InvalidArgumentError(absl::StrCat("squatter 0x", absl::Hex(range.start.value()), "+", range.bytes,
                                                     ": not a free range of user addresses in the process of ", platform));
    }
    os->Squat(range);
  }
  return absl::OkStatus();
}

// The program's calls may be about its own image. Not about [stack], [heap], the kernel's pages, and the BSS that
// ends at `bss_end`: the heap's tables may be there.
void AddImageTo(const ProcessImage& image, Addr bss_end, ForeignMappings* foreign) {
  for (const ImageMapping& mapping : image.mappings) {
    if (mapping.end == bss_end) continue;
    if (!mapping.name.empty() && mapping.name[0] == '[') continue;
    const int protection = (mapping.perms[0] == 'r' ? kProtRead : 0) | (mapping.perms[1] == 'w' ? kProtWrite : 0) |
                           (mapping.perms[2] == 'x' ? kProtExecute : 0);
    foreign->AddImage({mapping.start, mapping.end - mapping.start}, protection);
  }
}

absl::StatusOr<TargetResult> Session::RunVirtual(const ReplayRow& row, OpStream* stream, proto::Run* run) {
  run->set_platform(row.platform->name);
  absl::StatusOr<VirtualProcess> process = ProcessFor(row, run);
  if (!process.ok()) return process.status();
  VirtualOs os(*process);
  ShadowMemory memory(&os);
  if (IsPairedWithReal(row)) {  // they are in the child's mappings already
    for (AddrRange range : request_.squatters) os.Label(range, "squatters");
  } else if (absl::Status status = Squat(row.platform->name, &os); !status.ok()) {
    return status;
  }
  const OsUsage image = os.Usage();
  run->set_image_vsize_bytes(run->image() == "replay child" ? image_.vsize_bytes : image.vsize_bytes);
  run->set_image_rss_bytes(image.rss_anonymous_bytes);

  const std::unique_ptr<ReplayTarget> target =
      MakeHeapTarget(os, memory, *row.strategy, TargetOptions());
  shares_ = ShareReport();
  target->set_on_refusal([this, &os](const Refusal& refusal) {
    shares_ = ReportShares(os, refusal);
    picture_ = PictureSpace(os);
  });
  const std::unique_ptr<ForeignSpace> space = MakeVirtualForeignSpace(&os);
  ForeignMappings foreign(space.get(), foreign_.stack_bytes, std::pmr::get_default_resource());
  if (ReplaysForeign()) target->set_foreign(&foreign);
  if (run->image() == "trace") AddImageTo(image_, os.image_end(), &foreign);
  const std::function<void(uint64_t)> progress = ProgressOfRow();
  std::vector<ReplayOp> ops(kOpsPerBatch);
  std::vector<ForeignOp> foreign_ops(ReplaysForeign() ? kOpsPerBatch : 0);
  bool alive = target->Start();
  for (uint64_t fed = 0; alive;) {
    absl::StatusOr<size_t> n = stream->Next(ops.data(), ops.size(), ReplaysForeign() ? foreign_ops.data() : nullptr);
    if (!n.ok()) return n.status();
    if (*n == 0) break;
    alive = target->Apply(ops.data(), *n, foreign_ops.data()) == *n;
    fed += *n;
    if (progress) progress(fed);
  }
  target->Finish();
  if (!target->result().refused) picture_ = PictureSpace(os);
  return target->result();
}

}  // namespace

absl::StatusOr<proto::Report> RunReplays(const ReplayRequest& request, ProgressSink* progress) {
  absl::StatusOr<ReplayGrid> grid = ResolveGrid(request);
  if (!grid.ok()) return grid.status();
  return Session(request, *std::move(grid), progress).Run();
}

}  // namespace reheap
