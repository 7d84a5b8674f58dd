#include "sim/replay/virtual_run.h"

#include <memory_resource>
#include <utility>

#include "absl/strings/str_cat.h"
#include "alloc/check.h"
#include "sim/os/host_probe.h"
#include "sim/os/image_catalog.h"
#include "sim/replay/row_strategy.h"
#include "sim/replay/run_result.h"
#include "sim/replay/target_factory.h"
#include "sim/replay/transplant_image.h"
#include "sim/replay/virtual_foreign_space.h"

namespace reheap {
namespace {

uint64_t Room(uint64_t limit, uint64_t in_use) { return limit > in_use ? limit - in_use : 0; }

// How the process of one row starts.
class ProcessChooser {
 public:
  ProcessChooser(const ReplayRequest& request, const ProcessImage& image, const ReplayRow& row)
      : request_(request), image_(image), platform_(*row.platform), row_(row) {}

  absl::StatusOr<VirtualProcess> Choose(const ChildReport* paired, proto::Run* run) const;

 private:
  absl::Status StartAsChild(const ChildReport& child, VirtualProcess* process, proto::Run* run) const;
  absl::Status ChooseImage(VirtualProcess* process, proto::Run* run) const;
  absl::Status TakeNamedImage(VirtualProcess* process, proto::Run* run) const;

  const ReplayRequest& request_;
  const ProcessImage& image_;
  const Platform& platform_;
  const ReplayRow& row_;
};

absl::StatusOr<VirtualProcess> ProcessChooser::Choose(const ChildReport* paired, proto::Run* run) const {
  VirtualProcess process;
  process.platform = &platform_;
  process.limits.address_bytes = row_.address_limit;
  process.limits.data_bytes = row_.data_limit;
  row_.settings.ApplyTo(&process.limits);
  run->set_platform_basis(platform_.basis == Basis::kComparableWithRunningKernel
                              ? "rules compared with a running kernel"
                              : "from source, not measured");
  const absl::Status status =
      paired != nullptr ? StartAsChild(*paired, &process, run) : ChooseImage(&process, run);
  if (!status.ok()) return status;
  return process;
}

absl::Status ProcessChooser::StartAsChild(const ChildReport& child, VirtualProcess* process, proto::Run* run) const {
  process->image = child.baseline_image;
  process->image_bss_for_tables = false;  // that BSS is the replayer's
  absl::StatusOr<HostSwitches> switches = ProbeHost();
  if (!switches.ok()) return switches.status();
  process->switches = *switches;
  if (row_.address_limit) {
    process->limits.address_bytes =
        PlusRoom(child.baseline.vsize_bytes, Room(*row_.address_limit, image_.vsize_bytes));
  }
  if (row_.data_limit) {
    process->limits.data_bytes = PlusRoom(child.baseline_data_bytes, Room(*row_.data_limit, image_.data_bytes));
  }
  run->set_platform_basis("switches probed from the running kernel");
  run->set_image("replay child");
  return absl::OkStatus();
}

// What the process starts from: a maps file, a named image, the trace's own mappings where they are those of
// such a process, else their sizes in the layout of the platform.
absl::Status ProcessChooser::ChooseImage(VirtualProcess* process, proto::Run* run) const {
  const ImageMapping* unfit = FirstUnfit(image_, platform_);
  const bool is_comparable = platform_.basis == Basis::kComparableWithRunningKernel;
  run->set_image(image_.origin);
  if (!request_.maps_path.empty()) {
    process->image = image_.mappings;
    if (unfit == nullptr) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(image_.origin, ": expected ", PlatformFault(*unfit, platform_),
                                                   ", found \"", FormatMapsLine(*unfit), "\""));
  }
  if (!request_.image.empty()) return TakeNamedImage(process, run);
  if (image_.mappings.empty()) return absl::OkStatus();
  if (is_comparable && unfit == nullptr) {
    process->image = image_.mappings;
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<ImageMapping>> moved = TransplantImage(image_.mappings, platform_);
  run->set_image(moved.ok() ? absl::StrCat("platform, with the sizes of the ", image_.origin, "'s")
                            : absl::StrCat("platform; ", moved.status().message()));
  if (moved.ok()) process->image = *std::move(moved);
  return absl::OkStatus();
}

absl::Status ProcessChooser::TakeNamedImage(VirtualProcess* process, proto::Run* run) const {
  run->set_image("platform");
  if (request_.image == "platform") return absl::OkStatus();
  const NamedImage* image = FindNamedImage(request_.image, platform_.name);
  REHEAP_CHECK(image != nullptr);  // ResolveGrid knows the names
  if (IsImageOf(*image, platform_.name)) {
    process->image = image->mappings;
    run->set_image(absl::StrCat("image ", image->name));
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<ImageMapping>> moved = TransplantImage(image->mappings, platform_);
  if (!moved.ok()) return moved.status();
  process->image = *std::move(moved);
  run->set_image(absl::StrCat("platform, with the sizes of image ", image->name, " of ", image->platforms[0]));
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

}  // namespace

absl::StatusOr<std::unique_ptr<VirtualRun>> VirtualRun::Create(const ReplayRequest& request, const TraceSetup& setup,
                                                               const ReplayRow& row, const ChildReport* paired) {
  proto::Run described;
  DescribeRow(request, row, &described);
  described.set_platform(row.platform->name);
  absl::StatusOr<VirtualProcess> process =
      ProcessChooser(request, setup.image, row).Choose(paired, &described);
  if (!process.ok()) return process.status();
  std::unique_ptr<VirtualRun> run(new VirtualRun(request, setup, row, *process, std::move(described)));
  if (absl::Status status = run->PlaceSquatters(paired != nullptr); !status.ok()) return status;
  if (absl::Status status = run->Start(); !status.ok()) return status;
  return run;
}

VirtualRun::VirtualRun(const ReplayRequest& request, const TraceSetup& setup, const ReplayRow& row,
                       const VirtualProcess& process, proto::Run described)
    : request_(request),
      setup_(setup),
      row_(row),
      described_(std::move(described)),
      os_(process),
      memory_(&os_),
      space_(MakeVirtualForeignSpace(&os_)),
      foreign_(space_.get(), setup.foreign.stack_bytes, std::pmr::get_default_resource()) {}

absl::Status VirtualRun::PlaceSquatters(bool is_paired) {
  for (AddrRange range : request_.squatters) {
    if (is_paired) {  // they are in the child's mappings already
      os_.Label(range, "squatters");
      continue;
    }
    if (range.end().value() > os_.platform().machine.user_end || os_.space().Overlaps(range)) {
      return absl::InvalidArgumentError(absl::StrCat("squatter 0x", absl::Hex(range.start.value()), "+", range.bytes,
                                                     ": not a free range of user addresses in the process of ",
                                                     row_.platform->name));
    }
    os_.Squat(range);
  }
  return absl::OkStatus();
}

absl::Status VirtualRun::Start() {
  absl::StatusOr<ReservationStrategy> plan = StrategyOfVirtualRow(row_, request_.cpus, os_);
  if (absl::IsInvalidArgument(plan.status())) {
    no_plan_ = plan.status();
    return absl::OkStatus();
  }
  if (!plan.ok()) return plan.status();
  plan_ = *std::move(plan);
  const OsUsage image = os_.Usage();
  described_.set_image_vsize_bytes(described_.image() == "replay child" ? setup_.image.vsize_bytes
                                                                        : image.vsize_bytes);
  described_.set_image_rss_bytes(image.rss_anonymous_bytes);
  target_ = MakeHeapTarget(os_, memory_, plan_, TargetOptions(request_, setup_));
  target_->set_on_refusal([this](const Refusal& refusal) {
    shares_ = ReportShares(os_, refusal);
    picture_ = PictureSpace(os_);
  });
  if (setup_.replays_foreign()) target_->set_foreign(&foreign_);
  if (described_.image() == "trace") AddImageTo(setup_.image, os_.image_end(), &foreign_);
  alive_ = target_->Start();
  return absl::OkStatus();
}

void VirtualRun::Finish(proto::Run* run) {
  if (!has_plan()) {
    *run = described_;
    FillNoPlan(no_plan_, run);
    return;
  }
  target_->Finish();
  const TargetResult& result = target_->result();
  REHEAP_CHECK_EQ(result.rejected_frees, 0);  // OpStream let only frees of live objects through
  *run = described_;
  if (!result.refused) picture_ = PictureSpace(os_);
  FillRun(result, run);
  FillHeapPicture(result.picture, setup_.demand, run);
  FillAddressSpace(picture_, run);
  FillHolders(shares_, proto::MODELLED, run);
  if (setup_.replays_foreign()) FillForeign(result.foreign, request_, run);
}

}  // namespace reheap
