#include "sim/os/shell_answer.h"

#include <charconv>
#include <string_view>

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
  const OsUsage usage = os.Usage();
  AppendKilobytes("VmSize", usage.vsize_bytes, text);
  AppendKilobytes("VmRSS", usage.rss_anonymous_bytes, text);
  AppendKilobytes("RssAnon", usage.rss_anonymous_bytes, text);
  AppendKilobytes("VmData", os.space().totals().data_bytes, text);
  AppendKilobytes("VmStk", os.space().totals().stack_bytes, text);
  AppendKilobytes("Committed", usage.commit_bytes, text);
}

}  // namespace reheap
