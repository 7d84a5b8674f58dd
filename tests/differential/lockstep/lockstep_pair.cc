#include "tests/differential/lockstep/lockstep_pair.h"

#include <sys/utsname.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "alloc/check.h"
#include "sim/os/host_platform.h"
#include "sim/os/host_probe.h"
#include "sim/os/maps_text.h"
#include "sim/os/platform_catalog.h"
#include "tests/differential/lockstep/checkpoint.h"
#include "tests/differential/lockstep/huge_page_setting.h"
#include "tests/differential/lockstep/kernel_probe.h"
#include "tests/differential/lockstep/machine_charge.h"
#include "tests/differential/lockstep/model_side.h"

namespace reheap {
namespace {

std::string Difference(const Answer& kernel, const Answer& model) {
  std::string what;
  const auto name = [&what](bool differs, const char* field) {
    if (differs) what += (what.empty() ? "" : ", ") + std::string(field);
  };
  name(kernel.value != model.value, "value");
  name(kernel.error != model.error, "errno");
  name(kernel.vsize_pages != model.vsize_pages, "VmSize");
  name(kernel.data_pages != model.data_pages, "VmData+VmStk");
  name(kernel.rss_anonymous_pages != model.rss_anonymous_pages, "RssAnon");
  name(kernel.mapping_count != model.mapping_count || kernel.layout_hash != model.layout_hash, "layout");
  return what;
}

// Of a process whose break has not moved: fields 45 to 47 of /proc/PID/stat (fs/proc/array.c, linux 6.12).
DataSegment DataSegmentOf(const std::string& stat) {
  std::istringstream words(stat.substr(stat.rfind(')') + 1));
  std::string word;
  for (int field = 3; field < 45; ++field) words >> word;
  uint64_t start_data = 0, end_data = 0, start_break = 0;
  words >> start_data >> end_data >> start_break;
  return {end_data - start_data, Addr(start_break), Addr(start_break)};
}

// The rules of `release`, or of the one that the kernel's version and answers point to.
absl::StatusOr<const Platform*> PlatformOf(const ProcessKind& kind, const KernelAnswers& answers,
                                           const std::string& release) {
  utsname names;
  REHEAP_CHECK(uname(&names) == 0);
  const auto host = RecogniseKernel(answers.switches, names.machine, release.empty() ? names.release : release,
                                    kind.word_bits, answers.has_high_addresses);
  if (!host.ok()) return host.status();
  const std::string name = release.empty() ? host->name : host->name.substr(0, host->name.find('@') + 1) + release;
  const Platform* const platform = Platforms().Find(name);
  return platform != nullptr ? absl::StatusOr<const Platform*>(platform)
                             : absl::NotFoundError("no platform is called " + name);
}

std::string AnswerText(const Answer& a) {
  return absl::StrFormat(
      "value 0x%x errno %d, VmSize %d, VmData+VmStk %d, RssAnon %d pages, %d mappings (layout %08x)", a.value,
      a.error, a.vsize_pages, a.data_pages, a.rss_anonymous_pages, a.mapping_count,
      a.layout_hash & 0xffffffff);
}

std::vector<ImageMapping> Parsed(const std::string& text) {
  auto mappings = ParseMaps(text, "lockstep");
  REHEAP_CHECK(mappings.ok());
  return *std::move(mappings);
}

}  // namespace

std::string Mismatch::ToString() const {
  return "  differs: " + what + (detail.empty() ? "" : ": " + detail) + "\n  kernel:  " + AnswerText(kernel) +
         "\n  model:   " + AnswerText(model);
}

absl::StatusOr<LockstepSetup> MakeSetup(const ProcessKind& kind, const std::string& release) {
  const auto answers = ProbeKernel(kind);
  if (!answers.ok()) return answers.status();
  const auto platform = PlatformOf(kind, *answers, release);
  if (!platform.ok()) return platform.status();
  LockstepSetup setup{kind, **platform, answers->switches, answers->rss_counter_lags, answers->locked_limit_bytes};
  if (kind.huge_pages) {
    const absl::StatusOr<HugePageMode> mode = ReadHugePageMode();
    if (!mode.ok()) return mode.status();
    setup.huge_page_mode = *mode;
  }
  return setup;
}

absl::StatusOr<std::unique_ptr<LockstepPair>> LockstepPair::Start(const LockstepSetup& setup) {
  auto executor = ExecutorProcess::Start(setup.kind);
  if (!executor.ok()) return executor.status();
  return std::unique_ptr<LockstepPair>(new LockstepPair(setup, *std::move(executor)));
}

LockstepPair::LockstepPair(const LockstepSetup& setup, std::unique_ptr<ExecutorProcess> executor)
    : setup_(setup), executor_(std::move(executor)) {
  VirtualProcess process;
  process.platform = &setup_.platform;
  process.image = Parsed(executor_->SmapsText());
  process.switches = setup_.switches;
  process.data_segment = DataSegmentOf(executor_->StatText());
  process.layout.personality = static_cast<uint32_t>(setup_.kind.personality);
  process.limits.stack_unlimited = setup_.kind.stack_limit_bytes == kNoLimit;
  if (!process.limits.stack_unlimited) process.limits.stack_bytes = setup_.kind.stack_limit_bytes;
  model_ = std::make_unique<VirtualOs>(process);
  ProcessLimits limits = model_->limits();
  limits.thp = setup_.huge_page_mode;
  limits.is_privileged = setup_.locked_limit_bytes == kNoLimit;
  if (!limits.is_privileged) limits.locked_bytes = setup_.locked_limit_bytes;
  committed_elsewhere_ = CommittedByOthers() - model_->space().totals().charged_bytes;
  limits.committed_elsewhere_bytes = committed_elsewhere_;
  model_->set_limits(limits);
  model_->DisableHugePages(!setup_.kind.huge_pages);
}

uint32_t LockstepPair::Observed() const {
  return (compares_layout_ ? kObserveLayout : 0) | (setup_.rss_counter_lags ? kSyncCounters : 0);
}

const Answer& LockstepPair::Queue(const Operation& operation) {
  REHEAP_CHECK(operations_.size() < kMaxBatch);
  operations_.push_back(operation);
  expected_.push_back(CarryOnModel(*model_, operation, Observed()));
  return expected_.back();
}

std::optional<Mismatch> LockstepPair::Flush() {
  if (operations_.empty()) return std::nullopt;
  std::vector<Answer> answers(operations_.size());
  const absl::Status done = executor_->Carry(operations_, Observed(), answers);
  if (!done.ok()) {
    // Which of the batch it was, a replay in batches of one tells.
    return Mismatch{carried_ + operations_.size() - 1, operations_.back(), Answer(), expected_.back(),
                    "the executor's end", std::string(done.message())};
  }
  for (size_t i = 0; i < answers.size(); ++i) {
    if (!compares_layout_) answers[i].data_pages = expected_[i].data_pages;
    if (answers[i] == expected_[i]) continue;
    return Mismatch{carried_ + i, operations_[i], answers[i], expected_[i],
                    Difference(answers[i], expected_[i]), ""};
  }
  carried_ += operations_.size();
  last_ = operations_.back();
  operations_.clear();
  expected_.clear();
  return std::nullopt;
}

std::optional<ProcDifference> LockstepPair::CompareMachine() const {
  const uint64_t kernel = CommittedByOthers() - committed_elsewhere_;
  const uint64_t lost = model_->limits().committed_elsewhere_bytes - committed_elsewhere_;
  uint64_t model = model_->space().totals().charged_bytes + lost;
  // Of shared memory with MAP_NORESERVE each page is charged when it is there (shmem_acct_blocks, mm/shmem.c, linux 6.12).
  const MemoryObjects& objects = model_->space().objects();
  for (MemoryObjects::Id id = 1; id < objects.size(); ++id) {
    const bool by_page = objects[id].charged_bytes == 0 && !objects[id].is_file;
    if (by_page) model += model_->object_pages().CountOf(id) * model_->resident().os_page_bytes();
  }
  if (kernel == model) return std::nullopt;
  return ProcDifference{"Committed_AS", absl::StrCat("kernel ", static_cast<int64_t>(kernel) / 1024, " kB, model ",
                                                     static_cast<int64_t>(model) / 1024, " kB")};
}

std::optional<Mismatch> LockstepPair::Checkpoint() const {
  REHEAP_CHECK(operations_.empty());
  model_->CheckInvariants();
  std::optional<ProcDifference> difference =
      CompareWithProc({executor_->SmapsText(), executor_->StatusText()}, *model_);
  if (setup_.is_alone && !difference.has_value()) difference = CompareMachine();
  if (!difference.has_value()) return std::nullopt;
  Mismatch mismatch;
  mismatch.index = carried_ == 0 ? 0 : carried_ - 1;
  mismatch.operation = last_;
  mismatch.what = difference->what;
  mismatch.detail = difference->detail;
  return mismatch;
}

}  // namespace reheap
