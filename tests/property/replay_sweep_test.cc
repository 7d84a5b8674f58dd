// Every combination of strategy, platform, limits and overcommit, and everything that somebody else wrote (a
// trace, a maps file, a squatter), gives a row or a Status: nothing dies. The virtual world; the real one's part
// is in sim/replay/run_replays_test.cc and tests/differential.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "alloc/arena.h"
#include "proto/report.pb.h"
#include "proto/trace.pb.h"
#include "sim/os/maps_text.h"
#include "sim/os/platform_catalog.h"
#include "sim/os/virtual_os.h"
#include "sim/replay/replay_request.h"
#include "sim/report/report.h"
#include "sim/strategies/strategy_catalog.h"
#include "traces/block_frame.h"
#include "traces/crc32c.h"
#include "traces/trace_builder.h"

namespace reheap {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;
using testing::UnorderedElementsAre;

std::string Save(const TraceBuilder& builder) {
  const std::string path = testing::TempDir() + "/sweep.trace";
  EXPECT_TRUE(builder.WriteTo(path).ok());
  return path;
}

// Three threads; small, aligned, large and resized objects, 6 MiB at most; slowly, a step in two seconds, so that every
// strategy that gives free memory back by time does.
TraceBuilder SmallProgram() {
  TraceBuilder builder;
  uint64_t time_ns = 0;
  const auto step = [&]() -> TraceBuilder& { return builder.Time(time_ns += 2'000'000'000); };
  for (uint32_t i = 0; i < 300; ++i) {
    step().Thread(i % 3);
    if (i % 50 == 7) {
      builder.Memalign(i, uint64_t{1} << (4 + i / 25), 5000);
    } else {
      builder.Malloc(i, i % 60 == 9 ? 1000000 : 16 + 40 * i);
    }
  }
  for (uint32_t i = 0; i < 300; i += 2) step().Thread((i + 1) % 3).Free(i);
  for (uint32_t i = 1; i < 300; i += 4) step().Realloc(i, 70000);
  return builder.Thread(1).ThreadEnd().Thread(3).Malloc(300, 64);
}

ReplayRequest Everything(const std::string& trace_path) {
  ReplayRequest request;
  request.trace_path = trace_path;
  request.strategies = StrategyNames();
  request.platforms = Platforms().Names();
  request.virtual_world = true;
  return request;
}

ReservationStrategy StrategyNamed(const std::string& name) { return LoadStrategy(name)->strategy; }

// A strategy meets the platforms of its own word size whose OS pages are no larger than what it maps at a time.
bool CanMeet(const std::string& strategy, const std::string& platform) {
  const Platform::Machine& machine = Platforms().Find(platform)->machine;
  const ReservationStrategy plan = StrategyNamed(strategy);
  return plan.word_bits == machine.word_bits && machine.os_page_bytes <= LargestOsPageBytes(plan);
}

// A refusal where nothing was limited: the platform itself does not let a process do such a thing.
void ExpectRefusedByThePlatformItself(const proto::Run& run) {
  const Platform& platform = *Platforms().Find(run.platform());
  const proto::Refusal& refusal = run.refusal();
  const bool returns_null = StrategyNamed(run.strategy()).on_refusal == OnRefusal::kReturnNull;
  EXPECT_EQ(run.outcome(), refusal.has_event() && returns_null ? proto::CATCHABLE_ERROR : proto::STARTUP_ABORT);
  if (refusal.rule() == "W^X") {
    EXPECT_NE(platform.mappings.write_execute_map_error, 0);
    EXPECT_EQ(StrategyNamed(run.strategy()).access, Access::kReadWriteExecute);
  } else if (refusal.rule() == "address space exhausted") {
    EXPECT_GT(refusal.asked_bytes(), refusal.largest_gap_bytes());
  } else if (refusal.rule() == "commit limit") {
    EXPECT_GT(refusal.in_use_bytes() + refusal.asked_bytes(), refusal.allowed_bytes());
  } else {
    EXPECT_THAT(refusal.rule(), testing::AnyOf("address taken", "out of user range"));
    EXPECT_GT(refusal.wanted_address() + refusal.asked_bytes(), platform.machine.user_end);
  }
}

void ExpectSoundRow(const proto::Run& run, uint64_t trace_events) {
  SCOPED_TRACE(run.ShortDebugString().substr(0, 900));
  const bool survived = run.outcome() == proto::SURVIVED;
  EXPECT_EQ(survived, !run.has_refusal());
  switch (run.outcome()) {
    case proto::SURVIVED:
      EXPECT_EQ(run.events(), trace_events);
      break;
    case proto::LATE_ABORT:
      EXPECT_EQ(run.refusal().event(), run.events());
      EXPECT_NE(run.refusal().rule(), "");
      break;
    case proto::STARTUP_ABORT:
      EXPECT_EQ(run.events(), 0u);
      EXPECT_NE(run.refusal().rule(), "");
      break;
    case proto::CATCHABLE_ERROR:  // answered NULL, and went on
      EXPECT_EQ(run.events(), trace_events);
      EXPECT_NE(run.refusal().rule(), "");
      EXPECT_GT(run.failed_allocations(), 0u);
      break;
    case proto::DEGRADED:
      EXPECT_EQ(run.events(), trace_events);
      EXPECT_NE(run.degraded_mode(), "");
      break;
    default:
      ADD_FAILURE() << "a row without outcome";
  }
  const uint64_t held_bytes = run.image_vsize_bytes() + run.peak_vsize_bytes();
  if (run.refusal().rule() == "RLIMIT_AS") {
    EXPECT_GT(run.refusal().in_use_bytes() + run.refusal().asked_bytes(), run.limits().address_bytes());
  }
  const Platform* platform = Platforms().Find(run.platform());
  ASSERT_NE(platform, nullptr);
  const bool enforced = platform->limits.address != AddressLimitRule::kNotEnforced;
  const bool fitted_at_start = run.image_vsize_bytes() <= run.limits().address_bytes();
  if (enforced && run.limits().has_address_bytes() && fitted_at_start) {
    EXPECT_LE(held_bytes, run.limits().address_bytes());
  }
}

TEST(ReplaySweep, EveryCombinationIsARow) {
  const TraceBuilder program = SmallProgram();
  ReplayRequest request = Everything(Save(program));
  const std::vector<std::optional<uint64_t>> limits = {std::nullopt, 64 * kMiB, kMiB, 0};
  request.address_limits = request.data_limits = limits;
  request.overcommit_modes = {0, 1, 2};
  for (const char* touch : {"none", "full"}) {
    request.touch = touch;
    const absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
    ASSERT_TRUE(report.ok()) << report.status();
    // What is left out is said, once for each pair.
    int pairs = 0;
    for (const std::string& strategy : request.strategies) {
      for (const std::string& platform : request.platforms) {
        if (CanMeet(strategy, platform)) {
          ++pairs;
        } else {
          EXPECT_THAT(report->notes(), Contains(AllOf(StartsWith(strategy + " "), HasSubstr(" " + platform + " "),
                                                      EndsWith(": left out"))));
        }
      }
    }
    EXPECT_EQ(report->notes_size(), std::ssize(request.strategies) * std::ssize(request.platforms) - pairs);
    EXPECT_EQ(report->runs_size(), pairs * 4 * 4 * 3);
    for (const proto::Run& run : report->runs()) {
      ExpectSoundRow(run, program.events().size());
      EXPECT_NE(run.refusal().rule(), "invalid argument") << run.ShortDebugString().substr(0, 900);
    }
  }
}

TEST(ReplaySweep, AbsurdSizesAndAlignmentsAreRows) {
  struct Demand {
    uint64_t bytes;
    uint64_t alignment;
  };
  constexpr uint64_t kOne = 1;
  const Demand demands[] = {
      {kOne << 31, 0},         {(kOne << 31) + 1, 4096}, {kOne << 46, 0},  {kOne << 47, 0},
      {kOne << 63, 0},         {~uint64_t{0}, 0},        {~uint64_t{0} - 4095, 1 << 16},
      {0, kOne << 63},         {1, kOne << 40},          {1 << 20, kOne << 40},
      {~uint64_t{0}, kOne << 63},
  };
  for (const Demand& demand : demands) {
    SCOPED_TRACE(testing::Message() << demand.bytes << " bytes at multiples of " << demand.alignment);
    TraceBuilder builder;
    builder.Malloc(0, 100).Memalign(1, demand.alignment, demand.bytes).Realloc(0, demand.bytes).Free(1);
    ReplayRequest request = Everything(Save(builder));
    request.address_limits = {std::nullopt, 64 * kMiB, ~uint64_t{0}};
    const absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
    ASSERT_TRUE(report.ok()) << report.status();
    for (const proto::Run& run : report->runs()) ExpectSoundRow(run, 4);
  }
}

TEST(ReplaySweep, AThreadWhoseFirstCallIsFreeMayBeRefusedItsCache) {
  TraceBuilder builder;
  constexpr uint32_t kThreads = 9000;
  for (uint32_t i = 0; i < kThreads; ++i) builder.Malloc(i, 8);
  for (uint32_t i = 0; i < kThreads; ++i) builder.Thread(1 + i).Free(i);
  ReplayRequest request = Everything(Save(builder));
  request.address_limits = {std::nullopt, 64 * kMiB};
  const absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  int refused = 0;
  for (const proto::Run& run : report->runs()) {
    ExpectSoundRow(run, 2 * kThreads);
    if (!run.limits().has_address_bytes()) {
      SCOPED_TRACE(run.ShortDebugString().substr(0, 900));
      if (run.outcome() != proto::SURVIVED) ExpectRefusedByThePlatformItself(run);
    } else if (run.outcome() == proto::LATE_ABORT) {
      ++refused;
      EXPECT_GT(run.refusal().event(), kThreads);
    }
  }
  EXPECT_GT(refused, 0);
}

TEST(ReplaySweep, WhatCannotBeCarriedOutIsANoteAndWhy) {
  ReplayRequest request = Everything(Save(SmallProgram()));
  request.strategies = {"go-2011-02-pretend", "go-1.11-sparse"};
  request.platforms = {"linux-arm64-64k", "linux-386"};
  const absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->runs_size(), 1);
  EXPECT_THAT(report->notes(),
              UnorderedElementsAre("go-1.11-sparse is a 64-bit strategy, linux-386 a 32-bit platform: left out",
                                   "go-2011-02-pretend is a 64-bit strategy, linux-386 a 32-bit platform: left out",
                                   "go-2011-02-pretend maps memory by multiples of 8192 bytes, an OS page of "
                                   "linux-arm64-64k has 65536: left out"));
}

// Whoever reads a row sees whether its platform was ever compared with a kernel, in each form of the report.
TEST(ReplaySweep, WhereRulesComeFromIsVisible) {
  const ReplayRequest request = Everything(Save(SmallProgram()));
  absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  const std::string table = RenderTable(*report, {});
  const std::vector<std::string> lines = absl::StrSplit(RenderCsv(*report), "\r\n");
  for (int i = 0; i < report->runs_size(); ++i) {
    const proto::Run& run = report->runs(i);
    SCOPED_TRACE(run.platform());
    const bool compared = Platforms().Find(run.platform())->basis == Basis::kComparableWithRunningKernel;
    const std::string basis = compared ? "rules compared with a running kernel" : "from source, not measured";
    EXPECT_THAT(table, HasSubstr(absl::StrCat("\n", run.platform(), ": ", basis, "\n")));
    const bool needs_quotes = absl::StrContains(basis, ",");
    const std::string cell = needs_quotes ? absl::StrCat("\"", basis, "\"") : basis;
    EXPECT_THAT(lines[static_cast<size_t>(i) + 1], HasSubstr(absl::StrCat(",", run.platform(), ",", cell, ",")));
    proto::Report one;
    *one.add_runs() = run;
    EXPECT_THAT(*RenderJson(one), HasSubstr(absl::StrCat("\"platform_basis\": \"", basis, "\"")));
  }
}

TEST(ReplaySweep, ARefusalSaysRuleNumbersAndWhoHoldsTheMost) {
  ReplayRequest request = Everything(Save(SmallProgram()));
  request.strategies = {"go-2011-02-reserve17g"};
  request.platforms = {"freebsd-amd64"};
  request.address_limits = {4 * kGiB};
  const absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_EQ(report->runs_size(), 1);
  EXPECT_THAT(RefusalSentence(report->runs(0).refusal()),
              MatchesRegex("RLIMIT_AS: asked 17\\.0 GiB, [0-9.]+( [KM]iB)? of 4\\.0 GiB in use; largest: [^;]+ "
                           "[0-9.]+ [KMG]iB; at startup: commit, wanted 0xf800000000, error 12"));
}

// ---- images ----

absl::Status ReplayIn(const std::string& maps, const std::string& platform, const std::string& strategy) {
  ReplayRequest request = Everything(Save(SmallProgram()));
  request.maps_path = testing::TempDir() + "/sweep.maps";
  std::ofstream(request.maps_path) << maps;
  request.platforms = {platform};
  request.strategies = {strategy};
  request.address_limits = {std::nullopt, 0};
  const absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
  if (!report.ok()) return report.status();
  for (const proto::Run& run : report->runs()) ExpectSoundRow(run, SmallProgram().events().size());
  return absl::OkStatus();
}

constexpr char kProgram[] = "08048000-08049000 r-xp 00000000 fe:00 1 a\n08049000-0804a000 rw-p 00001000 fe:00 1 a\n";

TEST(ReplaySweep, ImagesAtTheEdgesAreRows) {
  const std::string edges[] = {
      "fffdd000-ffffe000 rw-p 00000000 00:00 0 [stack]\n",  // up to the 32-bit user limit
      "08060000-08070000 rw-p 00000000 00:00 0 [stack]\n",  // less than its guard gap above the program
      "08050000-c0000000 ---p 00000000 00:00 0\n",          // nothing is free above
  };
  for (const std::string& edge : edges) {
    const std::string maps = kProgram + edge;
    const std::vector<ImageMapping> mappings = *ParseMaps(maps, "edge");
    for (const std::string& platform : Platforms().Names()) {
      const bool fits = std::all_of(mappings.begin(), mappings.end(), [&](const ImageMapping& mapping) {
        return PlatformFault(mapping, *Platforms().Find(platform)).empty();
      });
      for (const std::string& strategy : StrategyNames()) {
        if (!CanMeet(strategy, platform)) continue;
        EXPECT_EQ(ReplayIn(maps, platform, strategy).code(),
                  fits ? absl::StatusCode::kOk : absl::StatusCode::kInvalidArgument)
            << platform << strategy << maps;
      }
    }
  }
  const std::string top = "7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0 [stack]\n";
  EXPECT_EQ(ReplayIn(kProgram + top, "linux-amd64", "go-2011-02-pretend"), absl::OkStatus());
  // A stack that begins below the size of its own guard gap.
  const std::string low = "00010000-00020000 rw-p 00000000 00:00 0 [stack]\n00020000-7fffffff0000 ---p 00000000 00:00 0\n";
  EXPECT_EQ(ReplayIn(low, "linux-amd64", "go-2010-radix"), absl::OkStatus());
}

TEST(ReplaySweep, ImagesThatNoProcessHasAreErrors) {
  const struct {
    std::string lines;
    const char* platform;
    const char* expected;
  } cases[] = {
      {"08049800-0804a000 rw-p 00000000 00:00 0\n", "linux-amd64", "whole pages"},
      {"0804a000-0804b000 rw-p 00000000 00:00 0\n08040000-08041000 rw-p 00000000 00:00 0\n", "linux-amd64", "rising order"},
      {"0804a000-0804c000 rw-p 00000000 00:00 0\n0804b000-0804d000 rw-p 00000000 00:00 0\n", "linux-amd64", "overlap"},
      {"8000000000000000-8000000000001000 rw-p 00000000 00:00 0\n", "linux-amd64", "below 2^63"},
      {"7fff00000000-7fff00001000 rw-p 00000000 00:00 0\n", "linux-386", "expected addresses below 0xffffe000 on linux-386"},
      {"\n", "linux-amd64", "expected mappings"},
  };
  for (const auto& c : cases) {
    const bool is_32_bit = std::string(c.platform) == "linux-386";
    const absl::Status status =
        ReplayIn(c.lines, c.platform, is_32_bit ? "go-2011-02-reserve768m-386" : "go-2011-02-pretend");
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.lines;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.expected));
    EXPECT_THAT(std::string(status.message()), HasSubstr("sweep.maps"));
  }
}

TEST(ReplaySweep, AHeaderWithImpossibleMappingsIsAnError) {
  TraceBuilder builder = SmallProgram();
  for (uint64_t start : {0x400000, 0x400000}) {
    proto::Mapping* mapping = builder.header().add_mappings();
    mapping->set_start(start);
    mapping->set_end(start + 0x2000);
    mapping->set_permissions("rw-p");
  }
  const absl::StatusOr<proto::Report> report = RunReplays(Everything(Save(builder)), nullptr);
  EXPECT_EQ(report.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(report.status().message()), HasSubstr("sweep.trace: header, mapping 1: expected"));
}

// The file with another slot_count in its trailer, and whole in every other way.
std::string WithSlotCount(const std::string& path, uint64_t slot_count) {
  std::string bytes;
  {
    std::ifstream in(path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  const std::string end = bytes.substr(bytes.size() - kFooterBytes);
  const uint64_t offset = FileFooter::Decode(end)->trailer_offset;
  FrameHeader frame = *FrameHeader::Decode(std::string_view(bytes).substr(offset, kFrameBytes));
  std::string payload;
  EXPECT_TRUE(BlockDecompressor()
                  .Decompress(std::string_view(bytes).substr(offset + kFrameBytes, frame.stored_bytes), frame.raw_bytes,
                              &payload)
                  .ok());
  proto::TraceTrailer trailer;
  EXPECT_TRUE(trailer.ParseFromString(payload));
  trailer.set_slot_count(slot_count);
  payload = trailer.SerializeAsString();
  const std::string stored = *BlockCompressor(1).Compress({payload});
  frame.stored_bytes = static_cast<uint32_t>(stored.size());
  frame.raw_bytes = static_cast<uint32_t>(payload.size());
  frame.payload_crc = Crc32c(stored);
  const std::string changed = testing::TempDir() + "/slots.trace";
  std::ofstream(changed, std::ios::binary) << bytes.substr(0, offset) << frame.Encode() << stored << end;
  return changed;
}

TEST(ReplaySweep, ATrailerThatLiesAboutSlotsIsAnError) {
  const std::string path = Save(SmallProgram());  // 301 slots
  for (uint64_t slots : {uint64_t{0}, uint64_t{300}, uint64_t{1} << 30, (uint64_t{1} << 32) + 1, ~uint64_t{0}}) {
    const absl::StatusOr<proto::Report> report = RunReplays(Everything(WithSlotCount(path, slots)), nullptr);
    EXPECT_EQ(report.status().code(), absl::StatusCode::kInvalidArgument) << slots;
    EXPECT_THAT(std::string(report.status().message()), HasSubstr("slots.trace: ")) << slots;
  }
  EXPECT_TRUE(RunReplays(Everything(WithSlotCount(path, 301)), nullptr).ok());
}

// ---- squatters ----

TEST(ReplaySweep, ASquatterIsARowOrAnError) {
  const std::string trace = Save(SmallProgram());
  const struct {
    AddrRange range;
    bool is_error;
  } cases[] = {
      {{Addr(0x00400000), 4096}, true},            // over the image
      {{Addr(0x7fffffff0000), kMiB}, true},        // beyond the user's addresses
      {{Addr(~uint64_t{0} - 4095), 4096}, true},   // up to 2^64
      {{Addr(0xf800000000), kMiB}, false},         // where the heap would begin
      {{Addr(0xf840000000), kMiB}, false},         // in the middle of its flat map
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(testing::Message() << c.range.start.value());
    ReplayRequest request = Everything(trace);
    request.platforms = {"linux-amd64"};
    request.squatters = {c.range};
    const absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
    EXPECT_EQ(report.ok(), !c.is_error) << report.status();
    if (!report.ok()) {
      EXPECT_THAT(std::string(report.status().message()), HasSubstr("squatter"));
      continue;
    }
    for (const proto::Run& run : report->runs()) ExpectSoundRow(run, SmallProgram().events().size());
  }
}

TEST(ReplaySweep, WordsOutsideTheirRangeAreErrors) {
  ReplayRequest request = Everything(Save(SmallProgram()));
  request.overcommit_modes = {3};
  EXPECT_THAT(std::string(RunReplays(request, nullptr).status().message()), HasSubstr("overcommit mode 3"));
}

}  // namespace
}  // namespace reheap
