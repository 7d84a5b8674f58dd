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
#include "sim/os/switch_probe.h"

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

// The calling process.
class Self final : public ProbedProcess {
 public:
  uint64_t Map(uint64_t hint, uint64_t bytes, int protection, bool fixed) override {
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | (fixed ? MAP_FIXED : 0);
    void* const p = mmap(reinterpret_cast<void*>(hint), bytes, protection, flags, -1, 0);
    return p == MAP_FAILED ? 0 : reinterpret_cast<uint64_t>(p);
  }
  void Unmap(uint64_t at, uint64_t bytes) override { munmap(reinterpret_cast<void*>(at), bytes); }
  void Protect(uint64_t at, uint64_t bytes, int protection) override {
    mprotect(reinterpret_cast<void*>(at), bytes, protection);
  }
  void Write(uint64_t at) override { *reinterpret_cast<volatile char*>(at) = 1; }
  int Remap(uint64_t from, uint64_t bytes, int flags, uint64_t to) override {
    void* const p = mremap(reinterpret_cast<void*>(from), bytes, bytes, flags, reinterpret_cast<void*>(to));
    return p == MAP_FAILED ? errno : 0;
  }
  int Advise(uint64_t at, uint64_t bytes, int advice) override {
    return madvise(reinterpret_cast<void*>(at), bytes, advice) == 0 ? 0 : errno;
  }
  void ForbidGrowth() override {
    getrlimit(RLIMIT_AS, &before_);
    rlimit none = before_;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_AS, &none);
  }
  void AllowGrowth() override { setrlimit(RLIMIT_AS, &before_); }
  bool VisitMappings(absl::FunctionRef<void(uint64_t, uint64_t)> visit) override {
    return ForEachMapping(visit);
  }

 private:
  rlimit before_ = {};
};

}  // namespace

absl::Status ReadMachine(HostSwitches* host) {
  struct sysinfo info = {};
  if (sysinfo(&info) != 0) return absl::UnavailableError("sysinfo: cannot learn the size of RAM");
  host->os_page_bytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  host->hint_floor_bytes = ReadNumber("/proc/sys/vm/mmap_min_addr", 65536);
  host->ram_bytes = uint64_t{info.totalram} * info.mem_unit;
  host->swap_bytes = uint64_t{info.totalswap} * info.mem_unit;
  host->max_mappings = ReadNumber("/proc/sys/vm/max_map_count", 65530);
  host->overcommit =
      static_cast<OvercommitMode>(std::min<uint64_t>(2, ReadNumber("/proc/sys/vm/overcommit_memory", 0)));
  host->overcommit_ratio = static_cast<uint32_t>(ReadNumber("/proc/sys/vm/overcommit_ratio", 50));
  host->overcommit_kbytes = ReadNumber("/proc/sys/vm/overcommit_kbytes", 0);
  host->user_reserve_bytes = ReadNumber("/proc/sys/vm/user_reserve_kbytes", 128 * 1024) * kKiB;
  host->admin_reserve_bytes = ReadNumber("/proc/sys/vm/admin_reserve_kbytes", 8 * 1024) * kKiB;
  host->huge_pool_bytes = ReadLabelled("/proc/meminfo", "Hugetlb:", 0) * kKiB;
  host->is_privileged = (ReadLabelled("/proc/self/status", "CapEff:", 0, 16) >> kCapSysAdmin & 1) != 0;
  return absl::OkStatus();
}

absl::StatusOr<HostSwitches> ProbeHost() {
  HostSwitches host;
  Self self;
  if (absl::Status read = ReadMachine(&host); !read.ok()) return read;
  if (absl::Status probed = ProbeCalls(self, false, &host); !probed.ok()) return probed;
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
