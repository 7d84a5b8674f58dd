#include "sim/os/maps_text.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <utility>

#include "absl/status/status.h"

namespace reheap {
namespace {

// Takes the next word off `line`.
std::string_view NextWord(std::string_view& line) {
  const size_t begin = std::min(line.find_first_not_of(" \t\r"), line.size());
  const size_t end = std::min(line.find_first_of(" \t\r", begin), line.size());
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

std::string_view Stripped(std::string_view text) {
  const size_t begin = std::min(text.find_first_not_of(" \t\r"), text.size());
  const size_t end = text.find_last_not_of(" \t\r");
  return end == std::string_view::npos ? std::string_view() : text.substr(begin, end + 1 - begin);
}

bool ParseNumber(std::string_view text, int base, uint64_t* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value, base);
  return error == std::errc() && end == text.data() + text.size();
}

constexpr char kPermsExpected[] = "permissions such as rw-p after the addresses";
// Of every linux that prints such lines for the platforms modelled here (x86).
constexpr uint64_t kMapsPageBytes = 4096;
// Where the kernel's half begins: no process has mappings there, but for [vsyscall].
constexpr uint64_t kKernelStart = uint64_t{1} << 63;

bool ArePerms(std::string_view perms) {
  return perms.size() == 4 && (perms[0] == 'r' || perms[0] == '-') && (perms[1] == 'w' || perms[1] == '-') &&
         (perms[2] == 'x' || perms[2] == '-') && (perms[3] == 'p' || perms[3] == 's');
}

// What was expected when the line is not a mapping; empty when it is.
std::string ParseLine(std::string_view line, ImageMapping* mapping) {
  const std::string_view range = NextWord(line);
  const size_t dash = std::min(range.find('-'), range.size());
  uint64_t start = 0, end = 0;
  if (!ParseNumber(range.substr(0, dash), 16, &start) || dash == range.size() ||
      !ParseNumber(range.substr(dash + 1), 16, &end)) {
    return "start-end in hexadecimal";
  }
  mapping->start = Addr(start);
  mapping->end = Addr(end);
  mapping->perms = std::string(NextWord(line));
  if (!ArePerms(mapping->perms)) return kPermsExpected;
  if (!ParseNumber(NextWord(line), 16, &mapping->offset)) return "a hexadecimal offset after the permissions";
  mapping->device = std::string(NextWord(line));
  if (mapping->device.find(':') == std::string::npos) return "a device such as fe:00 after the offset";
  if (!ParseNumber(NextWord(line), 10, &mapping->inode)) return "an inode number after the device";
  mapping->name = std::string(Stripped(line));
  return "";
}

bool IsDetail(std::string_view line) {
  const std::string_view key = NextWord(line);
  return !key.empty() && key.back() == ':';
}

// "Key: value" of smaps: what was expected when it makes no sense; empty when it does.
std::string ParseDetail(std::string_view line, ImageMapping* mapping) {
  const std::string_view key = NextWord(line);
  mapping->has_details = true;
  if (key == "Rss:" || key == "Anonymous:") {
    uint64_t kilobytes = 0;
    if (!ParseNumber(NextWord(line), 10, &kilobytes) || kilobytes > (mapping->end - mapping->start) / kKiB) {
      return "kilobytes, no more than the mapping has";
    }
    (key == "Rss:" ? mapping->resident_bytes : mapping->anonymous_bytes) = kilobytes * kKiB;
  } else if (key == "VmFlags:") {
    for (std::string_view flag = NextWord(line); !flag.empty(); flag = NextWord(line)) {
      if (flag == "ac") mapping->charged = true;
      if (flag == "nr") mapping->no_reserve = true;
    }
  }
  return "";
}

}  // namespace

bool IsFile(const ImageMapping& m) { return m.inode != 0 || (!m.name.empty() && m.name[0] != '['); }

absl::StatusOr<std::vector<ImageMapping>> ParseMaps(std::string_view text, std::string_view source) {
  std::vector<ImageMapping> mappings;
  int number = 0;
  Addr end;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    ++number;
    if (Stripped(line).empty()) continue;
    const bool is_detail = !mappings.empty() && IsDetail(line);
    ImageMapping mapping;
    std::string expected = is_detail ? ParseDetail(line, &mappings.back()) : ParseLine(line, &mapping);
    const bool is_vsyscall = mapping.name == "[vsyscall]";
    if (expected.empty() && !is_detail && !is_vsyscall) expected = MappingFault(mapping, end);
    if (!expected.empty()) {
      return absl::InvalidArgumentError(std::string(source) + ":" + std::to_string(number) + ": expected " +
                                        expected + ", found \"" + std::string(line) + "\"");
    }
    if (is_detail) continue;
    if (!is_vsyscall) end = mapping.end;
    mappings.push_back(std::move(mapping));
  }
  // In the kernel's half; its details, if any, were its own.
  std::erase_if(mappings, [](const ImageMapping& mapping) { return mapping.name == "[vsyscall]"; });
  return mappings;
}

std::string MappingFault(const ImageMapping& mapping, Addr previous_end) {
  if (mapping.start >= mapping.end) return "start below end";
  if (mapping.start.value() % kMapsPageBytes != 0 || mapping.end.value() % kMapsPageBytes != 0) {
    return "whole pages of 4096 bytes";
  }
  if (mapping.end.value() > kKernelStart) return "addresses below 2^63";
  if (mapping.start < previous_end) return "addresses in rising order without overlap";
  return ArePerms(mapping.perms) ? "" : kPermsExpected;
}

std::string FormatMapsLine(const ImageMapping& mapping) {
  char text[128];
  const int size = std::snprintf(text, sizeof(text), "%08llx-%08llx %s %08llx %s %llu ",
                                 static_cast<unsigned long long>(mapping.start.value()),
                                 static_cast<unsigned long long>(mapping.end.value()), mapping.perms.c_str(),
                                 static_cast<unsigned long long>(mapping.offset), mapping.device.c_str(),
                                 static_cast<unsigned long long>(mapping.inode));
  std::string line(text, static_cast<size_t>(std::clamp(size, 0, static_cast<int>(sizeof(text)) - 1)));
  // A name begins in column 73 (25 + 6 * sizeof(void*) on 64-bit: fs/proc/task_mmu.c, linux 6.12).
  if (mapping.name.empty()) return line;
  if (line.size() < 73) line.resize(73, ' ');
  return line + mapping.name;
}

}  // namespace reheap
