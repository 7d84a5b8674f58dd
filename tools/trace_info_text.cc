#include "tools/trace_info_text.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "sim/report/human_units.h"
#include "sim/report/text_table.h"

namespace reheap {

namespace {

void Line(std::string* text, absl::string_view name, absl::string_view value) {
  absl::StrAppendFormat(text, "  %-16s %s\n", name, value);
}

std::string LimitText(bool limited, uint64_t bytes) { return limited ? FormatBytes(bytes) : "unlimited"; }

bool IsUnknown(const TraceInfo& info, absl::string_view what) {
  return std::find(info.header.unknown().begin(), info.header.unknown().end(), what) !=
         info.header.unknown().end();
}

std::string SourceSection(const TraceInfo& info) {
  const proto::Process& process = info.header.process();
  const proto::Host& host = info.header.host();
  std::string text = "where it comes from\n";
  if (!process.program().empty()) {
    Line(&text, "program",
         absl::StrCat(process.program(), process.pid() == 0 ? "" : absl::StrCat(", pid ", process.pid())));
  }
  if (process.arguments_size() > 0) Line(&text, "arguments", absl::StrJoin(process.arguments(), " "));
  if (!host.kernel().empty()) {
    Line(&text, "host",
         absl::StrFormat("%s %s, RAM %s, swap %s, overcommit %d, THP %s", host.machine(), host.kernel(),
                         FormatBytes(host.ram_bytes()), FormatBytes(host.swap_bytes()),
                         host.overcommit_mode(), host.thp_mode().empty() ? "?" : host.thp_mode()));
    Line(&text, "limits",
         absl::StrFormat("address space %s, data %s, stack %s, %s mappings",
                         LimitText(process.has_rlimit_as_bytes(), process.rlimit_as_bytes()),
                         LimitText(process.has_rlimit_data_bytes(), process.rlimit_data_bytes()),
                         LimitText(process.has_rlimit_stack_bytes(), process.rlimit_stack_bytes()),
                         FormatCount(host.max_map_count())));
  }
  if (info.header.mappings_size() > 0) {
    uint64_t bytes = 0;
    for (const proto::Mapping& mapping : info.header.mappings()) bytes += mapping.end() - mapping.start();
    Line(&text, "at start",
         absl::StrFormat("%d mappings, %s", info.header.mappings_size(), FormatBytes(bytes)));
  }
  if (!info.header.writer().empty()) Line(&text, "written by", info.header.writer());
  if (info.header.unknown_size() > 0) Line(&text, "not known", absl::StrJoin(info.header.unknown(), ", "));
  return text;
}

std::string FileSection(const TraceInfo& info) {
  std::string text = "\nthe file\n";
  Line(&text, "size",
       absl::StrFormat("%s in %s blocks, %.2f bytes per event", FormatBytes(info.file_bytes),
                       FormatCount(info.blocks), info.bytes_per_event()));
  if (info.cut_off) {
    Line(&text, "end", "cut off: without trailer; dropped events not known");
  } else {
    Line(&text, "end", info.ended_in_order ? "in order" : "the program did not end in order");
    Line(&text, "dropped", absl::StrCat(FormatCount(info.dropped_events), " events"));
  }
  return text;
}

std::string ActivitySection(const TraceInfo& info) {
  std::string text = "\nwhat happened\n";
  Line(&text, "events", FormatCount(info.events));
  Line(&text, "threads",
       IsUnknown(info, "thread") ? "not known"
                                 : absl::StrFormat("%s, of %s known", FormatCount(info.active_threads),
                                                   FormatCount(info.threads.size())));
  Line(&text, "time span",
       info.header.time_resolution_ns() == 0
           ? "not known"
           : absl::StrCat(FormatNanoseconds(info.end_time_ns - info.start_time_ns), ", to ",
                          FormatNanoseconds(info.header.time_resolution_ns())));
  Line(&text, "asked for", absl::StrCat(FormatBytes(info.allocated_bytes), " in all"));
  Line(&text, "most alive",
       absl::StrFormat("%s (at event %s); %s objects", FormatBytes(info.peak_live_bytes),
                       FormatCount(info.peak_bytes_event), FormatCount(info.peak_live_objects)));
  Line(&text, "alive at end",
       absl::StrFormat("%s in %s objects", FormatBytes(info.end_live_bytes),
                       FormatCount(info.end_live_objects)));
  Line(
      &text, "cross-thread",
      IsUnknown(info, "thread") ? "not known" : absl::StrCat(FormatCount(info.cross_thread_frees), " frees"));
  Line(&text, "free(NULL)", FormatCount(info.frees_of_null));
  Line(&text, "failed calls", FormatCount(info.failed_calls));
  return text;
}

std::string Share(uint64_t part, uint64_t whole) {
  return whole == 0
             ? "-"
             : absl::StrFormat("%.1f %%", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

// Counts with names, those that occurred.
std::string CountTable(absl::string_view title, const std::vector<std::pair<std::string, uint64_t>>& counts,
                       uint64_t whole) {
  TextTable table;
  table.AddColumn(title, TextTable::Align::kLeft);
  table.AddColumn("count", TextTable::Align::kRight);
  table.AddColumn("share", TextTable::Align::kRight);
  for (const auto& [name, count] : counts) {
    if (count != 0) table.AddRow({name, FormatCount(count), Share(count, whole)});
  }
  return absl::StrCat("\n", table.Render());
}

// Bucket n holds sizes from 2^(n-1) up to 2^n - 1.
std::string BucketName(int bucket) {
  if (bucket == 0) return "0 B";
  const uint64_t first = uint64_t{1} << (bucket - 1);
  return bucket == 1 ? "1 B"
                     : absl::StrCat(FormatBytes(first), " to below ",
                                    bucket == 64 ? "16.0 EiB" : FormatBytes(first * 2));
}

}  // namespace

std::string RenderTraceInfo(const TraceInfo& info, const std::string& path) {
  std::vector<std::pair<std::string, uint64_t>> kinds, calls, sizes;
  for (int i = 0; i < kEventKindCount; ++i) {
    kinds.emplace_back(EventKindName(static_cast<EventKind>(i)), info.events_by_kind[static_cast<size_t>(i)]);
  }
  for (int i = 0; i < kCallKindCount; ++i) {
    calls.emplace_back(CallKindName(static_cast<CallKind>(i)), info.events_by_call[static_cast<size_t>(i)]);
  }
  uint64_t allocations = 0;
  for (int i = 0; i < kSizeBuckets; ++i) {
    sizes.emplace_back(BucketName(i), info.size_histogram[static_cast<size_t>(i)]);
    allocations += info.size_histogram[static_cast<size_t>(i)];
  }
  return absl::StrCat(path, "\n\n", SourceSection(info), FileSection(info), ActivitySection(info),
                      CountTable("event", kinds, info.events), CountTable("call", calls, info.events),
                      CountTable("size asked for", sizes, allocations));
}

}  // namespace reheap
