#include "traces/process_facts.h"

#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <vector>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "traces/recorder/spool.h"

namespace reheap {
namespace {

constexpr uint64_t kEpochNs = 1'000'000;  // the collector's tick

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

template <typename Integer>
Integer ReadInteger(const std::string& path) {
  Integer value = 0;
  return absl::SimpleAtoi(absl::StripAsciiWhitespace(ReadText(path)), &value) ? value : Integer{0};
}

// "always [madvise] never" -> "madvise"
std::string ReadThpMode() {
  const std::string text = ReadText("/sys/kernel/mm/transparent_hugepage/enabled");
  const size_t open = text.find('[');
  const size_t close = text.find(']');
  return open == std::string::npos || close == std::string::npos ? "" : text.substr(open + 1, close - open - 1);
}

proto::Host DescribeHost() {
  proto::Host host;
  utsname name;
  if (uname(&name) == 0) {
    host.set_kernel(name.release);
    host.set_machine(name.machine);
  }
  host.set_os_page_bytes(static_cast<uint64_t>(sysconf(_SC_PAGESIZE)));
  struct sysinfo info;
  if (sysinfo(&info) == 0) {
    host.set_ram_bytes(uint64_t{info.totalram} * info.mem_unit);
    host.set_swap_bytes(uint64_t{info.totalswap} * info.mem_unit);
  }
  host.set_overcommit_mode(ReadInteger<int32_t>("/proc/sys/vm/overcommit_memory"));
  host.set_thp_mode(ReadThpMode());
  host.set_max_map_count(ReadInteger<uint64_t>("/proc/sys/vm/max_map_count"));
  return host;
}

void AddMappings(const SpoolReader& spool, proto::TraceHeader* header) {
  for (const absl::string_view line : absl::StrSplit(spool.maps(), '\n', absl::SkipEmpty())) {
    std::optional<proto::Mapping> mapping = ParseMapsLine(line);
    if (!mapping.has_value() || mapping->name() == "[vsyscall]") continue;
    // The recorder's own: the process would not have them without it.
    if (mapping->name() == spool.path() || absl::StrContains(mapping->name(), "libreheap_recorder.so")) continue;
    *header->add_mappings() = *std::move(mapping);
  }
}

}  // namespace

std::optional<proto::Mapping> ParseMapsLine(absl::string_view line) {
  // start-end perms offset dev inode   name
  const std::vector<absl::string_view> fields = absl::StrSplit(line, absl::MaxSplits(' ', 5));
  if (fields.size() < 5) return std::nullopt;
  const std::vector<absl::string_view> range = absl::StrSplit(fields[0], '-');
  proto::Mapping mapping;
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t offset = 0;
  if (range.size() != 2 || !absl::SimpleHexAtoi(range[0], &start) || !absl::SimpleHexAtoi(range[1], &end) ||
      !absl::SimpleHexAtoi(fields[2], &offset)) {
    return std::nullopt;
  }
  mapping.set_start(start);
  mapping.set_end(end);
  mapping.set_permissions(std::string(fields[1]));
  mapping.set_offset(offset);
  if (fields.size() == 6) mapping.set_name(std::string(absl::StripAsciiWhitespace(fields[5])));
  return mapping;
}

proto::TraceHeader DescribeProcess(const SpoolReader& spool) {
  const spool::ControlPage& control = spool.control();
  proto::TraceHeader header;
  header.set_writer("reheap record");
  header.set_time_resolution_ns(kEpochNs);
  proto::Process& process = *header.mutable_process();
  process.set_pid(control.pid);
  process.set_parent_pid(control.parent_pid);
  process.set_program(std::string(spool.program()));
  for (const absl::string_view argument : absl::StrSplit(absl::StripSuffix(spool.arguments(), absl::string_view("\0", 1)), '\0')) {
    process.add_arguments(std::string(argument));
  }
  process.set_start_time_unix_ns(control.start_time_unix_ns);
  process.set_word_bits(64);
  constexpr uint64_t kUnlimited = ~uint64_t{0};
  if (control.rlimit_as_bytes != kUnlimited) process.set_rlimit_as_bytes(control.rlimit_as_bytes);
  if (control.rlimit_data_bytes != kUnlimited) process.set_rlimit_data_bytes(control.rlimit_data_bytes);
  if (control.rlimit_stack_bytes != kUnlimited) process.set_rlimit_stack_bytes(control.rlimit_stack_bytes);
  *header.mutable_host() = DescribeHost();
  AddMappings(spool, &header);
  return header;
}

bool ProcessIsAlive(int32_t pid, uint64_t process_start_ticks) {
  const std::string directory = absl::StrCat("/proc/", pid);
  const std::string stat = ReadText(directory + "/stat");
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return false;
  // Field 3 (state) follows the name; field 22 is the start time (proc(5)).
  const std::vector<absl::string_view> fields = absl::StrSplit(absl::string_view(stat).substr(name_end + 2), ' ');
  uint64_t start_ticks = 0;
  if (fields.size() < 20 || !absl::SimpleAtoi(fields[19], &start_ticks)) return false;
  if (process_start_ticks != 0 && start_ticks != process_start_ticks) return false;
  if (fields[0] != "Z" && fields[0] != "X") return true;
  std::error_code error;
  size_t tasks = 0;
  for (std::filesystem::directory_iterator it(directory + "/task", error), end; !error && it != end;
       it.increment(error)) {
    ++tasks;
  }
  return tasks > 1;
}

double TscTickNs() {
#if defined(__x86_64__)
  static const double tick_ns = [] {
    const auto now = [] {
      timespec time;
      clock_gettime(CLOCK_MONOTONIC, &time);
      return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
    };
    // 10 ms against a reading error of about 50 ns: 5 parts in a million.
    constexpr int64_t kMeasureNs = 10'000'000;
    const int64_t start_ns = now();
    const uint64_t start_ticks = __rdtsc();
    const timespec pause = {0, kMeasureNs};
    nanosleep(&pause, nullptr);
    const int64_t end_ns = now();
    const uint64_t end_ticks = __rdtsc();
    return static_cast<double>(end_ns - start_ns) / static_cast<double>(end_ticks - start_ticks);
  }();
  return tick_ns;
#else
  return 0;
#endif
}

}  // namespace reheap
