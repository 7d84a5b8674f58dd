// Random VirtualAlloc, VirtualFree, VirtualProtect, VirtualQuery and accesses in lockstep: Wine, in a process
// of its own, against VirtualOs(windows-amd64) that starts with that process's regions taken. Every answer
// and error must agree, and the region around each request; all regions now and then. What Wine does
// otherwise than Windows is a row of known_differences.h; one difference that no row explains fails, printing
// seed and request.
//
// Manual, since it needs Wine and MinGW; without them it is skipped, and has shown nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "sim/os/platform_catalog.h"
#include "tests/differential/wine/known_differences.h"
#include "tests/differential/wine/windows_process.h"
#include "tests/differential/wine/windows_request_source.h"

namespace reheap {
namespace {

constexpr int kOperations = 20000;  // of one seed
constexpr int kLayoutEvery = 64;    // operations between two comparisons of all regions
constexpr const char* kExecutor = "tests/differential/wine/windows_executor.cc";

// A process in which everything that the executor has is taken, and nothing else is known of it.
VirtualProcess Taken(const std::vector<RegionInfo>& regions) {
  VirtualProcess process;
  process.platform = Platforms().Find("windows-amd64");
  for (const RegionInfo& region : regions) {
    ImageMapping m;
    m.start = region.base;
    m.end = region.base + region.region_bytes;
    m.perms = "r--p";
    m.name = "[taken]";
    process.image.push_back(m);
  }
  process.image_bss_for_tables = false;
  return process;
}

class Lockstep {
 public:
  // Precondition: the process has nothing but what it started with.
  Lockstep(WindowsProcess* wine, uint64_t seed)
      : wine_(*wine), first_(wine_.Regions()), model_(Taken(first_)), source_(seed, &model_) {}
  ~Lockstep() { wine_.ReleaseAll(); }

  // False after a difference that no row explains.
  bool Step(int number) {
    const WindowsRequest request = source_.Next();
    remembered_.push_back(Text(request));
    if (remembered_.size() > 12) remembered_.pop_front();
    if (!Agree(request)) return false;
    WindowsRequest query;
    query.addr = request.addr;
    if (!Agree(query)) return false;
    if (number % kLayoutEvery != 0) return true;
    model_.CheckInvariants();
    const std::vector<RegionInfo> regions = Ours(wine_.Regions());
    if (regions == ModelRegions()) return true;
    if (HasModifiers()) return true;  // explained row by row, above
    ADD_FAILURE() << "the regions differ: Wine has " << regions.size() << ", the model "
                  << ModelRegions().size() << Story();
    return false;
  }

  const std::map<const KnownDifference*, int>& explained() const { return explained_; }
  int placed() const { return placed_; }
  int calls() const { return calls_; }

 private:
  WindowsAnswer CallModel(const WindowsRequest& r) {
    WindowsAnswer answer;
    const auto note = [&answer](const auto& result) {
      answer.error = result.ok() ? 0 : static_cast<uint32_t>(result.refusal().os_error);
    };
    switch (r.call) {
      case WindowsRequest::kAlloc: {
        const OsResult<Addr> got = model_.VirtualAlloc(Addr(r.addr), r.bytes, r.type, r.protection);
        if (got.ok()) answer.value = got.value().value();
        note(got);
        break;
      }
      case WindowsRequest::kFree:
        note(model_.VirtualFree(Addr(r.addr), r.bytes, r.type));
        break;
      case WindowsRequest::kProtect: {
        uint32_t old = 0;
        note(model_.VirtualProtect(Addr(r.addr), r.bytes, r.protection, &old));
        answer.value = old;
        break;
      }
      case WindowsRequest::kQuery: {
        const OsResult<RegionInfo> got = model_.VirtualQuery(Addr(r.addr));
        if (got.ok()) answer.region = got.value();
        note(got);
        break;
      }
      case WindowsRequest::kRead:
      case WindowsRequest::kWrite:
        answer.value = model_.Touch(Addr(r.addr), r.call == WindowsRequest::kWrite);
        break;
    }
    return answer;
  }

  bool Agree(const WindowsRequest& request) {
    ++calls_;
    const WindowsAnswer windows = CallModel(request), wine = wine_.Call(request);
    if (windows == wine) {
      if (request.call == WindowsRequest::kAlloc && request.addr == 0 && windows.error == 0) ++placed_;
      return true;
    }
    for (const KnownDifference& difference : KnownDifferences()) {
      if (!difference.explains(request, windows, wine)) continue;
      ++explained_[&difference];
      const bool same_outcome = (windows.error == 0) == (wine.error == 0) && windows.value == wine.value;
      if (!same_outcome || windows.region.protection != wine.region.protection) StartOver();
      return true;
    }
    ADD_FAILURE() << Text(request) << "\nWindows (model): " << Text(windows) << "\nWine: " << Text(wine)
                  << Story();
    return false;
  }

  // Both sides lose what the test reserved: they differ from here on.
  void StartOver() {
    wine_.ReleaseAll();
    for (Addr base : Bases()) REHEAP_CHECK(model_.VirtualFree(base, 0, kMemRelease).ok());
  }

  std::vector<Addr> Bases() const {
    std::vector<Addr> bases;
    const AddressSpace& space = model_.space();
    for (auto id = space.First(); id != AddressSpace::kNone; id = space.Next(id)) {
      const Mapping& m = space.mapping(id);
      const bool ours = m.traits.kind == MappingKind::kAnonymous || m.traits.kind == MappingKind::kWindow;
      if (ours && m.start.value() == m.traits.origin) bases.push_back(m.start);
    }
    return bases;
  }

  bool IsFirst(const RegionInfo& region) const {
    return std::any_of(first_.begin(), first_.end(),
                       [&](const RegionInfo& r) { return r.allocation_base == region.allocation_base; });
  }
  // What the test reserved; reserved pieces of one allocation joined (see known_differences.h).
  std::vector<RegionInfo> Ours(const std::vector<RegionInfo>& regions) const {
    std::vector<RegionInfo> ours;
    for (const RegionInfo& r : regions) {
      if (IsFirst(r)) continue;
      const bool joins = !ours.empty() && r.state == kMemReserve && ours.back().state == kMemReserve &&
                         ours.back().allocation_base == r.allocation_base;
      if (joins) {
        ours.back().region_bytes += r.region_bytes;
      } else {
        ours.push_back(r);
      }
    }
    return ours;
  }
  std::vector<RegionInfo> ModelRegions() const {
    std::vector<RegionInfo> regions;
    const AddressSpace& space = model_.space();
    for (auto id = space.First(); id != AddressSpace::kNone; id = space.Next(id)) {
      const Mapping& m = space.mapping(id);
      if (m.traits.kind == MappingKind::kAnonymous) regions.push_back(model_.VirtualQuery(m.start).value());
    }
    return regions;
  }
  bool HasModifiers() const {
    const std::vector<RegionInfo> regions = ModelRegions();
    return std::any_of(regions.begin(), regions.end(), [](const RegionInfo& r) {
      return ((r.protection | r.allocation_protection) & (kPageNoCache | kPageWriteCombine)) != 0;
    });
  }
  std::string Story() const {
    std::string text = "\nbefore it:\n";
    for (const std::string& line : remembered_) text += "  " + line + "\n";
    return text;
  }

  WindowsProcess& wine_;
  const std::vector<RegionInfo> first_;
  VirtualOs model_;
  WindowsRequestSource source_;
  std::deque<std::string> remembered_;
  std::map<const KnownDifference*, int> explained_;
  int calls_ = 0;
  int placed_ = 0;  // without an address, and at the same place in both
};

TEST(WineLockstepTest, EveryAnswerAgreesOrIsAKnownDifference) {
  if (const std::string why = WhyNoWine(); !why.empty()) GTEST_SKIP() << "nothing was compared: " << why;
  std::vector<uint64_t> seeds = {1, 2, 3, std::random_device()()};
  if (const char* seed = std::getenv("REHEAP_SEED")) seeds = {std::strtoull(seed, nullptr, 10)};
  std::map<const KnownDifference*, int> explained;
  WindowsProcess wine(kExecutor);
  for (const uint64_t seed : seeds) {
    SCOPED_TRACE("REHEAP_SEED=" + std::to_string(seed));
    Lockstep lockstep(&wine, seed);
    for (int i = 1; i <= kOperations; ++i) {
      if (!lockstep.Step(i)) break;
    }
    for (const auto& [difference, count] : lockstep.explained()) explained[difference] += count;
    std::printf("seed %llu: %d calls, %d of them placed by the system, at the same address in both\n",
                static_cast<unsigned long long>(seed), lockstep.calls(), lockstep.placed());
  }
  for (const KnownDifference& difference : KnownDifferences()) {
    std::printf("%6d x %s\n", explained[&difference], difference.what);
    EXPECT_GT(explained[&difference], 0) << "explained nothing: " << difference.what;
  }
}

}  // namespace
}  // namespace reheap
