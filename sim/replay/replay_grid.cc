#include "sim/replay/replay_grid.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "sim/os/image_catalog.h"
#include "sim/os/platform_catalog.h"
#include "sim/strategies/strategy_catalog.h"

namespace reheap {
namespace {

template <class T>
std::vector<std::optional<T>> OrUnlimited(std::vector<std::optional<T>> values) {
  if (values.empty()) values.push_back(std::nullopt);
  return values;
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
  for (int mode : request.overcommit_modes) {
    if (mode < 0 || mode > 2) {
      return absl::InvalidArgumentError(absl::StrCat("overcommit mode ", mode, " is not known: 0, 1 or 2"));
    }
  }
  return absl::OkStatus();
}

// The virtual rows of one strategy under one pair of limits.
void AddVirtualRows(const ReplayRequest& request, const std::vector<const Platform*>& platforms, ReplayRow row,
                    ReplayGrid* grid) {
  row.world = proto::VIRTUAL;
  for (const Platform* platform : platforms) {
    if (platform->machine.word_bits != row.strategy->word_bits) {
      grid->notes.push_back(absl::StrCat(row.strategy->name, " is a ", row.strategy->word_bits, "-bit strategy, ",
                                         platform->name, " a ", platform->machine.word_bits, "-bit platform: left out"));
      continue;
    }
    row.platform = platform;
    if (request.overcommit_modes.empty()) {
      grid->rows.push_back(row);
      continue;
    }
    for (int mode : request.overcommit_modes) {
      row.overcommit_mode = mode;
      grid->rows.push_back(row);
    }
  }
}

void AddHeapRows(const ReplayRequest& request, const std::vector<const Platform*>& platforms, ReplayRow row,
                 ReplayGrid* grid) {
  for (const ReservationStrategy& strategy : grid->strategies) {
    row.strategy = &strategy;
    if (request.real) {
      if (strategy.word_bits == 64) {
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

absl::StatusOr<ReplayGrid> ResolveGrid(const ReplayRequest& request) {
  if (absl::Status status = CheckWords(request); !status.ok()) return status;
  ReplayGrid grid;
  for (const std::string& name : request.strategies) {
    absl::StatusOr<CatalogStrategy> loaded = LoadStrategy(name);
    if (!loaded.ok()) return loaded.status();
    grid.strategies.push_back(std::move(loaded->strategy));
  }
  std::vector<const Platform*> platforms;
  if (request.virtual_world) {
    for (const std::string& name : request.platforms) {
      const Platform* platform = Platforms().Find(name);
      if (platform == nullptr) {
        return absl::InvalidArgumentError(
            absl::StrCat("platform '", name, "' is not known; `reheap platform list` names them"));
      }
      platforms.push_back(platform);
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
