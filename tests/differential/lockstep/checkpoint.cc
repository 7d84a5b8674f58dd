#include "tests/differential/lockstep/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "alloc/check.h"
#include "sim/os/maps_text.h"

namespace reheap {
namespace {

std::vector<ImageMapping> Parsed(const std::string& text) {
  auto mappings = ParseMaps(text, "lockstep");
  REHEAP_CHECK(mappings.ok());
  return *std::move(mappings);
}

// "start-end perms" of each mapping.
std::string Layout(const std::vector<ImageMapping>& mappings) {
  std::string text;
  for (ImageMapping m : mappings) {
    m.offset = m.inode = 0;
    m.device = "00:00";
    m.name.clear();
    text += FormatMapsLine(m) + "\n";
  }
  return text;
}

uint64_t ChargedBytes(const std::vector<ImageMapping>& mappings) {
  uint64_t bytes = 0;
  for (const ImageMapping& m : mappings) bytes += m.charged ? m.end - m.start : 0;
  return bytes;
}

// What smaps can show: shared memory is charged as an object, not by its mappings.
uint64_t MappingCharge(const AddressSpace& space) {
  return space.totals().charged_bytes - space.objects().charged_bytes();
}

// The sum over all lines "KEY:   N kB".
uint64_t SumBytes(std::string_view text, std::string_view key) {
  uint64_t kilobytes = 0;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.starts_with(key) || line.substr(key.size(), 1) != ":") continue;
    line.remove_prefix(std::min(line.find_first_of("0123456789"), line.size()));
    uint64_t value = 0;
    std::from_chars(line.data(), line.data() + line.size(), value);
    kilobytes += value;
  }
  return kilobytes * kKiB;
}

// "AnonHugePages" of the mappings that may be accessed. In others smaps of linux 6.1 does not see them
// (follow_trans_huge_pmd, mm/huge_memory.c: pmd_protnone).
uint64_t HugeBytes(std::string_view smaps) {
  uint64_t bytes = 0;
  bool is_accessible = false;
  while (!smaps.empty()) {
    const std::string_view line = smaps.substr(0, smaps.find('\n'));
    smaps.remove_prefix(std::min(line.size() + 1, smaps.size()));
    const std::string_view word = line.substr(0, line.find(' '));
    if (word.find('-') != std::string_view::npos) is_accessible = line.substr(word.size(), 4) != " ---";
    if (is_accessible && word == "AnonHugePages:") bytes += SumBytes(line, "AnonHugePages");
  }
  return bytes;
}
uint64_t HugeBytes(const VirtualOs& model) {
  uint64_t bytes = 0;
  const AddressSpace& space = model.space();
  for (auto id = space.First(); id != AddressSpace::kNone; id = space.Next(id)) {
    const MappingTraits& t = space.mapping(id).traits;
    if (t.read || t.write || t.execute) bytes += model.resident().HugeAnonymousBytesIn(space.mapping(id).range());
  }
  return bytes;
}

struct Sum {
  const char* name;  // as /proc/PID/status has it
  uint64_t ProcessStatus::*modelled;
};
// Beside what each answer has. Not RssFile: what of its own files the process had at its start is not the model's to
// know. Not VmHWM: the kernel notes it by batches.
constexpr Sum kSums[] = {{"VmPTE", &ProcessStatus::page_table_bytes},
                         {"VmLck", &ProcessStatus::locked_bytes},
                         {"VmStk", &ProcessStatus::stack_bytes},
                         {"VmData", &ProcessStatus::data_bytes}};

// What status has as RssShmem. There it counts files of a tmpfs, too, and is behind by up to 64 events on linux 6.1; a
// mapping's own sum is neither.
uint64_t SharedResidentBytes(const std::vector<ImageMapping>& mappings) {
  uint64_t bytes = 0;
  for (const ImageMapping& m : mappings) {
    if (m.name == "/dev/zero (deleted)") bytes += m.resident_bytes - m.anonymous_bytes;
  }
  return bytes;
}

std::optional<ProcDifference> Compare(const char* what, uint64_t kernel_bytes, uint64_t model_bytes) {
  if (kernel_bytes == model_bytes) return std::nullopt;
  return ProcDifference{
      what, absl::StrCat("kernel ", kernel_bytes / kKiB, " kB, model ", model_bytes / kKiB, " kB")};
}

}  // namespace

std::optional<ProcDifference> CompareWithProc(const ProcTexts& proc, const VirtualOs& model) {
  const std::vector<ImageMapping> mappings = Parsed(proc.smaps);
  if (Layout(mappings) != Layout(Parsed(model.MapsText()))) return ProcDifference{"layout", ""};
  auto difference = Compare("commit charge", ChargedBytes(mappings), MappingCharge(model.space()));
  const ProcessStatus status = model.Status();
  if (!difference) {
    difference = Compare("AnonHugePages", HugeBytes(proc.smaps), HugeBytes(model));
  }
  if (!difference) difference = Compare("RssShmem", SharedResidentBytes(mappings), status.rss_shared_bytes);
  for (const Sum& sum : kSums) {
    if (!difference) difference = Compare(sum.name, SumBytes(proc.status, sum.name), status.*sum.modelled);
  }
  return difference;
}

}  // namespace reheap
