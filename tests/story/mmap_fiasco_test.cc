// The story of February 2011, told with the allocator and the virtual OS of this repository: reserve 17 GiB and
// die under `ulimit -v`; pretend instead, and die only when somebody is there. A newcomer who reads only
// this file knows what reheap is for.
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/report.pb.h"
#include "sim/os/platform_catalog.h"
#include "sim/os/virtual_os.h"
#include "sim/replay/replay_request.h"
#include "sim/report/report.h"
#include "traces/trace_writer.h"

namespace reheap {
namespace {

// A small program: `objects` objects of `bytes` each, all alive at the end.
std::string WriteTrace(const std::string& name, int objects, uint64_t bytes) {
  const std::string path = testing::TempDir() + "/" + name;
  auto writer = TraceWriter::Create(path, proto::TraceHeader());
  EXPECT_TRUE(writer.ok()) << writer.status();
  TraceEvent event;
  event.call = CallKind::kMalloc;
  event.thread = (*writer)->AddThread(proto::TraceThread());
  event.size = bytes;
  for (int i = 0; i < objects; ++i) {
    event.object = static_cast<uint32_t>(i);
    EXPECT_TRUE((*writer)->Append(event).ok());
  }
  EXPECT_TRUE((*writer)->Finish().ok());
  return path;
}

std::string HelloWorld() { return WriteTrace("hello.trace", 100, 48); }

ReplayRequest Ask(const std::string& trace, const std::string& strategy, const std::string& platform) {
  ReplayRequest request;
  request.trace_path = trace;
  request.strategies = {strategy};
  request.virtual_world = true;
  request.platforms = {platform};
  return request;
}

proto::Run Only(const ReplayRequest& request) {
  absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
  EXPECT_TRUE(report.ok()) << report.status();
  if (!report.ok()) return proto::Run();
  EXPECT_EQ(report->runs_size(), 1);
  return report->runs(0);
}

TEST(MmapFiascoTest, ReservingSeventeenGibibytesIsFineWithoutALimit) {
  const proto::Run run = Only(Ask(HelloWorld(), "go-2011-02-reserve17g", "linux-amd64"));
  EXPECT_EQ(run.outcome(), proto::SURVIVED);
  EXPECT_EQ(run.events(), 100u);
  EXPECT_GE(run.peak_vsize_bytes(), 17 * kGiB);
  EXPECT_LT(run.peak_rss_bytes(), 1 * kMiB) << "a reservation costs address space, not memory";
}

TEST(MmapFiascoTest, UlimitCountsTheReservationAndEveryProgramDiesAtItsStart) {
  ReplayRequest request = Ask(HelloWorld(), "go-2011-02-reserve17g", "linux-amd64");
  request.address_limits = {4 * kGiB};
  const proto::Run run = Only(request);
  EXPECT_EQ(run.outcome(), proto::STARTUP_ABORT);
  EXPECT_EQ(run.events(), 0u);
  EXPECT_EQ(run.refusal().rule(), "RLIMIT_AS");
  EXPECT_EQ(run.refusal().operation(), "commit") << "the build of then took errno 12 for an address";
  EXPECT_EQ(run.refusal().asked_bytes(), 17 * kGiB);
  EXPECT_EQ(run.refusal().allowed_bytes(), 4 * kGiB);
}

TEST(MmapFiascoTest, DarwinOf2011IgnoredTheLimit) {
  ReplayRequest request = Ask(HelloWorld(), "go-2011-02-reserve17g", "darwin-amd64-11");
  request.address_limits = {4 * kGiB};
  EXPECT_EQ(Only(request).outcome(), proto::SURVIVED);

  request.platforms = {"darwin-amd64-12"};
  EXPECT_EQ(Only(request).outcome(), proto::STARTUP_ABORT) << "macOS 12 began to enforce it";
}

TEST(MmapFiascoTest, PretendingToHaveTheRangeStartsUnderTheSameLimit) {
  ReplayRequest request = Ask(HelloWorld(), "go-2011-02-pretend", "linux-amd64");
  request.address_limits = {4 * kGiB};
  const proto::Run run = Only(request);
  EXPECT_EQ(run.outcome(), proto::SURVIVED);
  EXPECT_LT(run.peak_vsize_bytes(), 64 * kMiB);
}

TEST(MmapFiascoTest, PretendingDiesNamingBothAddressesWhenSomebodyHoldsTheNextHeapPage) {
  // The heap of that plan starts at 0xf840000000, its first growth is 1 MiB, so the next page is behind that.
  const Addr next_heap_page(0xf840000000 + kMiB);
  ReplayRequest request = Ask(WriteTrace("grows.trace", 64, 64 * kKiB), "go-2011-02-pretend", "linux-amd64");
  request.squatters = {{next_heap_page, 64 * kKiB}};
  const proto::Run run = Only(request);
  EXPECT_EQ(run.outcome(), proto::LATE_ABORT);
  EXPECT_GT(run.events(), 0u);
  EXPECT_LT(run.events(), 64u);
  EXPECT_EQ(run.refusal().rule(), "address taken");
  EXPECT_EQ(run.refusal().wanted_address(), next_heap_page.value());
  EXPECT_NE(run.refusal().obtained_address(), 0u);
  const std::string said = RefusalSentence(run.refusal());
  EXPECT_NE(said.find("wanted 0xf840100000"), std::string::npos) << said;
  EXPECT_NE(said.find(absl::StrCat("offered 0x", absl::Hex(run.refusal().obtained_address()))), std::string::npos) << said;

  request.strategies = {"go-2011-02-reserve17g"};
  EXPECT_EQ(Only(request).outcome(), proto::SURVIVED) << "a real reservation is moved elsewhere instead";
}

// What its author could not try: the same reservation under the same limit, wherever else it might have run.
TEST(MmapFiascoTest, TheReservationOfSeventeenGibibytesUnderFourOnEverySystem) {
  const struct {
    const char* platform;
    Rule refused_by;
  } cases[] = {{"linux-amd64", Rule::kAddressLimit},     {"freebsd-amd64", Rule::kAddressLimit},
               {"freebsd-arm64", Rule::kAddressLimit},   {"netbsd-amd64", Rule::kAddressLimit},
               {"openbsd-amd64", Rule::kNone},           {"darwin-amd64-11", Rule::kNone},
               {"darwin-amd64-12", Rule::kAddressLimit}, {"windows-amd64", Rule::kNone}};
  for (const auto& c : cases) {
    VirtualProcess process;
    process.platform = Platforms().Find(c.platform);
    ASSERT_NE(process.platform, nullptr) << c.platform;
    process.limits.address_bytes = 4 * kGiB;
    VirtualOs os(process);
    const auto got = os.Reserve(17 * kGiB, Addr(0xf800000000));
    EXPECT_EQ(got.ok() ? Rule::kNone : got.refusal().rule, c.refused_by) << c.platform;
  }
}

TEST(MmapFiascoTest, OpenBsdGivesTheReservationAndHoldsTheHeapByItsDataLimit) {
  VirtualProcess process;
  process.platform = Platforms().Find("openbsd-amd64");
  process.limits.data_bytes = 4 * kGiB;
  VirtualOs os(process);
  const auto arena = os.Reserve(17 * kGiB, Addr(0xf800000000));
  ASSERT_TRUE(arena.ok()) << "PROT_NONE is not counted";
  EXPECT_TRUE(os.Commit({arena.value().start, 3 * kGiB}, Access::kReadWrite, CommitMethod::kProtect).ok());
  const auto more =
      os.Commit({arena.value().start + 3 * kGiB, kGiB}, Access::kReadWrite, CommitMethod::kProtect);
  ASSERT_FALSE(more.ok()) << "the program's own BSS is in the 4 GiB too";
  EXPECT_EQ(more.refusal().rule, Rule::kDataLimit);
}

TEST(MmapFiascoTest, FreeBsdHasAWordForReservingAndStillCountsItOnce) {
  VirtualProcess process;
  process.platform = Platforms().Find("freebsd-amd64");
  process.limits.address_bytes = 4 * kGiB;
  VirtualOs os(process);
  constexpr int kGuardFixed = 0x2010, kAnonFixed = 0x1012;
  const Addr arena(0xf800000000);
  EXPECT_FALSE(os.Mmap(arena, 17 * kGiB, 0, kGuardFixed).ok()) << "MAP_GUARD is tested when it is made";
  for (uint64_t part = 0; part < 6; ++part) {
    EXPECT_TRUE(os.Mmap(arena + part * 3 * kGiB, 3 * kGiB, 0, kGuardFixed).ok()) << "but not counted after";
  }
  EXPECT_TRUE(os.Mmap(arena, kGiB, kProtRead | kProtWrite, kAnonFixed).ok());
  EXPECT_LT(os.Usage().vsize_bytes, 2 * kGiB);
}

// How much a program on FreeBSD maps, in pieces, until the kernel comes to 0xf800000000 by itself.
uint64_t BytesUntilThePretendedRange(std::optional<uint64_t> seed) {
  VirtualProcess process;
  process.platform = Platforms().Find("freebsd-amd64");
  process.limits.ram_bytes = kTiB;
  process.layout.aslr_seed = seed;
  VirtualOs os(process);
  for (uint64_t bytes = 0;; bytes += kGiB) {
    const auto piece = os.Reserve(kGiB, Addr());
    EXPECT_TRUE(piece.ok());
    if (!piece.ok() || piece.value().end() > Addr(0xf800000000)) return bytes;
  }
}

TEST(MmapFiascoTest, FreeBsdReachesThePretendedRangeFromBelowAfterNearlyATebibyte) {
  const uint64_t without_aslr = BytesUntilThePretendedRange(std::nullopt);
  EXPECT_EQ(without_aslr / kGiB, 959u) << "992 GiB less the 32 GiB that are kept for the data segment";
  const uint64_t with_aslr = BytesUntilThePretendedRange(2011);
  EXPECT_LT(with_aslr, without_aslr) << "each place is drawn up to 16 MiB higher";
  EXPECT_GT(with_aslr, without_aslr * 9 / 10);
}

// "The C allocator would not end up at our reservation address without hitting it intentionally": 512 GiB of
// it, in the 64 MiB pieces of glibc's arenas and in 1 MiB pieces of its large blocks.
class CAllocatorBesideIt : public testing::TestWithParam<const char*> {};

TEST_P(CAllocatorBesideIt, NeverLandsInTheReservation) {
  const AddrRange reservation{Addr(0xf800000000), 17 * kGiB};
  for (uint64_t piece_bytes : {64 * kMiB, 16 * kMiB}) {
    VirtualProcess process;
    process.platform = Platforms().Find(GetParam());
    ASSERT_NE(process.platform, nullptr);
    process.limits.ram_bytes = kTiB;  // no single piece is refused by the overcommit heuristic
    VirtualOs os(process);
    for (uint64_t total = 0; total < 512 * kGiB; total += piece_bytes) {
      const OsResult<AddrRange> piece = os.MapReady(piece_bytes, Access::kReadWrite);
      ASSERT_TRUE(piece.ok()) << "after " << total << " bytes: " << RuleName(piece.refusal().rule);
      ASSERT_FALSE(piece.value().Overlaps(reservation)) << "after " << total << " bytes";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Story, CAllocatorBesideIt, testing::Values("linux-amd64", "freebsd-amd64"));

}  // namespace
}  // namespace reheap
