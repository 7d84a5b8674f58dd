#include "tests/differential/lockstep/switch_probe.h"

#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <utility>
#include <vector>

#include "sim/os/maps_text.h"
#include "tests/differential/lockstep/executor_process.h"

namespace reheap {
namespace {

constexpr uint64_t kOsPage = 4096;

uint64_t ReadNumber(const char* path, uint64_t otherwise) {
  std::ifstream in(path);
  uint64_t value = otherwise;
  in >> value;
  return in ? value : otherwise;
}

// The calls of the questions.
class Asker {
 public:
  explicit Asker(std::unique_ptr<ExecutorProcess> process) : process_(std::move(process)) {}
  const absl::Status& status() const { return status_; }

  uint64_t Ask(OperationKind kind, uint64_t a, uint64_t b, uint64_t c = 0, uint64_t d = 0) {
    const Operation operation{kind, 0, {a, b, c, d, ~uint64_t{0}, 0}};
    Answer answer;
    status_.Update(process_->Carry({&operation, 1}, 0, {&answer, 1}));
    return answer.error == 0 ? answer.value : 0;
  }
  uint64_t Map(uint64_t hint, uint64_t bytes, uint64_t protection) {
    return Ask(OperationKind::kMmap, hint, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS);
  }
  void Unmap(uint64_t at, uint64_t bytes) { Ask(OperationKind::kMunmap, at, bytes); }
  void Protect(uint64_t at, uint64_t bytes, uint64_t protection) {
    Ask(OperationKind::kMprotect, at, bytes, protection);
  }
  void Write(uint64_t at) { Ask(OperationKind::kTouch, at, 1, kOsPage, 1); }
  std::vector<ImageMapping> Mappings() {
    auto mappings = ParseMaps(process_->MapsText(), "maps");
    status_.Update(mappings.status());
    return mappings.ok() ? *std::move(mappings) : std::vector<ImageMapping>();
  }

 private:
  std::unique_ptr<ExecutorProcess> process_;
  absl::Status status_;
};

// A page without hint goes to the gap that is nearest to where the search begins, so everything between the
// two is mapped.
Addr ProbeBase(Asker& ask, bool upward) {
  const Addr at(ask.Map(0, kOsPage, PROT_NONE));
  std::vector<ImageMapping> mappings = ask.Mappings();
  ask.Unmap(at.value(), kOsPage);
  Addr base = upward ? at : at + kOsPage;
  if (upward) std::reverse(mappings.begin(), mappings.end());
  for (const ImageMapping& m : mappings) {
    if (upward && m.end == base) base = m.start;
    if (!upward && m.start <= base && m.end > base) base = m.end;
  }
  return base;
}

// Two maps of one huge page are both aligned although an odd size lies between them (linux >= 6.7).
uint64_t ProbeHugeAlignment(Asker& ask) {
  constexpr uint64_t kHuge = 2 * kMiB;
  const uint64_t first = ask.Map(0, kHuge, PROT_NONE);
  const uint64_t between = ask.Map(0, kHuge + kOsPage, PROT_NONE);
  const uint64_t second = ask.Map(0, kHuge, PROT_NONE);
  ask.Unmap(first, kHuge);
  ask.Unmap(between, kHuge + kOsPage);
  ask.Unmap(second, kHuge);
  return first != 0 && second != 0 && first % kHuge == 0 && second % kHuge == 0 ? kHuge : 0;
}

uint64_t ProbeHintFloor(Asker& ask) {
  const uint64_t at = ask.Map(kOsPage, kOsPage, PROT_NONE);
  ask.Unmap(at, kOsPage);
  // Anything higher is not a raised hint but another place.
  return at != 0 && at <= kMiB ? at : ReadNumber("/proc/sys/vm/mmap_min_addr", 65536);
}

// How many mappings `change` leaves of two OS pages, which have free neighbours.
template <class Change>
int64_t MappingsAfter(Asker& ask, uint64_t protection, Change change) {
  const uint64_t whole = ask.Map(0, 4 * kOsPage, PROT_NONE);
  ask.Unmap(whole, 4 * kOsPage);
  const uint64_t at = ask.Map(whole + kOsPage, 2 * kOsPage, protection);
  change(at);
  const std::vector<ImageMapping> mappings = ask.Mappings();
  ask.Unmap(at, 2 * kOsPage);
  return std::count_if(mappings.begin(), mappings.end(), [at](const ImageMapping& m) {
    return m.start.value() < at + 2 * kOsPage && m.end.value() > at;
  });
}

}  // namespace

absl::StatusOr<HostSwitches> ProbeSwitches(const ProcessKind& kind) {
  auto process = ExecutorProcess::Start(kind, false);
  if (!process.ok()) return process.status();
  Asker ask(*std::move(process));
  HostSwitches host;
  host.os_page_bytes = kOsPage;
  host.placement_base = ProbeBase(ask, (kind.personality & ADDR_COMPAT_LAYOUT) != 0);
  host.huge_alignment_bytes = ProbeHugeAlignment(ask);
  host.hint_floor_bytes = ProbeHintFloor(ask);
  host.protect_uncharges_unwritten = MappingsAfter(ask, PROT_NONE, [&ask](uint64_t at) {
                                       ask.Protect(at, kOsPage, PROT_READ | PROT_WRITE);
                                       ask.Protect(at, kOsPage, PROT_NONE);
                                     }) == 1;
  host.written_joins_unwritten = MappingsAfter(ask, PROT_READ | PROT_WRITE, [&ask](uint64_t at) {
                                   ask.Protect(at + kOsPage, kOsPage, PROT_WRITE);
                                   ask.Write(at);
                                   ask.Protect(at, kOsPage, PROT_WRITE);
                                 }) == 1;
  struct sysinfo info = {};
  if (sysinfo(&info) != 0) return absl::UnavailableError("sysinfo: cannot learn the size of RAM");
  host.ram_bytes = uint64_t{info.totalram} * info.mem_unit;
  host.swap_bytes = uint64_t{info.totalswap} * info.mem_unit;
  host.max_mappings = ReadNumber("/proc/sys/vm/max_map_count", 65530);
  host.overcommit =
      static_cast<OvercommitMode>(std::min<uint64_t>(2, ReadNumber("/proc/sys/vm/overcommit_memory", 0)));
  host.overcommit_ratio = static_cast<uint32_t>(ReadNumber("/proc/sys/vm/overcommit_ratio", 50));
  if (!ask.status().ok()) return ask.status();
  return host;
}

}  // namespace reheap
