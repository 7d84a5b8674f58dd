#include "sim/replay/replay_grid.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "alloc/arena_plan.h"
#include "sim/os/image_catalog.h"
#include "sim/os/platform_catalog.h"
#include "sim/strategies/strategy_resolver.h"

namespace reheap {
namespace {

template <class T>
std::vector<std::optional<T>> OrUnlimited(std::vector<std::optional<T>> values) {
  if (values.empty()) values.push_back(std::nullopt);
  return values;
}

// /sys/kernel/mm/transparent_hugepage/enabled has these words; the order is HugePageMode's.
constexpr const char* kHugePageModes[] = {"never", "madvise", "always"};

std::optional<HugePageMode> HugePageModeNamed(const std::string& word) {
  const auto found = std::find(std::begin(kHugePageModes), std::end(kHugePageModes), word);
  if (found == std::end(kHugePageModes)) return std::nullopt;
  return static_cast<HugePageMode>(found - std::begin(kHugePageModes));
}

absl::Status CheckWords(const ReplayRequest& request) {
  if (!request.real && !request.virtual_world) return absl::InvalidArgumentError("no world: real, virtual or both");
  if (request.order != "total") {
    return absl::InvalidArgumentError(absl::StrCat("order '", request.order, "' is not known; this version has: total"));
  }
  if (request.touch != "none" && request.touch != "full") {
    return absl::InvalidArgumentError(
        absl::StrCat("touch '", request.touch, "' is not known; this version has: none, full"));
  }
  if (request.foreign != "replay" && request.foreign != "ignore") {
    return absl::InvalidArgumentError(absl::StrCat("foreign '", request.foreign, "' is not known: replay or ignore"));
  }
  if (request.thread_stacks != "glibc" && request.thread_stacks != "none") {
    return absl::InvalidArgumentError(
        absl::StrCat("thread stacks '", request.thread_stacks, "' are not known: glibc or none"));
  }
  const bool named = !request.image.empty() && request.image != "platform";
  if (named && FindNamedImage(request.image, "") == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("image '", request.image, "' is not known: platform, ",
                                                   absl::StrJoin(NamedImageNames(), ", ")));
  }
  if (request.virtual_world && request.platforms.empty()) {
    return absl::InvalidArgumentError("the virtual world needs a platform (`reheap platform list`)");
  }
  for (AddrRange range : request.squatters) {
    const bool wraps = range.end() < range.start;
    if (range.bytes == 0 || range.start.value() % 4096 != 0 || range.bytes % 4096 != 0 || wraps) {
      return absl::InvalidArgumentError(
          absl::StrCat("squatter 0x", absl::Hex(range.start.value()), "+", range.bytes, " is not whole OS pages (4096 bytes)"));
    }
  }
  for (const std::string& word : request.thp) {
    if (HugePageModeNamed(word)) continue;
    return absl::InvalidArgumentError(absl::StrCat("thp '", word, "' is not known: never, madvise or always"));
  }
  for (int mode : request.overcommit_modes) {
    if (mode < 0 || mode > 2) {
      return absl::InvalidArgumentError(absl::StrCat("overcommit mode ", mode, " is not known: 0, 1 or 2"));
    }
  }
  return absl::OkStatus();
}

// Each of `all` with each of `values`; without values, as they are.
template <class T, class Member>
std::vector<VirtualSettings> Crossed(const std::vector<VirtualSettings>& all, const std::vector<T>& values,
                                     Member VirtualSettings::*member) {
  if (values.empty()) return all;
  std::vector<VirtualSettings> crossed;
  for (VirtualSettings settings : all) {
    for (const T& value : values) {
      settings.*member = value;
      crossed.push_back(settings);
    }
  }
  return crossed;
}

std::vector<VirtualSettings> AllSettings(const ReplayRequest& request) {
  std::vector<HugePageMode> thp;
  for (const std::string& word : request.thp) thp.push_back(*HugePageModeNamed(word));
  std::vector<VirtualSettings> all(1);
  all = Crossed(all, request.overcommit_modes, &VirtualSettings::overcommit_mode);
  all = Crossed(all, request.memory_limits, &VirtualSettings::memory_max_bytes);
  all = Crossed(all, request.max_mappings, &VirtualSettings::max_mappings);
  all = Crossed(all, request.ram_bytes, &VirtualSettings::ram_bytes);
  all = Crossed(all, request.swap_bytes, &VirtualSettings::swap_bytes);
  all = Crossed(all, request.job_commits, &VirtualSettings::job_commit_bytes);
  all = Crossed(all, request.stack_limits, &VirtualSettings::stack_bytes);
  return Crossed(all, thp, &VirtualSettings::thp);
}

// What `settings` say that `platform` has not, as a note says it; empty when it has all. A kernel with overcommit
// modes is one with memory cgroups.
std::string Missing(const VirtualSettings& settings, const Platform& platform) {
  const bool has_cgroups = platform.limits.commit_refusal == CommitRefusal::kOvercommitMode;
  const char* missing = nullptr;
  if (settings.memory_max_bytes && !has_cgroups) missing = "memory.max";
  if (settings.max_mappings && platform.limits.max_mappings == 0) missing = "limit of mappings";
  if (settings.swap_bytes && platform.limits.commit_refusal == CommitRefusal::kNever) missing = "limit that counts swap space";
  const bool has_jobs = platform.limits.commit_refusal == CommitRefusal::kRamPlusSwap;
  if (settings.job_commit_bytes && !has_jobs) missing = "limit of a job's commit charge";
  if (settings.thp && platform.pages.huge_page_bytes == 0) missing = "transparent huge pages";
  return missing == nullptr ? "" : absl::StrCat(platform.name, " has no ", missing, ": left out");
}

// Why `strategy` cannot be carried out on `platform`, as a note says it; empty when it can.
std::string Mismatch(const ReservationStrategy& strategy, const Platform& platform) {
  const Platform::Machine& machine = platform.machine;
  if (machine.word_bits != strategy.word_bits) {
    return absl::StrCat(strategy.name, " is a ", strategy.word_bits, "-bit strategy, ", platform.name, " a ",
                        machine.word_bits, "-bit platform: left out");
  }
  const uint64_t largest = LargestOsPageBytes(strategy);
  if (machine.os_page_bytes <= largest) return "";
  return absl::StrCat(strategy.name, " maps memory by multiples of ", largest, " bytes, an OS page of ", platform.name,
                      " has ", machine.os_page_bytes, ": left out");
}

// The virtual rows of one strategy under one pair of limits.
void AddVirtualRows(const ReplayRequest& request, const std::vector<const Platform*>& platforms, ReplayRow row,
                    ReplayGrid* grid) {
  row.world = proto::VIRTUAL;
  for (const Platform* platform : platforms) {
    if (std::string mismatch = Mismatch(*row.strategy, *platform); !mismatch.empty()) {
      grid->notes.push_back(std::move(mismatch));
      continue;
    }
    row.platform = platform;
    for (const VirtualSettings& settings : AllSettings(request)) {
      row.settings = settings;
      if (std::string missing = Missing(settings, *platform); !missing.empty()) {
        grid->notes.push_back(std::move(missing));
      } else {
        grid->rows.push_back(row);
      }
    }
  }
}

void AddHeapRows(const ReplayRequest& request, const std::vector<const Platform*>& platforms, ReplayRow row,
                 ReplayGrid* grid) {
  for (size_t n = 0; n < grid->strategies.size(); ++n) {
    const ReservationStrategy& strategy = grid->strategies[n];
    row.strategy = &strategy;
    row.text = DependsOnEnvironment(grid->texts[n].text) ? &grid->texts[n] : nullptr;
    if (request.real) {
      if (strategy.page_map == PageMapKind::kNone) {
        grid->notes.push_back(absl::StrCat(strategy.name, " has no page map, the heap that plays its part has one, which "
                                           "in a real process would count: left out of the real world"));
      } else if (strategy.word_bits == 64) {
        row.world = proto::REAL;
        row.platform = nullptr;
        grid->rows.push_back(row);
      } else {
        grid->notes.push_back(
            absl::StrCat(strategy.name, " is a ", strategy.word_bits, "-bit strategy, this process a 64-bit one: left out"));
      }
    }
    if (request.virtual_world) AddVirtualRows(request, platforms, row, grid);
  }
}

}  // namespace

void VirtualSettings::ApplyTo(ProcessLimits* limits) const {
  if (overcommit_mode) limits->overcommit = static_cast<OvercommitMode>(*overcommit_mode);
  limits->memory_max_bytes = memory_max_bytes;
  limits->max_mappings = max_mappings;
  if (ram_bytes) limits->ram_bytes = *ram_bytes;
  if (swap_bytes) limits->swap_bytes = *swap_bytes;
  limits->job_commit_bytes = job_commit_bytes;
  if (stack_bytes) {
    limits->stack_bytes = *stack_bytes;
    limits->stack_unlimited = !stack_bytes->has_value();
  }
  if (thp) limits->thp = *thp;
}

void VirtualSettings::Describe(proto::Limits* limits) const {
  if (overcommit_mode) limits->set_overcommit_mode(static_cast<uint32_t>(*overcommit_mode));
  if (memory_max_bytes) limits->set_memory_max_bytes(*memory_max_bytes);
  if (max_mappings) limits->set_max_mappings(*max_mappings);
  if (ram_bytes) limits->set_ram_bytes(*ram_bytes);
  if (swap_bytes) limits->set_swap_bytes(*swap_bytes);
  if (job_commit_bytes) limits->set_job_commit_bytes(*job_commit_bytes);
  if (stack_bytes && *stack_bytes) limits->set_stack_bytes(**stack_bytes);
  if (stack_bytes && !*stack_bytes) limits->set_stack_unlimited(true);
  if (thp) limits->set_thp(kHugePageModes[static_cast<size_t>(*thp)]);
}

void DescribeRow(const ReplayRequest& request, const ReplayRow& row, proto::Run* run) {
  run->set_trace(request.trace_path);
  run->set_target(row.target);
  if (row.strategy != nullptr) run->set_strategy(row.strategy->name);
  run->set_world(row.world);
  if (row.address_limit) run->mutable_limits()->set_address_bytes(*row.address_limit);
  if (row.data_limit) run->mutable_limits()->set_data_bytes(*row.data_limit);
  row.settings.Describe(run->mutable_limits());
  run->set_order(request.order);
  run->set_touch(request.touch);
}

absl::StatusOr<ReplayGrid> ResolveGrid(const ReplayRequest& request) {
  if (absl::Status status = CheckWords(request); !status.ok()) return status;
  ReplayGrid grid;
  for (const std::string& name : request.strategies) {
    absl::StatusOr<CatalogStrategy> loaded = LoadStrategy(name);
    if (!loaded.ok()) return loaded.status();
    grid.strategies.push_back(loaded->strategy);
    grid.texts.push_back(*std::move(loaded));
  }
  std::vector<const Platform*> platforms;
  if (request.virtual_world) {
    for (const std::string& name : request.platforms) {
      const absl::StatusOr<const Platform*> platform = FindPlatform(name);
      if (absl::IsNotFound(platform.status())) {
        return absl::InvalidArgumentError(
            absl::StrCat(platform.status().message(), "; `reheap platform list` names them"));
      }
      if (!platform.ok()) return platform.status();
      platforms.push_back(*platform);
    }
  }
  std::vector<std::string> targets = request.targets;
  if (targets.empty()) targets.push_back("heap");
  for (const std::string& target : targets) {
    if (target != "heap" && !absl::StartsWith(target, "malloc:")) {
      return absl::InvalidArgumentError(
          absl::StrCat("target '", target, "' is not known: heap, malloc:glibc or malloc:/path/to/lib.so"));
    }
    for (std::optional<uint64_t> address_limit : OrUnlimited(request.address_limits)) {
      for (std::optional<uint64_t> data_limit : OrUnlimited(request.data_limits)) {
        ReplayRow row;
        row.target = target;
        row.address_limit = address_limit;
        row.data_limit = data_limit;
        if (target == "heap") {
          if (grid.strategies.empty()) return absl::InvalidArgumentError("no strategy (`reheap strategy list`)");
          AddHeapRows(request, platforms, row, &grid);
        } else if (request.real) {
          grid.rows.push_back(row);
        } else {
          grid.notes.push_back(absl::StrCat(target, " is compiled for the running kernel; it needs the real world: left out"));
        }
      }
    }
  }
  std::sort(grid.notes.begin(), grid.notes.end());
  grid.notes.erase(std::unique(grid.notes.begin(), grid.notes.end()), grid.notes.end());
  if (grid.rows.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("nothing to replay", grid.notes.empty() ? "" : absl::StrCat(": ", grid.notes.front())));
  }
  return grid;
}

}  // namespace reheap
