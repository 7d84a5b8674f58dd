#include "sim/os/shell_answer.h"

#include <charconv>
#include <string_view>
#include <utility>

namespace reheap {
namespace {

void AppendNumber(uint64_t number, int base, std::string* text) {
  char digits[20];
  text->append(digits, std::to_chars(digits, digits + sizeof(digits), number, base).ptr);
}

void AppendName(std::string_view name, std::string* text) {
  for (const char c : name) {
    if (c > ' ' && c != ',' && c != '\\' && c != 127) {
      *text += c;
      continue;
    }
    const unsigned byte = static_cast<unsigned char>(c);
    if (byte >= 128) {  // a letter of UTF-8
      *text += c;
      continue;
    }
    *text += '\\';
    for (const unsigned shift : {6u, 3u, 0u}) *text += static_cast<char>('0' + (byte >> shift & 7));
  }
}

void AppendMapping(const VirtualOs& os, const Mapping& m, std::string* text) {
  AppendNumber(m.start.value(), 16, text);
  *text += '-';
  AppendNumber(m.end.value(), 16, text);
  const char perms[] = {' ', m.traits.read ? 'r' : '-', m.traits.write ? 'w' : '-',
                        m.traits.execute ? 'x' : '-', m.traits.shared ? 's' : 'p'};
  text->append(perms, sizeof(perms));
  const std::string_view name = os.LabelOf(m);
  if (name.empty()) return;
  *text += ' ';
  AppendName(name, text);
}

void AppendKilobytes(std::string_view name, uint64_t bytes, std::string* text) {
  *text += name;
  *text += ": ";
  AppendNumber(bytes / kKiB, 10, text);
  *text += " kB\n";
}

}  // namespace

void AppendLayout(const VirtualOs& os, std::string* text) {
  const AddressSpace& space = os.space();
  for (auto id = space.First(); id != AddressSpace::kNone; id = space.Next(id)) {
    if (id != space.First()) *text += ',';
    AppendMapping(os, space.mapping(id), text);
  }
}

void AppendAnswer(VirtualOs& os, const ShellResult& result, std::string* text) {
  const uint64_t page = os.os_page_bytes();
  const uint64_t all_ones = os.platform().machine.word_bits == 32 ? 0xffffffff : ~uint64_t{0};
  *text += "R ";
  AppendNumber(result.failed ? all_ones : result.value & all_ones, 16, text);
  *text += ' ';
  AppendNumber(static_cast<uint64_t>(result.error), 10, text);
  const OsUsage usage = os.Usage();
  *text += " ; S ";
  AppendNumber(usage.vsize_bytes / page, 10, text);
  *text += ' ';
  AppendNumber(usage.rss_anonymous_bytes / page, 10, text);
  *text += ' ';
  const MappingTotals& totals = os.space().totals();
  // mm->data_vm + mm->stack_vm (task_statm, fs/proc/task_mmu.c, linux 6.12).
  AppendNumber((totals.data_bytes + totals.stack_bytes) / page, 10, text);
  *text += " ; M ";
  AppendLayout(os, text);
  *text += '\n';
}

void AppendStatus(VirtualOs& os, std::string* text) {
  const ProcessStatus status = os.Status();
  const std::pair<const char*, uint64_t> lines[] = {
      {"VmPeak", status.peak_vsize_bytes},
      {"VmSize", status.vsize_bytes},
      {"VmLck", status.locked_bytes},
      {"VmHWM", status.peak_rss_bytes},
      {"VmRSS", status.rss_anonymous_bytes + status.rss_file_bytes + status.rss_shared_bytes},
      {"RssAnon", status.rss_anonymous_bytes},
      {"RssFile", status.rss_file_bytes},
      {"RssShmem", status.rss_shared_bytes},
      {"VmData", status.data_bytes},
      {"VmStk", status.stack_bytes},
      {"VmExe", status.executable_bytes},
      {"VmPTE", status.page_table_bytes},
      {"Committed", status.commit_bytes}};
  for (const auto& [name, bytes] : lines) AppendKilobytes(name, bytes, text);
}

}  // namespace reheap
