#include "sim/os/host_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>
#include <string_view>

#include "absl/status/status.h"

namespace reheap {
namespace {

// /proc/self/maps of a process with some thousand mappings. Static: the probe must not change what it looks
// at.
char buffer[512 * 1024];

constexpr int kCapSysAdmin = 21;  // linux/capability.h

// The contents of `path`, empty when it cannot be read whole.
std::string_view ReadFile(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  size_t size = 0;
  for (ssize_t n = 1; n > 0 && size < sizeof(buffer); size += static_cast<size_t>(std::max<ssize_t>(n, 0))) {
    n = read(fd, buffer + size, sizeof(buffer) - size);
  }
  close(fd);
  return size == sizeof(buffer) ? std::string_view() : std::string_view(buffer, size);
}

uint64_t ReadNumber(const char* path, uint64_t otherwise) {
  const std::string_view text = ReadFile(path);
  uint64_t value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The number after `label` on its own line; `base` 16 for capability sets.
uint64_t ReadLabelled(const char* path, std::string_view label, uint64_t otherwise, int base = 10) {
  const std::string_view text = ReadFile(path);
  size_t at = text.find(label);
  if (at == std::string_view::npos) return otherwise;
  at = text.find_first_not_of(" \t", at + label.size());
  uint64_t value = otherwise;
  if (at != std::string_view::npos) std::from_chars(text.data() + at, text.data() + text.size(), value, base);
  return value;
}

// Calls visit(start, end) for each mapping; false when maps cannot be read.
template <class Visit>
bool ForEachMapping(Visit visit) {
  std::string_view text = ReadFile("/proc/self/maps");
  if (text.empty()) return false;
  while (!text.empty()) {
    uint64_t start = 0, end = 0;
    const char* const last = text.data() + text.size();
    const auto dash = std::from_chars(text.data(), last, start, 16);
    std::from_chars(dash.ptr + 1, last, end, 16);
    visit(start, end);
    text.remove_prefix(std::min(text.find('\n') + 1, text.size()));
  }
  return true;
}

uint64_t Map(uint64_t hint, uint64_t bytes, int protection) {
  void* p = mmap(reinterpret_cast<void*>(hint), bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return p == MAP_FAILED ? 0 : reinterpret_cast<uint64_t>(p);
}
void Unmap(uint64_t at, uint64_t bytes) { munmap(reinterpret_cast<void*>(at), bytes); }
void Protect(uint64_t at, uint64_t bytes, int protection) {
  mprotect(reinterpret_cast<void*>(at), bytes, protection);
}

// A page without hint goes to the highest gap below mmap_base, so everything from it up to mmap_base is
// mapped.
Addr ProbeBase(uint64_t page) {
  const uint64_t at = Map(0, page, PROT_NONE);
  if (at == 0) return Addr();
  uint64_t end = at + page;
  const bool read = ForEachMapping([&](uint64_t start, uint64_t stop) {
    if (start <= end && stop > end) end = stop;
  });
  Unmap(at, page);
  return read ? Addr(end) : Addr();
}

// Two maps of one huge page are both aligned although an odd size lies between them (linux >= 6.7).
uint64_t ProbeHugeAlignment(uint64_t page) {
  constexpr uint64_t kHuge = 2 * kMiB;
  const uint64_t first = Map(0, kHuge, PROT_NONE);
  const uint64_t between = Map(0, kHuge + page, PROT_NONE);
  const uint64_t second = Map(0, kHuge, PROT_NONE);
  const bool aligned = first != 0 && second != 0 && first % kHuge == 0 && second % kHuge == 0;
  Unmap(first, kHuge);
  Unmap(between, kHuge + page);
  Unmap(second, kHuge);
  return aligned ? kHuge : 0;
}

uint64_t ProbeHintFloor(uint64_t page) {
  const uint64_t at = Map(page, page, PROT_NONE);
  if (at != 0) Unmap(at, page);
  // Anything higher is not a raised hint but another place.
  if (at != 0 && at <= kMiB) return at;
  return ReadNumber("/proc/sys/vm/mmap_min_addr", 65536);
}

// Mappings that lie in [start, start + bytes).
int CountMappings(uint64_t start, uint64_t bytes) {
  int count = 0;
  ForEachMapping([&](uint64_t from, uint64_t to) { count += from < start + bytes && to > start; });
  return count;
}

// How many mappings `change` leaves of two pages, which have free neighbours.
template <class Change>
int MappingsAfter(uint64_t page, int protection, Change change) {
  const uint64_t whole = Map(0, 4 * page, PROT_NONE);
  if (whole == 0) return 0;
  Unmap(whole, 4 * page);
  const uint64_t at = Map(whole + page, 2 * page, protection);
  change(at);
  const int count = CountMappings(at, 2 * page);
  Unmap(at, 2 * page);
  return count;
}

// Nothing more may be mapped, so a fixed mapping that needs one page more than it replaces is refused. Where the
// kernel splits first, two mappings are left of the one (linux >= 6.12).
bool ProbeReplaceChecksFirst(uint64_t page) {
  rlimit before;
  if (getrlimit(RLIMIT_AS, &before) != 0) return false;
  return MappingsAfter(page, PROT_NONE, [&before, page](uint64_t at) {
           rlimit none = before;
           none.rlim_cur = 0;
           if (setrlimit(RLIMIT_AS, &none) != 0) return;
           (void)mmap(reinterpret_cast<void*>(at + page), 2 * page, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
           setrlimit(RLIMIT_AS, &before);
         }) == 1;
}

}  // namespace

absl::StatusOr<HostSwitches> ProbeHost() {
  HostSwitches host;
  const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  host.os_page_bytes = page;
  host.placement_base = ProbeBase(page);
  if (!host.placement_base) {
    return absl::UnavailableError("/proc/self/maps: expected this process's mappings, cannot read them");
  }
  host.huge_alignment_bytes = ProbeHugeAlignment(page);
  host.hint_floor_bytes = ProbeHintFloor(page);
  // Back to no access, never written: one mapping again only where the charge was given back (linux >= 6.5 or
  // so).
  host.protect_uncharges_unwritten = MappingsAfter(page, PROT_NONE, [page](uint64_t at) {
                                       Protect(at, page, PROT_READ | PROT_WRITE);
                                       Protect(at, page, PROT_NONE);
                                     }) == 1;
  // A written page takes its unwritten neighbour's protection: one mapping only on linux 6.18.
  host.written_joins_unwritten = MappingsAfter(page, PROT_READ | PROT_WRITE, [page](uint64_t at) {
                                   Protect(at + page, page, PROT_WRITE);
                                   *reinterpret_cast<volatile char*>(at) = 1;
                                   Protect(at, page, PROT_WRITE);
                                 }) == 1;
  struct sysinfo info = {};
  if (sysinfo(&info) != 0) return absl::UnavailableError("sysinfo: cannot learn the size of RAM");
  host.ram_bytes = uint64_t{info.totalram} * info.mem_unit;
  host.swap_bytes = uint64_t{info.totalswap} * info.mem_unit;
  host.max_mappings = ReadNumber("/proc/sys/vm/max_map_count", 65530);
  host.overcommit =
      static_cast<OvercommitMode>(std::min<uint64_t>(2, ReadNumber("/proc/sys/vm/overcommit_memory", 0)));
  host.overcommit_ratio = static_cast<uint32_t>(ReadNumber("/proc/sys/vm/overcommit_ratio", 50));
  host.overcommit_kbytes = ReadNumber("/proc/sys/vm/overcommit_kbytes", 0);
  host.user_reserve_bytes = ReadNumber("/proc/sys/vm/user_reserve_kbytes", 128 * 1024) * kKiB;
  host.admin_reserve_bytes = ReadNumber("/proc/sys/vm/admin_reserve_kbytes", 8 * 1024) * kKiB;
  host.huge_pool_bytes = ReadLabelled("/proc/meminfo", "Hugetlb:", 0) * kKiB;
  host.is_privileged = (ReadLabelled("/proc/self/status", "CapEff:", 0, 16) >> kCapSysAdmin & 1) != 0;
  host.replace_checks_first = ProbeReplaceChecksFirst(page);
  return host;
}

absl::StatusOr<std::vector<ImageMapping>> ReadImage(const std::string& pid) {
  const std::string path = "/proc/" + pid + "/smaps";
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  if (!in || text.str().empty()) {
    return absl::NotFoundError(path + ": cannot read it (" + strerror(errno) + ")");
  }
  return ParseMaps(text.str(), path);
}

}  // namespace reheap
