// A study's answers as text: what people read first, so every rule of the sections has its row here.
#include "sim/report/study_table.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>

namespace reheap {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

proto::Report ReportOf(const char* text) {
  proto::Report report;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &report));
  return report;
}

std::string Rendered(const char* text) { return RenderStudy(ReportOf(text), TableStyle{}); }

TEST(StudyTableTest, TheHeadSaysWhatIsHere) {
  EXPECT_THAT(Rendered(R"(study { name: "s" summary: "who lives" cells: 1200 digest: "d1" shard_count: 1 })"),
              StartsWith("study s: who lives\n1,200 cells, all modelled; digest d1\n"));
  EXPECT_THAT(Rendered(R"(study { name: "s" cells: 9 digest: "d" shard_index: 2 shard_count: 4 })"),
              HasSubstr("; here shard 2 of 4;"));
}

constexpr char kPlainSearch[] = R"(limit_searches {
  trace: "/tmp/web.trace" strategy: "a" platform: "linux-amd64" limit: "address_bytes"
  bands { from_bytes: 8388608 to_bytes: 1073741824 outcome: STARTUP_ABORT rule: "RLIMIT_AS" }
  bands { from_bytes: 1073745920 to_bytes: 4294967296 outcome: SURVIVED }
  smallest_bytes: 1073745920 safe_bytes: 1073745920 resolution_bytes: 4096 replays: 31
})";

TEST(StudyTableTest, TwoBandsAreOneLine) {
  const std::string text = Rendered(kPlainSearch);
  EXPECT_THAT(text, HasSubstr("web.trace"));
  EXPECT_THAT(text, Not(HasSubstr("/tmp/")));
  EXPECT_THAT(text, HasSubstr("      below: STARTUP_ABORT (RLIMIT_AS)\n"));
  EXPECT_THAT(text, Not(HasSubstr("to 4.0 GiB")));
}

// More than two bands, as Go 1.0 has them: all are told, and the smallest is not the safe one.
TEST(StudyTableTest, BandsAreListedWhereMoreIsNotBetter) {
  const std::string text = Rendered(R"(limit_searches {
    trace: "t" strategy: "go-1.0-limitaware" platform: "linux-amd64" limit: "address_bytes"
    bands { from_bytes: 67108864 to_bytes: 100663296 outcome: SURVIVED mode: "32-bit path" }
    bands { from_bytes: 117440512 to_bytes: 117440512 outcome: LATE_ABORT rule: "RLIMIT_AS" event: 7 }
    bands { from_bytes: 201326592 to_bytes: 1073741824 outcome: SURVIVED }
    smallest_bytes: 67108864 safe_bytes: 201326592 resolution_bytes: 4096 replays: 40
  })");
  EXPECT_THAT(text, HasSubstr("      64.0 MiB to 96.0 MiB SURVIVED with 32-bit path\n"));
  EXPECT_THAT(text, HasSubstr("      112.0 MiB LATE_ABORT (RLIMIT_AS)\n"));
  EXPECT_THAT(text, HasSubstr("      192.0 MiB to 1.0 GiB SURVIVED\n"));
}

TEST(StudyTableTest, NoLimitWorks) {
  const std::string text = Rendered(R"(limit_searches {
    trace: "t" strategy: "a" platform: "p" limit: "max_mappings"
    bands { from_bytes: 10 to_bytes: 65530 outcome: STARTUP_ABORT rule: "vm.max_map_count" }
    resolution_bytes: 1 replays: 9
  })");
  EXPECT_THAT(text, HasSubstr("none"));
  EXPECT_THAT(text, HasSubstr("      10 to 65,530 STARTUP_ABORT (vm.max_map_count)\n"));  // mappings, not bytes
  EXPECT_THAT(text, Not(HasSubstr("KiB")));
}

TEST(StudyTableTest, UsableHeapHasLimitsAcross) {
  const std::string text = Rendered(R"(
    usable_heaps { strategy: "a" platform: "p" limits { address_bytes: 67108864 } block_bytes: 65536
                   usable_bytes: 33554432 outcome: CATCHABLE_ERROR }
    usable_heaps { strategy: "a" platform: "p" limits { address_bytes: 268435456 } block_bytes: 65536
                   usable_bytes: 16777216 outcome: LATE_ABORT }
    usable_heaps { strategy: "b" platform: "p" limits { address_bytes: 268435456 } block_bytes: 65536
                   usable_bytes: 1073741824 outcome: SURVIVED })");
  EXPECT_THAT(text, HasSubstr("as 64.0 MiB"));
  EXPECT_THAT(text, ::testing::ContainsRegex("64.0 KiB +a +p +32.0 MiB +16.0 MiB\\*\n"));
  EXPECT_THAT(text, ::testing::ContainsRegex("64.0 KiB +b +p +- +>= 1.0 GiB\n"));
}

// Six limits across, in ascending order however they were asked for; a strategy is where it was asked.
TEST(StudyTableTest, ManyLimitsOfUsableHeapAreSeveralTables) {
  proto::Report report;
  for (const char* strategy : {"a", "b"}) {
    for (const uint64_t mib : {256, 64, 96, 128, 160, 192, 224}) {
      if (*strategy == 'b' && mib != 256) continue;
      proto::UsableHeap* const usable = report.add_usable_heaps();
      usable->set_strategy(strategy);
      usable->set_platform("p");
      usable->mutable_limits()->set_address_bytes(mib << 20);
      usable->set_block_bytes(65536);
      usable->set_usable_bytes((mib - 4) << 20);
      usable->set_outcome(proto::CATCHABLE_ERROR);
    }
  }
  const std::string text = RenderStudy(report, TableStyle{});
  EXPECT_THAT(text, ::testing::ContainsRegex("as 64.0 MiB +as 96.0 MiB +as 128.0 MiB +as 160.0 MiB +as 192.0 MiB +as 224.0 MiB\n"
                                             "64.0 KiB +a +p +60.0 MiB +92.0 MiB +124.0 MiB +156.0 MiB +188.0 MiB +220.0 MiB\n\n"));
  EXPECT_THAT(text, ::testing::ContainsRegex("as 256.0 MiB\n64.0 KiB +a +p +252.0 MiB\n64.0 KiB +b +p +252.0 MiB\n"));
}

TEST(StudyTableTest, TimeToFailureAsShareOfTheTrace) {
  const std::string text = Rendered(R"(failure_times {
    trace: "t" strategy: "a" platform: "p" limit: "address_bytes" events: 1000
    times { limit_bytes: 67108864 outcome: LATE_ABORT event: 250 live_bytes: 1048576 rule: "RLIMIT_AS" }
    times { limit_bytes: 134217728 outcome: SURVIVED live_bytes: 2097152 }
  })");
  EXPECT_THAT(text, HasSubstr("time to failure, by address_bytes"));
  EXPECT_THAT(text, ::testing::ContainsRegex("LATE_ABORT +250 +25.0 % +1.0 MiB +RLIMIT_AS"));
  EXPECT_THAT(text, ::testing::ContainsRegex("SURVIVED +- +- +2.0 MiB"));
}

constexpr char kSensitivity[] = R"(
  sensitivities { trace: "t" strategy: "a" platform: "p" limits { address_bytes: 4294967296 } outcome: STARTUP_ABORT
    changes { field: "growth.min_bytes" from: "1" to: "2" outcome: STARTUP_ABORT }
    changes { field: "growth.min_bytes" from: "1" to: "4" outcome: STARTUP_ABORT }
    changes { field: "reservation.on_refusal" from: "ABORT" to: "RETURN_NULL" outcome: CATCHABLE_ERROR }
    changes { field: "reservation.firmness" from: "RESERVE" to: "PRETEND" outcome: SURVIVED } }
  sensitivities { trace: "t" strategy: "b" platform: "p" outcome: SURVIVED })";

// What helps first, then what changes the end, then what does not; those that live are a number.
TEST(StudyTableTest, SensitivityPutsWhatHelpsFirst) {
  EXPECT_THAT(Rendered(kSensitivity),
              HasSubstr("a, p, as 4.0 GiB, t: STARTUP_ABORT\n"
                        "  reservation.firmness: RESERVE -> PRETEND\n"
                        "  reservation.on_refusal: ABORT -> RETURN_NULL (then CATCHABLE_ERROR)\n"
                        "  no help: growth.min_bytes\n"
                        "1 cell survives as it is\n"));
}

TEST(StudyTableTest, ColoursOnlyWhereAsked) {
  TableStyle coloured;
  coloured.color = true;
  EXPECT_THAT(RenderStudy(ReportOf(kSensitivity), coloured), HasSubstr("\033[31mSTARTUP_ABORT\033[0m"));
  EXPECT_THAT(RenderStudy(ReportOf(kPlainSearch), coloured), HasSubstr("\033[32m"));
  for (const char* text : {kSensitivity, kPlainSearch}) EXPECT_THAT(Rendered(text), Not(HasSubstr("\033")));
}

TEST(StudyTableTest, NotesAndRerunAreNotLostWithoutRuns) {
  EXPECT_THAT(Rendered(R"(notes: "cut short" rerun: "reheap study s")"),
              HasSubstr("note: cut short\nagain: reheap study s\n"));
}

}  // namespace
}  // namespace reheap
