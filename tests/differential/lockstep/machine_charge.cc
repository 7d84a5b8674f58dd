#include "tests/differential/lockstep/machine_charge.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "alloc/check.h"
#include "sim/os/maps_text.h"

namespace reheap {
namespace {

// Into a buffer that is there already: nothing may be mapped between one file and the next.
std::string_view Contents(const char* path, char* buffer, size_t bytes) {
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  size_t used = 0;
  for (ssize_t got = 1; file >= 0 && got > 0 && used < bytes; used += static_cast<size_t>(std::max<ssize_t>(got, 0))) {
    got = read(file, buffer + used, bytes - used);
  }
  if (file >= 0) close(file);
  return {buffer, used};
}

uint64_t Kilobytes(std::string_view text, std::string_view key) {
  const size_t at = text.find(key);
  REHEAP_CHECK(at != std::string_view::npos);
  text.remove_prefix(text.find_first_of("0123456789", at));
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

char smaps_buffer[1 << 20], meminfo_buffer[1 << 14];

}  // namespace

uint64_t CommittedByOthers() {
  const std::string_view smaps = Contents("/proc/self/smaps", smaps_buffer, sizeof(smaps_buffer));
  const std::string_view meminfo = Contents("/proc/meminfo", meminfo_buffer, sizeof(meminfo_buffer));
  const uint64_t all = Kilobytes(meminfo, "Committed_AS:") * kKiB;
  const auto mappings = ParseMaps(smaps, "/proc/self/smaps");
  REHEAP_CHECK(mappings.ok());
  uint64_t own = 0;
  for (const ImageMapping& m : *mappings) own += m.charged ? m.end - m.start : 0;
  return all - own;
}

}  // namespace reheap
