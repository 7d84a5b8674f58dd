#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <fstream>
#include <string>

#include "proto/report.pb.h"
#include "sim/replay/replay_child.h"
#include "sim/replay/replay_request.h"
#include "traces/trace_builder.h"

namespace reheap {
namespace {

using testing::HasSubstr;

std::string SmallTrace() {
  TraceBuilder builder;
  for (uint32_t i = 0; i < 2000; ++i) builder.Malloc(i, 100 + i);
  for (uint32_t i = 0; i < 2000; i += 2) builder.Free(i);
  for (uint32_t i = 1; i < 2000; i += 2) builder.Realloc(i, 3000);
  const std::string path = testing::TempDir() + "/small.trace";
  EXPECT_TRUE(builder.WriteTo(path).ok());
  return path;
}

ReplayRequest VirtualRequest() {
  ReplayRequest request;
  request.trace_path = SmallTrace();
  request.strategies = {"go-2011-02-pretend"};
  request.virtual_world = true;
  request.platforms = {"linux-amd64"};
  return request;
}

std::string ErrorOf(const ReplayRequest& request) {
  const absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
  EXPECT_FALSE(report.ok());
  return std::string(report.status().message());
}

TEST(RunReplaysTest, WrongWordsAreNamed) {
  ReplayRequest request = VirtualRequest();
  request.platforms = {"linux-amd46"};
  EXPECT_THAT(ErrorOf(request), HasSubstr("linux-amd46"));
  request = VirtualRequest();
  request.strategies = {"go-2011"};
  EXPECT_THAT(ErrorOf(request), HasSubstr("go-2011"));
  request = VirtualRequest();
  request.targets = {"glibc"};
  EXPECT_THAT(ErrorOf(request), HasSubstr("glibc"));
  request = VirtualRequest();
  request.touch = "some";
  EXPECT_THAT(ErrorOf(request), HasSubstr("some"));
  request = VirtualRequest();
  request.order = "timed";
  EXPECT_THAT(ErrorOf(request), HasSubstr("timed"));
  request = VirtualRequest();
  request.virtual_world = false;
  EXPECT_THAT(ErrorOf(request), HasSubstr("no world"));
  request = VirtualRequest();
  request.squatters = {{Addr(0x12345), 1}};
  EXPECT_THAT(ErrorOf(request), HasSubstr("0x12345"));
  request = VirtualRequest();
  request.trace_path = "/nonexistent.trace";
  EXPECT_THAT(ErrorOf(request), HasSubstr("/nonexistent.trace"));
  request = VirtualRequest();
  request.maps_path = "/nonexistent.maps";
  EXPECT_THAT(ErrorOf(request), HasSubstr("/nonexistent.maps"));
}

TEST(RunReplaysTest, AThirtyTwoBitStrategyIsLeftOutOfASixtyFourBitPlatformAndTheReportSaysSo) {
  ReplayRequest request = VirtualRequest();
  request.strategies = {"go-2011-02-reserve768m-386", "go-2011-02-pretend"};
  request.platforms = {"linux-amd64", "linux-386"};
  const absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->runs_size(), 2);
  EXPECT_EQ(report->runs(0).platform(), "linux-386");
  EXPECT_EQ(report->runs(1).platform(), "linux-amd64");
  EXPECT_EQ(report->notes_size(), 2);
  request.platforms = {"linux-amd64"};
  request.strategies = {"go-2011-02-reserve768m-386"};
  EXPECT_THAT(ErrorOf(request), HasSubstr("32-bit"));
}

TEST(RunReplaysTest, GridIsEveryCombinationInOrder) {
  ReplayRequest request = VirtualRequest();
  request.platforms = {"linux-amd64", "windows-amd64"};
  request.address_limits = {std::nullopt, 4 * kGiB};
  request.overcommit_modes = {0, 1, 2};
  const absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->runs_size(), 12);
  for (const proto::Run& run : report->runs()) {
    EXPECT_EQ(run.events(), 4000u);
    EXPECT_EQ(run.world(), proto::VIRTUAL);
    EXPECT_GT(run.peak_live_bytes(), 0u);
    EXPECT_EQ(run.replay_ns_per_event(), 0) << "a simulated run never prints a nanosecond";
    EXPECT_EQ(run.page_map().lookup_ns(), 0);
  }
  EXPECT_FALSE(report->runs(0).limits().has_address_bytes());
  EXPECT_EQ(report->runs(11).limits().address_bytes(), 4 * kGiB);
}

TEST(RunReplaysTest, MemoryMaxKillsAtTheTouchThatIsTooMuch) {
  ReplayRequest request = VirtualRequest();
  request.touch = "full";
  request.memory_limits = {kMiB, 4096, std::nullopt};
  const absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->runs_size(), 3);
  const proto::Run& late = report->runs(0);
  EXPECT_EQ(late.outcome(), proto::LATE_ABORT);
  EXPECT_EQ(late.limits().memory_max_bytes(), kMiB);
  EXPECT_EQ(late.refusal().rule(), "memory.max");
  EXPECT_EQ(late.refusal().operation(), "touch");
  EXPECT_EQ(late.refusal().measure(), "resident bytes");
  EXPECT_EQ(late.refusal().largest_holder().name(), "heap");
  uint64_t held_bytes = 0;
  for (const proto::Holder& holder : late.refusal().holders()) held_bytes += holder.bytes();
  EXPECT_EQ(held_bytes, late.refusal().in_use_bytes());
  EXPECT_GT(held_bytes + late.refusal().asked_bytes(), kMiB);
  EXPECT_EQ(report->runs(1).outcome(), proto::STARTUP_ABORT) << "its own tables are too much";
  EXPECT_EQ(report->runs(2).outcome(), proto::SURVIVED);
  EXPECT_FALSE(report->runs(2).limits().has_memory_max_bytes());
}

TEST(RunReplaysTest, TheModelledMachineIsCrossedAndWhatAPlatformLacksIsANote) {
  ReplayRequest request = VirtualRequest();
  request.platforms = {"linux-amd64", "linux-amd64@6.1", "windows-amd64"};
  request.max_mappings = {5, 65530};
  request.ram_bytes = {kGiB};
  request.stack_limits = {std::nullopt, kMiB};
  request.thp = {"always"};
  const absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->runs_size(), 8);
  EXPECT_THAT(report->notes(), testing::Contains("windows-amd64 has no transparent huge pages: left out"));
  EXPECT_EQ(report->runs(4).platform(), "linux-amd64@6.1");
  EXPECT_EQ(report->runs(0).outcome(), proto::STARTUP_ABORT);
  EXPECT_EQ(report->runs(0).refusal().rule(), "mapping count");
  EXPECT_EQ(report->runs(0).limits().max_mappings(), 5u);
  EXPECT_TRUE(report->runs(2).limits().stack_unlimited());
  EXPECT_EQ(report->runs(3).limits().stack_bytes(), kMiB);
  EXPECT_EQ(report->runs(3).limits().ram_bytes(), kGiB);
  EXPECT_EQ(report->runs(3).limits().thp(), "always");
  EXPECT_EQ(report->runs(3).outcome(), proto::SURVIVED);
  request.thp = {"often"};
  EXPECT_THAT(ErrorOf(request), HasSubstr("thp 'often'"));
}

TEST(RunReplaysTest, EveryFigureOfARealRowSaysMeasuredAndTheLookupsWereTimed) {
  ReplayRequest request = VirtualRequest();
  request.virtual_world = false;
  request.real = true;
  const absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  const proto::Run& run = report->runs(0);
  EXPECT_EQ(run.outcome(), proto::SURVIVED);
  EXPECT_GT(run.page_map().lookup_ns(), 0);
  EXPECT_GT(run.page_map().baseline_ns(), 0);
  EXPECT_GT(run.bookkeeping_vsize_bytes(), 0u);
  for (const proto::MetricProvenance& entry : run.provenance()) {
    if (entry.metric() == "peak_rss_bytes" || entry.metric() == "peak_vsize_bytes" || entry.metric() == "outcome") {
      EXPECT_EQ(entry.provenance(), proto::MEASURED) << entry.metric();
    }
  }
}

TEST(RunReplaysTest, ARealSquatterWithoutAPlaceIsAnError) {
  ReplayRequest request = VirtualRequest();
  request.virtual_world = false;
  request.real = true;
  // Beyond the user's addresses; up to 2^64; over a variable of this program.
  static char taken[2 * 4096];
  const uint64_t page = RoundUp(reinterpret_cast<uint64_t>(&taken[0]), 4096);
  for (AddrRange range : {AddrRange{Addr(0x7fffffff0000), kMiB}, AddrRange{Addr(~uint64_t{0} - 4095), 4096},
                          AddrRange{Addr(page), 4096}}) {
    request.squatters = {range};
    EXPECT_THAT(ErrorOf(request), HasSubstr("squatter")) << range.start.value();
  }
}

// A shell's `ulimit -Sv` binds reheap, not the rows that ask for no limit; its hard limit binds both.
TEST(RunReplaysTest, TheShellsLimitIsNoLimitOfTheRowUnlessItIsHard) {
  ReplayRequest request = VirtualRequest();
  request.virtual_world = false;
  request.real = true;
  request.strategies = {"go-2011-02-reserve17g"};
  const auto run_under = [&request](rlimit limit) {
    if (setrlimit(RLIMIT_AS, &limit) != 0) exit(10);
    const absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
    if (!report.ok()) exit(report.status().code() == absl::StatusCode::kFailedPrecondition ? 11 : 12);
    const bool noted = report->notes_size() == 1 && report->notes(0).find("ulimit -Hv") != std::string::npos;
    exit((noted ? 2 : 0) + (report->runs(0).outcome() == proto::SURVIVED ? 1 : 0));
  };
  EXPECT_EXIT(run_under({4 * kGiB, RLIM_INFINITY}), testing::ExitedWithCode(1), "");
  EXPECT_EXIT(run_under({4 * kGiB, 4 * kGiB}), testing::ExitedWithCode(2), "");
  request.address_limits = {64 * kGiB};
  EXPECT_EXIT(run_under({4 * kGiB, 4 * kGiB}), testing::ExitedWithCode(11), "");
}

TEST(RunReplaysTest, AStrategyMayGoOnAfterARefusal) {
  const std::string path = testing::TempDir() + "/returns-null.textproto";
  std::ofstream(path) << R"(
    name: "returns-null"
    source: "this test"
    summary: "maps each growth where the OS likes; answers NULL when refused"
    word_bits: 64
    reservation { firmness: NOTHING on_conflict: RELOCATE on_refusal: RETURN_NULL access: READ_WRITE commit_method: MAP_FIXED }
    growth { min_bytes: 1048576 round_bytes: 65536 retry_exact: true startup_heap_bytes: 1048576 }
    tables { heap_page_bytes: 4096 page_map: RADIX3 page_map_place: MAPPED metadata_chunk_bytes: 131072 }
  )";
  ReplayRequest request = VirtualRequest();
  request.strategies = {path};
  const absl::StatusOr<proto::Report> unlimited = RunReplays(request, nullptr);
  ASSERT_TRUE(unlimited.ok()) << unlimited.status();
  const proto::Run& free_run = unlimited->runs(0);
  EXPECT_EQ(free_run.outcome(), proto::SURVIVED);
  // What it took less 2 MiB, two growths: it starts, and before its peak an allocation is answered NULL.
  request.address_limits = {free_run.image_vsize_bytes() + free_run.peak_vsize_bytes() - 2 * kMiB};
  const absl::StatusOr<proto::Report> limited = RunReplays(request, nullptr);
  ASSERT_TRUE(limited.ok()) << limited.status();
  EXPECT_EQ(limited->runs(0).outcome(), proto::CATCHABLE_ERROR);
  EXPECT_EQ(limited->runs(0).events(), 4000u);
  EXPECT_GT(limited->runs(0).failed_allocations(), 0u);
  EXPECT_GT(limited->runs(0).refusal().event(), 0u);
}

TEST(RunReplaysTest, TheMallocOfTheCLibraryIsATargetOfItsOwn) {
  ReplayRequest request = VirtualRequest();
  request.virtual_world = false;
  request.real = true;
  request.targets = {"malloc:glibc"};
  request.touch = "full";
  const absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  const proto::Run& run = report->runs(0);
  EXPECT_EQ(run.events(), 4000u);
  EXPECT_EQ(run.outcome(), proto::SURVIVED);
  // Every byte of every object was written, so at the least that much is resident.
  EXPECT_GE(run.peak_rss_bytes(), run.peak_live_bytes() * 9 / 10);
  request.targets = {"malloc:/nonexistent.so"};
  EXPECT_THAT(ErrorOf(request), HasSubstr("/nonexistent.so"));
}

TEST(ReplayChildTest, AChildThatDiesOfASignalIsAnErrorThatNamesIt) {
  class Crash final : public ReplayTarget {
    bool Start() override { return true; }
    size_t Apply(const ReplayOp*, size_t, const ForeignOp*) override { abort(); }
    void Finish() override {}
  };
  auto stream = OpStream::Open(SmallTrace(), /*allow_cut_off=*/false);
  ASSERT_TRUE(stream.ok());
  ChildPlan plan;
  plan.make_target = [](Os*) { return std::make_unique<Crash>(); };
  const absl::StatusOr<ChildReport> report = RunInChild(plan, stream->get(), nullptr);
  ASSERT_FALSE(report.ok());
  EXPECT_THAT(std::string(report.status().message()), HasSubstr("signal 6"));
}

}  // namespace
}  // namespace reheap

int main(int argc, char** argv) {
  reheap::MaybeRunReplayWorker(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
