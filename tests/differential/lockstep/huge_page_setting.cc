#include "tests/differential/lockstep/huge_page_setting.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"

namespace reheap {
namespace {

constexpr char kFolder[] = "/sys/kernel/mm/transparent_hugepage";

std::string Contents(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// Of "always [madvise] never".
std::string Chosen(const std::string& path) {
  const std::string text = Contents(path);
  const size_t open = text.find('['), close = text.find(']');
  return open < close && close != std::string::npos ? text.substr(open + 1, close - open - 1) : "";
}

}  // namespace

absl::StatusOr<HugePageMode> ReadHugePageMode() {
  const std::string mode = Chosen(absl::StrCat(kFolder, "/enabled"));
  const std::string size = absl::StrCat("hugepages-", 2 * kMiB / kKiB, "kB");
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder, error)) {
    const std::string name = entry.path().filename();
    if (name.rfind("hugepages-", 0) != 0) continue;
    const std::string chosen = Chosen(entry.path() / "enabled");
    if (chosen.empty()) continue;  // of shared memory only
    if (name == size ? chosen != "inherit" && chosen != mode : chosen != "never") {
      return absl::UnavailableError(absl::StrCat(name, " is ", chosen, ": not modelled"));
    }
  }
  if (mode == "never") return HugePageMode::kNever;
  if (mode == "madvise") return HugePageMode::kMadvise;
  if (mode == "always") return HugePageMode::kAlways;
  return absl::UnavailableError(absl::StrCat(kFolder, "/enabled: no mode"));
}

uint64_t HugePageMeddling() {
  uint64_t sum = 0, value = 0;
  std::istringstream collapsed(Contents(absl::StrCat(kFolder, "/khugepaged/pages_collapsed")));
  if (collapsed >> value) sum += value;
  std::istringstream counters(Contents("/proc/vmstat"));
  for (std::string name; counters >> name >> value;) {
    if (name == "thp_fault_fallback" || name == "thp_zero_page_alloc_failed" || name == "thp_underused_split_page") {
      sum += value;
    }
  }
  return sum;
}

}  // namespace reheap
