#include "sim/report/report.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace reheap {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

proto::Report ReportOf(const std::string& text) {
  proto::Report report;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &report));
  return report;
}

// The fiasco in three rows: measured, modelled, refused.
proto::Report Fiasco() {
  return ReportOf(R"pb(
    tool: "reheap 0.1.0"
    rerun: "reheap replay web.trace --world real,virtual"
    runs {
      trace: "/tmp/web.trace"
      target: "heap"
      strategy: "go-2010-radix"
      world: REAL
      platform: "linux-amd64"
      platform_basis: "this kernel, 6.18"
      limits {}
      order: "total"
      touch: "full"
      outcome: SURVIVED
      events: 1234567
      peak_live_bytes: 104857600
      peak_rss_bytes: 125829120
      peak_vsize_bytes: 134217728
      peak_vma_count: 41
      bookkeeping_vsize_bytes: 16777216
      bookkeeping_rss_bytes: 1048576
      page_map {
        kind: "radix3"
        reserved_bytes: 4718592
        resident_bytes: 69632
        loads_per_lookup: 3
        lookup_ns: 3.456
        baseline_ns: 1.2
      }
      os_calls: 1042
      replay_ns_per_event: 45.67
      provenance { metric: "peak_rss_bytes" provenance: MEASURED }
      provenance { metric: "peak_vsize_bytes" provenance: MEASURED }
      provenance { metric: "peak_vma_count" provenance: MEASURED }
      provenance { metric: "page_map" provenance: MODELLED }
      provenance { metric: "page_map.lookup_ns" provenance: MEASURED }
    }
    runs {
      trace: "/tmp/web.trace"
      target: "heap"
      strategy: "go-2011-02-reserve17g"
      world: VIRTUAL
      platform: "linux-amd64"
      platform_basis: "this kernel, 6.18"
      limits {}
      order: "total"
      touch: "full"
      outcome: SURVIVED
      events: 1234567
      peak_live_bytes: 104857600
      peak_rss_bytes: 125829120
      peak_vsize_bytes: 18253611008
      peak_commit_bytes: 150994944
      peak_vma_count: 44
      page_map { kind: "flat" reserved_bytes: 33554432 resident_bytes: 65536 loads_per_lookup: 1 }
      os_calls: 300
      provenance { metric: "peak_rss_bytes" provenance: MODELLED }
      provenance { metric: "peak_vsize_bytes" provenance: MODELLED }
      provenance { metric: "peak_commit_bytes" provenance: MODELLED }
      provenance { metric: "peak_vma_count" provenance: MODELLED }
      provenance { metric: "page_map" provenance: MODELLED }
    }
    runs {
      trace: "/tmp/web.trace"
      target: "heap"
      strategy: "go-2011-02-reserve17g"
      world: VIRTUAL
      platform: "linux-amd64"
      platform_basis: "this kernel, 6.18"
      limits { address_bytes: 4294967296 }
      order: "total"
      touch: "full"
      outcome: STARTUP_ABORT
      refusal {
        rule: "RLIMIT_AS"
        asked_bytes: 18253611008
        in_use_bytes: 35344384
        allowed_bytes: 4294967296
        operation: "reserve"
        os_error: 12
        wanted_address: 0xf800000000
      }
      peak_vma_count: 8
      provenance { metric: "peak_rss_bytes" provenance: MODELLED }
      provenance { metric: "peak_vsize_bytes" provenance: MODELLED }
      provenance { metric: "peak_commit_bytes" provenance: MODELLED }
      provenance { metric: "peak_vma_count" provenance: MODELLED }
    })pb");
}

TEST(RenderTableTest, TheFiascoForPeople) {
  EXPECT_EQ(
      RenderTable(Fiasco(), {}),
      R"(reheap 0.1.0: trace web.trace, target heap, order total, touch full, 1,234,567 events, at most 100.0 MiB alive

#  strategy               world    platform     limits      outcome              RSS      VSIZE  ratio     commit  VMAs  these are
1  go-2010-radix          real     linux-amd64  unlimited   SURVIVED       120.0 MiB  128.0 MiB   1.00          -    41  measured
2  go-2011-02-reserve17g  virtual  linux-amd64  unlimited   SURVIVED       120.0 MiB   17.0 GiB    136  144.0 MiB    44  modelled
3  go-2011-02-reserve17g  virtual  linux-amd64  as 4.0 GiB  STARTUP_ABORT        0 B        0 B      -        0 B     8  modelled
      RLIMIT_AS: asked 17.0 GiB, 0.03 of 4.0 GiB in use; at startup: reserve, wanted 0xf800000000, error 12

from a page to its span
#  strategy               page map  reserved  resident  loads  these are   lookup    floor  these are  OS calls  per event
1  go-2010-radix          radix3     4.5 MiB  68.0 KiB      3  modelled   3.46 ns  1.20 ns  measured      1,042    45.7 ns
2  go-2011-02-reserve17g  flat      32.0 MiB  64.0 KiB      1  modelled         -        -  -               300          -

SURVIVED: every event was replayed, nothing was refused for good
STARTUP_ABORT: refused before the program's first call: it never starts
RSS, VSIZE, commit, VMAs: the most that the heap added to its process; ratio: VSIZE against row 1
measured: a clock or a kernel counter said so; modelled: the virtual OS or a count of the algorithm did; -: not known
linux-amd64: this kernel, 6.18
the replayer's own memory, already subtracted: VSIZE 16.0 MiB, RSS 1.0 MiB
again: reheap replay web.trace --world real,virtual
each column explained: sim/report/README.md
)");
}

TEST(RenderTableTest, NoLineIsWiderThan140Columns) {
  proto::Report report = Fiasco();
  for (const char* strategy : {"go-2010-radix", "go-2011-01-reserve16g", "go-2011-02-pretend"}) {
    proto::Run& run = *report.add_runs();
    run = report.runs(1);
    run.set_strategy(strategy);
    run.set_platform("windows-amd64");
    run.mutable_limits()->set_address_bytes(4294967296);
    run.set_outcome(proto::CATCHABLE_ERROR);
    run.set_peak_rss_bytes(1023 << 20);
    run.set_peak_commit_bytes(1023 << 20);
    run.set_peak_vma_count(65530);
  }
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(RenderTable(report, {}), '\n'))) {
    EXPECT_LE(line.size(), 140u) << line;
  }
}

TEST(RenderTableTest, ColorsTheOutcomeAndNothingElse) {
  const std::string plain = RenderTable(Fiasco(), {.color = false});
  const std::string colored = RenderTable(Fiasco(), {.color = true});
  EXPECT_THAT(plain, Not(HasSubstr("\033")));
  EXPECT_THAT(colored, HasSubstr("\033[32mSURVIVED\033[0m  "));
  EXPECT_THAT(colored, HasSubstr("\033[31mSTARTUP_ABORT\033[0m  "));
  EXPECT_EQ(absl::StrReplaceAll(colored, {{"\033[32m", ""}, {"\033[31m", ""}, {"\033[0m", ""}}), plain);
}

TEST(RenderTableTest, WhatDiffersBetweenRowsBecomesAColumn) {
  proto::Report report = Fiasco();
  report.mutable_runs(1)->set_touch("none");
  const std::string table = RenderTable(report, {});
  EXPECT_THAT(table, HasSubstr("#  touch  strategy"));
  EXPECT_THAT(table, HasSubstr("2  none   go-2011-02-reserve17g"));
  EXPECT_THAT(table, Not(HasSubstr("touch full,")));
}

TEST(RenderTableTest, AFigureOfOtherOriginAmongOthersIsMarked) {
  proto::Report report = Fiasco();
  proto::Run& run = *report.mutable_runs(0);
  run.set_peak_commit_bytes(4096);
  auto* entry = run.add_provenance();
  entry->set_metric("peak_commit_bytes");
  entry->set_provenance(proto::MODELLED);
  const std::string table = RenderTable(report, {});
  EXPECT_THAT(table, HasSubstr("~4.0 KiB    41  mixed"));
  EXPECT_THAT(table, HasSubstr("mixed: figures with ~ are modelled, the others measured\n"));
}

TEST(RenderTableTest, TheProgramsOwnMappingsStandBelowTheirRow) {
  proto::Report report = Fiasco();
  EXPECT_THAT(RenderTable(report, {}), HasSubstr("the most that the heap added to its process"));
  proto::Foreign& foreign = *report.mutable_runs(1)->mutable_foreign();
  foreign.set_calls(1234);
  foreign.set_mapped(500);
  foreign.set_moved(3);
  foreign.set_outside(7);
  foreign.set_stacks(6);
  foreign.set_peak_bytes(94371840);
  const std::string table = RenderTable(report, {});
  EXPECT_THAT(table, HasSubstr("\n      the program's own: 1,234 calls, 500 mappings, 3 moved, 0 refused, 7 left out; "
                               "6 thread stacks, modelled; at most 90.0 MiB\n"));
  EXPECT_THAT(table, HasSubstr("the most that the heap and the program's own mappings added to its process"));
}

TEST(RenderTableTest, RowsWithTheSameLookupShareALine) {
  proto::Report report = Fiasco();
  *report.add_runs() = report.runs(1);
  *report.add_runs() = report.runs(1);
  EXPECT_THAT(RenderTable(report, {}), HasSubstr("\n2,4-5  go-2011-02-reserve17g  flat"));
}

TEST(RenderTableTest, ACrossOfStrategiesAndPlacesOpensWithItsOutcomes) {
  proto::Report report;
  for (const char* strategy : {"go-2011-02-reserve17g", "go-2011-02-pretend"}) {
    for (const char* platform : {"linux-amd64", "darwin-amd64-11"}) {
      for (const bool limited : {false, true}) {
        proto::Run& run = *report.add_runs();
        run.set_strategy(strategy);
        run.set_world(proto::VIRTUAL);
        run.set_platform(platform);
        if (limited) run.mutable_limits()->set_address_bytes(4294967296);
        const bool dies = limited && strategy == report.runs(0).strategy() && run.platform() == "linux-amd64";
        run.set_outcome(dies ? proto::STARTUP_ABORT : proto::SURVIVED);
      }
    }
  }
  report.mutable_runs()->RemoveLast();  // pretend on darwin under a limit was not asked for
  EXPECT_THAT(RenderTable(report, {}), HasSubstr(R"(
who survives
world    platform         limits      go-2011-02-reserve17g  go-2011-02-pretend
virtual  linux-amd64      unlimited   SURVIVED               SURVIVED
virtual  linux-amd64      as 4.0 GiB  STARTUP_ABORT          SURVIVED
virtual  darwin-amd64-11  unlimited   SURVIVED               SURVIVED
virtual  darwin-amd64-11  as 4.0 GiB  SURVIVED               -

#  )"));
  EXPECT_THAT(RenderTable(report, {.color = true}),
              HasSubstr("\033[31mSTARTUP_ABORT\033[0m          \033[32mSURVIVED\033[0m\n"));
}

TEST(RenderTableTest, WhatWasLeftOutIsNoted) {
  proto::Report report = Fiasco();
  report.add_notes("go-x-386 is a 32-bit strategy: left out");
  EXPECT_THAT(RenderTable(report, {}), HasSubstr("\nnote: go-x-386 is a 32-bit strategy: left out\nagain: "));
}

TEST(RenderTableTest, AReportWithoutRunsSaysSo) {
  EXPECT_EQ(RenderTable(ReportOf("tool: 'reheap 0.1.0'"), {}), "reheap 0.1.0: no runs\n");
}

TEST(RefusalSentenceTest, NamesWhatIsKnown) {
  const struct {
    const char* refusal;
    const char* sentence;
  } cases[] = {
      {"rule: 'RLIMIT_AS' asked_bytes: 18253611008 in_use_bytes: 35344384 allowed_bytes: 4294967296",
       "RLIMIT_AS: asked 17.0 GiB, 0.03 of 4.0 GiB in use"},
      {"rule: 'RLIMIT_AS' asked_bytes: 1073741824 in_use_bytes: 3758096384 allowed_bytes: 4294967296 measure: 'mapped "
       "bytes' holders { name: 'heap' bytes: 3221225472 } holders { name: 'perl' bytes: 536870912 }",
       "RLIMIT_AS: asked 1.0 GiB, 3.5 of 4.0 GiB in use; largest: heap 3.0 GiB"},
      {"rule: 'mapping count' in_use_bytes: 65531 allowed_bytes: 65530 measure: 'mappings' holders { name: 'heap' "
       "bytes: 4096 mappings: 65000 }",
       "mapping count: 65,531 of 65,530 mappings in use; largest: heap 65,000"},
      {"rule: 'address space exhausted' asked_bytes: 2147483648 measure: 'free bytes' free_bytes: 3221225472 "
       "largest_gap_bytes: 1073741824 holders { name: 'thread stacks' bytes: 1073741824 }",
       "address space exhausted: asked 2.0 GiB, largest gap 1.0 GiB of 3.0 GiB free; largest: thread stacks 1.0 GiB"},
      {"rule: 'unknown' asked_bytes: 65536 measure: 'mapped bytes' holders { name: 'heap' bytes: 1048576 } operation: "
       "'map' event: 7 os_error: 12",
       "unknown: asked 64.0 KiB; largest: heap 1.0 MiB; at event 7: map, error 12"},
      {"rule: 'address taken' asked_bytes: 1048576 operation: 'map at' event: 4711 wanted_address: "
       "0xf840200000 "
       "obtained_address: 0x7ffff7eb7000",
       "address taken: asked 1.0 MiB; at event 4,711: map at, wanted 0xf840200000, offered 0x7ffff7eb7000"},
      {"rule: 'unknown' asked_bytes: 65536 operation: 'commit' event: 0 os_error: 12",
       "unknown: asked 64.0 KiB; at event 0: commit, error 12"},
  };
  for (const auto& c : cases) {
    proto::Refusal refusal;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(c.refusal, &refusal));
    EXPECT_EQ(RefusalSentence(refusal), c.sentence);
  }
}

TEST(RenderJsonTest, IsProtobufsMappingWithTheProtosNames) {
  const auto json = RenderJson(Fiasco());
  ASSERT_TRUE(json.ok()) << json.status();
  // Words that scripts rely on; 64-bit numbers are strings; zero is printed.
  for (const char* piece :
       {"\"world\": \"VIRTUAL\"", "\"outcome\": \"STARTUP_ABORT\"", "\"rule\": \"RLIMIT_AS\"",
        "\"asked_bytes\": \"18253611008\"", "\"peak_vsize_bytes\": \"18253611008\"",
        "\"loads_per_lookup\": 3", "\"peak_commit_bytes\": \"0\"", "\"timeline\": []",
        "\"provenance\": \"MODELLED\""}) {
    EXPECT_THAT(*json, HasSubstr(piece));
  }
  proto::Report again;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(*json, &again).ok());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(Fiasco(), again));
  EXPECT_EQ(json->back(), '\n');
  EXPECT_EQ(*json, *RenderJson(Fiasco()));
}

TEST(RenderJsonTest, NoLimitIsAnAbsentField) {
  const auto json = RenderJson(Fiasco());
  ASSERT_TRUE(json.ok());
  EXPECT_THAT(*json, HasSubstr("\"limits\": {},"));
  EXPECT_THAT(*json, HasSubstr("\"address_bytes\": \"4294967296\""));
  EXPECT_THAT(*json, Not(HasSubstr("\"data_bytes\"")));
}

TEST(RenderCsvTest, OneLinePerRunUnderTheProtosNames) {
  const std::vector<std::string> lines = absl::StrSplit(RenderCsv(Fiasco()), "\r\n");
  ASSERT_EQ(lines.size(), 5u);  // header, three runs, nothing behind the last line's end
  EXPECT_THAT(lines[0],
              StartsWith("trace,target,strategy,world,platform,platform_basis,limits.address_bytes,"));
  EXPECT_THAT(lines[0], HasSubstr(",refusal.rule,refusal.asked_bytes,"));
  EXPECT_THAT(lines[0], HasSubstr(",provenance.peak_rss_bytes,"));
  EXPECT_THAT(
      lines[1],
      StartsWith("/tmp/web.trace,heap,go-2010-radix,REAL,linux-amd64,\"this kernel, 6.18\",,,,"));
  EXPECT_THAT(lines[1], HasSubstr(",,total,full,SURVIVED,,"));  // no limit is an empty cell
  EXPECT_THAT(lines[3], HasSubstr(",STARTUP_ABORT,RLIMIT_AS,18253611008,35344384,4294967296,,reserve,12,"));
  const auto commas = [](const std::string& line) { return std::count(line.begin(), line.end(), ','); };
  EXPECT_EQ(commas(lines[1]), commas(lines[0]) + 1);  // the one inside quotes
  EXPECT_EQ(lines[4], "");
}

TEST(RenderTableTest, EveryLimitIsNamed) {
  const proto::Report report = ReportOf(
      R"pb(runs {
             trace: "t"
             limits {
               overcommit_mode: 2 memory_max_bytes: 67108864 max_mappings: 1000 ram_bytes: 1073741824
               stack_unlimited: true thp: "always"
             }
           })pb");
  EXPECT_THAT(RenderTable(report, {}),
              HasSubstr("overcommit 2 memory 64.0 MiB maps 1,000 ram 1.0 GiB stack unlimited thp always"));
}

TEST(RenderCsvTest, QuotesAreDoubled) {
  const proto::Report report = ReportOf(R"pb(runs { trace: "say \"a, b\"" })pb");
  EXPECT_THAT(RenderCsv(report), HasSubstr("\n\"say \"\"a, b\"\"\",,"));
}

}  // namespace
}  // namespace reheap
