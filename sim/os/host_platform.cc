#include "sim/os/host_platform.h"

#include <sys/mman.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "sim/os/platform_catalog.h"

namespace reheap {
namespace {

// What uname calls a machine, seen by a program of so many bits.
struct MachineName {
  const char* machine;
  int word_bits;
  uint64_t os_page_bytes;
  bool wide_hints;
  const char* platform;
};
constexpr MachineName kMachines[] = {
    {"x86_64", 64, 4096, false, "linux-amd64"},
    {"x86_64", 64, 4096, true, "linux-amd64-5level"},
    {"x86_64", 32, 4096, false, "linux-386"},
    {"i686", 32, 4096, false, "linux-386-native"},
    {"aarch64", 64, 4096, false, "linux-arm64"},
    {"aarch64", 64, 16384, false, "linux-arm64-16k"},
    {"aarch64", 64, 65536, false, "linux-arm64-64k"},
    {"aarch64", 64, 4096, true, "linux-arm64-52bit"},
    {"aarch64", 64, 16384, true, "linux-arm64-52bit-16k"},
    {"aarch64", 64, 65536, true, "linux-arm64-52bit-64k"},
};

bool HasGuards(const Platform& p) {
  return std::any_of(p.advice.begin(), p.advice.end(),
                     [](const AdviceWord& word) { return word.meaning == AdviceMeaning::kInstallGuard; });
}

bool Agrees(const Platform& p, const HostSwitches& s) {
  const uint64_t huge = p.placement.huge_alignment_for_files_only ? 0 : p.placement.huge_alignment_bytes;
  return huge == s.huge_alignment_bytes &&
         p.limits.protect_uncharges_unwritten == s.protect_uncharges_unwritten &&
         p.mappings.written_joins_unwritten == s.written_joins_unwritten &&
         p.mappings.new_joins_next_first == s.new_joins_next_first &&
         (p.mappings.replace == ReplaceOrder::kRemoveThenCheck) == s.replace_checks_first &&
         (!p.machine.remap || (p.machine.remap->beside_source == s.beside_source &&
                               (p.machine.remap->order == RemapOrder::kLooksFirst) == s.remap_looks_first)) &&
         HasGuards(p) == s.has_guards;
}

// "6.12.107+deb12" -> {6, 12}; {0, 0} for anything else.
std::pair<int, int> Version(const std::string& text) {
  int major = 0, minor = 0;
  if (std::sscanf(text.c_str(), "%d.%d", &major, &minor) != 2) return {0, 0};
  return {major, minor};
}

// The hint of a page above 2^47, 2^48 where that is the window's end, is followed.
bool FollowsWideHints() {
  if constexpr (sizeof(void*) == 4) return false;
  constexpr uint64_t kHint = uint64_t{1} << 49;
  void* const got = mmap(reinterpret_cast<void*>(kHint), 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (got == MAP_FAILED) return false;
  munmap(got, 1);
  return reinterpret_cast<uint64_t>(got) == kHint;
}

}  // namespace

absl::StatusOr<HostPlatform> RecogniseKernel(const HostSwitches& switches, const std::string& machine,
                                             const std::string& version, int word_bits, bool wide_hints) {
  const MachineName* found = nullptr;
  for (const MachineName& m : kMachines) {
    if (machine == m.machine && word_bits == m.word_bits && switches.os_page_bytes == m.os_page_bytes &&
        wide_hints == m.wide_hints) {
      found = &m;
    }
  }
  if (found == nullptr) {
    return absl::UnimplementedError(absl::StrCat("no platform describes ", word_bits, "-bit programs on ",
                                                 machine, " with OS pages of ", switches.os_page_bytes,
                                                 " bytes"));
  }
  // Newest first: the first that is not newer than the kernel, preferably one whose rules agree.
  const std::pair<int, int> running = Version(version);
  HostPlatform nearest;
  for (const std::string& release : Platforms().ReleasesOf(found->platform)) {
    const std::string name = absl::StrCat(found->platform, "@", release);
    const bool agrees = Agrees(*Platforms().Find(name), switches);
    const bool not_newer = Version(release) <= running;
    if (agrees && not_newer) return HostPlatform{name, true};
    // A kernel older than all of them is nearest to the oldest.
    if (nearest.name.empty() || Version(nearest.name.substr(nearest.name.find('@') + 1)) > running ||
        (agrees && !nearest.rules_agree)) {
      nearest = {name, agrees};
    }
  }
  return nearest;
}

absl::StatusOr<HostPlatform> RecogniseHost(const HostSwitches& switches) {
  utsname names;
  if (uname(&names) != 0) return absl::UnavailableError("uname: cannot learn which kernel this is");
  return RecogniseKernel(switches, names.machine, names.release, static_cast<int>(sizeof(void*) * 8),
                         FollowsWideHints());
}

}  // namespace reheap
