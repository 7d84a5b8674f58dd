#include "traces/importers/android_importer.h"

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "traces/trace_builder.h"
#include "traces/trace_checker.h"
#include "traces/trace_cursor.h"
#include "traces/trace_info.h"

namespace reheap {
namespace {

std::string OutPath() {
  return testing::TempDir() + "/android_" + testing::UnitTest::GetInstance()->current_test_info()->name();
}

absl::StatusOr<AndroidImportReport> Import(const std::string& text, bool lenient = false) {
  std::istringstream in(text);
  return ImportAndroidTrace(in, "input.txt", OutPath(), {.lenient = lenient});
}

std::vector<TraceEvent> Imported() {
  absl::StatusOr<std::unique_ptr<TraceCursor>> cursor = TraceCursor::Open(OutPath());
  EXPECT_TRUE(cursor.ok()) << cursor.status();
  std::vector<TraceEvent> events(100);
  absl::StatusOr<size_t> count = (*cursor)->NextBatch(events.data(), events.size());
  EXPECT_TRUE(count.ok()) << count.status();
  events.resize(count.value_or(0));
  return events;
}

TEST(AndroidImporter, EveryOperationBecomesItsEvent) {
  ASSERT_TRUE(Import("10: malloc 0x1000 64\n"
                     "10: calloc 0x2000 3 7\n"
                     "11: memalign 0x3000 4096 100\n"
                     "10: realloc 0x5000 0x1000 80\n"
                     "10: realloc 0x6000 0x0 5\n"
                     "10: realloc 0x0 0x6000 0\n"
                     "10: realloc 0x0 0x5000 99999\n"
                     "11: free 0x2000\n"
                     "10: free 0x0\n"
                     "10: malloc 0x0 77\n"
                     "10: calloc 0x7000 18446744073709551615 2\n"
                     "11: thread_done 0x0\n"
                     "11: malloc 0x8000 1\n")
                  .ok());
  TraceEvent realloc_frees;
  realloc_frees.kind = EventKind::kFree;
  realloc_frees.call = CallKind::kRealloc;
  realloc_frees.object = 3;
  TraceEvent realloc_fails;
  realloc_fails.kind = EventKind::kResize;
  realloc_fails.call = CallKind::kRealloc;
  realloc_fails.failed = true;
  realloc_fails.object = 0;
  realloc_fails.size = 99999;
  TraceEvent aligned;
  aligned.object = 2;
  aligned.size = 100;
  aligned.alignment = 4096;
  aligned.thread = 1;
  TraceEvent realloc_allocates;
  realloc_allocates.call = CallKind::kRealloc;
  realloc_allocates.object = 3;
  realloc_allocates.size = 5;
  const std::vector<TraceEvent> expected = TraceBuilder()
                                               .Malloc(0, 64)
                                               .Calloc(1, 21)
                                               .Event(aligned)
                                               .Realloc(0, 80)
                                               .Event(realloc_allocates)
                                               .Event(realloc_frees)
                                               .Event(realloc_fails)
                                               .Thread(1)
                                               .Free(1)
                                               .Thread(0)
                                               .FreeNull()
                                               .FailedMalloc(77)
                                               .Calloc(1, UINT64_MAX)
                                               .Thread(1)
                                               .ThreadEnd()
                                               .Thread(2)
                                               .Malloc(3, 1)
                                               .events();
  EXPECT_EQ(Imported(), expected);
  absl::StatusOr<std::unique_ptr<TraceReader>> reader = TraceReader::Open(OutPath());
  ASSERT_EQ((*reader)->threads().size(), 3u);
  EXPECT_EQ((*reader)->threads()[2].tid(), 11);
  EXPECT_EQ((*reader)->threads()[2].generation(), 1u);
}

TEST(AndroidImporter, TimesCountFromTheFirstAndNeverGoBack) {
  absl::StatusOr<AndroidImportReport> report = Import(
      "1: malloc 0x10 8 1000 1010\n2: malloc 0x20 8 1500 1600\n"
      "1: free 0x10 1400 1450\n1: thread_done 0x0 1700\n");
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->raised_times, 1u);
  std::vector<uint64_t> times;
  for (const TraceEvent& event : Imported()) times.push_back(event.time_ns);
  EXPECT_EQ(times, (std::vector<uint64_t>{0, 500, 500, 700}));
}

TEST(AndroidImporter, SaysWhatTheSourceCannotSay) {
  const auto unknown = [](const std::string& text) {
    EXPECT_TRUE(Import(text).ok());
    absl::StatusOr<TraceInfo> info = ReadTraceInfo(OutPath());
    EXPECT_TRUE(info.ok()) << info.status();
    return std::vector<std::string>(info->header.unknown().begin(), info->header.unknown().end());
  };
  const std::vector<std::string> without_times = unknown("1: malloc 0x10 8\n");
  EXPECT_EQ(std::count(without_times.begin(), without_times.end(), "time"), 1);
  EXPECT_EQ(std::count(without_times.begin(), without_times.end(), "mappings"), 1);
  const std::vector<std::string> with_times = unknown("1: malloc 0x10 8 5 6\n");
  EXPECT_EQ(std::count(with_times.begin(), with_times.end(), "time"), 0);
}

TEST(AndroidImporter, ABadLineIsNamedWithNumberOffsetAndExpectation) {
  const std::pair<const char*, const char*> cases[] = {
      {"malloc 0x10 8", "expected a thread id"},
      {"1: mallok 0x10 8", "expected malloc, calloc"},
      {"1: malloc", "expected a pointer"},
      {"1: malloc 0x10", "expected 1 numbers behind the pointer of a malloc"},
      {"1: calloc 0x10 8", "expected 2 numbers"},
      {"1: malloc 0x10 8z", "expected 1 numbers"},
      {"1: malloc 0x10 8 1000", "expected two times"},
      {"1: malloc 0x10 8 1000 2000 3000", "expected two times"},
      {"99999999999: malloc 0x10 8", "expected a thread id"},
      {"", "expected a thread id"},
      {"1: free 0x99", "not allocated"},
      {"1: realloc 0x98 0x99 5", "not allocated"},
      {"1: malloc 0x100 5", "was not freed"},
  };
  for (const auto& [line, expected] : cases) {
    const absl::Status status = Import("1: malloc 0x100 8\n" + std::string(line) + "\n").status();
    const std::string message(status.message());
    EXPECT_FALSE(status.ok()) << line;
    EXPECT_NE(message.find("input.txt: line 2, offset 18: "), std::string::npos) << message;
    EXPECT_NE(message.find(expected), std::string::npos) << message;
  }
  EXPECT_FALSE(Import("").ok());
  EXPECT_FALSE(Import("1: malloc 0x1 1" + std::string(2000, ' ') + "\n").ok());
}

TEST(AndroidImporter, LenientlyEachRepairIsCountedAndTheResultIsClean) {
  absl::StatusOr<AndroidImportReport> report = Import(
      "1: malloc 0x10 8\n1: malloc 0x10 9\n1: free 0x77\n1: realloc 0x30 0x88 4\n1: free 0x10\n", true);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->doubled_allocations, 1u);
  EXPECT_EQ(report->unknown_frees, 1u);
  EXPECT_EQ(report->unknown_reallocs, 1u);
  EXPECT_EQ(report->lines, 5u);
  EXPECT_EQ(report->events, 5u);  // one free added, one left out
  absl::StatusOr<TraceCheckReport> check = CheckTrace(OutPath());
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_TRUE(check->ok()) << check->violations.at(0).ToString();
}

// Counted in the text with grep and awk (corpus/README.md), not by this code.
TEST(AndroidImporter, TheRealExcerptHasTheCountsOfItsText) {
  absl::StatusOr<AndroidImportReport> report =
      ImportAndroidTrace("traces/corpus/surfaceflinger_head.txt", OutPath());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->events, 20'000u);
  absl::StatusOr<TraceCheckReport> check = CheckTrace(OutPath());
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_TRUE(check->ok()) << check->violations.at(0).ToString();
  absl::StatusOr<TraceInfo> info = ReadTraceInfo(OutPath());
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->events_by_call[static_cast<size_t>(CallKind::kMalloc)], 9099u);
  EXPECT_EQ(info->events_by_call[static_cast<size_t>(CallKind::kCalloc)], 1162u);
  EXPECT_EQ(info->events_by_call[static_cast<size_t>(CallKind::kFree)], 9196u);
  EXPECT_EQ(info->active_threads, 9u);
  EXPECT_EQ(info->peak_live_bytes, 1'794'272u);
  EXPECT_EQ(info->peak_live_objects, 2517u);
}

}  // namespace
}  // namespace reheap
