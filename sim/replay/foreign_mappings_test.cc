#include "sim/replay/foreign_mappings.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "sim/os/platform_catalog.h"
#include "sim/os/virtual_os.h"
#include "sim/replay/virtual_foreign_space.h"

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kPlace = 0x600000000000;
constexpr int kReadWrite = 3;
constexpr int kAnonymous = 0x22;  // MAP_PRIVATE | MAP_ANONYMOUS on linux

ForeignOp Op(ForeignKind kind, uint64_t address, uint64_t bytes) {
  ForeignOp op;
  op.kind = kind;
  op.address = address;
  op.bytes = bytes;
  op.protection = kReadWrite;
  return op;
}
ForeignOp Map(uint64_t address, uint64_t bytes) { return Op(ForeignKind::kMap, address, bytes); }
ForeignOp Fixed(uint64_t address, uint64_t bytes) {
  ForeignOp op = Map(address, bytes);
  op.flags.fixed = true;
  return op;
}
ForeignOp Unmap(uint64_t address, uint64_t bytes) { return Op(ForeignKind::kUnmap, address, bytes); }
ForeignOp Remap(uint64_t from, uint64_t old_bytes, uint64_t to, uint64_t bytes) {
  ForeignOp op = Op(ForeignKind::kRemap, from, bytes);
  op.old_bytes = old_bytes;
  op.new_address = to;
  return op;
}
ForeignOp OfThread(ForeignKind kind, uint32_t thread) {
  ForeignOp op;
  op.kind = kind;
  op.thread = thread;
  return op;
}

VirtualProcess Process(const char* platform) {
  VirtualProcess process;
  process.platform = Platforms().Find(platform);
  return process;
}

struct Fixture {
  explicit Fixture(const VirtualProcess& process, uint64_t stack_bytes = 0)
      : os(process),
        space(MakeVirtualForeignSpace(&os)),
        mappings(space.get(), stack_bytes, std::pmr::get_default_resource()),
        baseline(os.Usage()) {}

  std::optional<Refusal> Apply(const ForeignOp& op) {
    auto refusal = mappings.Apply(op);
    mappings.CheckInvariants();
    os.CheckInvariants();
    EXPECT_EQ(os.Usage().vsize_bytes - baseline.vsize_bytes, mappings.stats().mapped_bytes);
    return refusal;
  }
  bool IsMapped(uint64_t address) const { return os.space().Containing(Addr(address)) != AddressSpace::kNone; }

  VirtualOs os;
  std::unique_ptr<ForeignSpace> space;
  ForeignMappings mappings;
  OsUsage baseline;
};

TEST(ForeignMappingsTest, AFreePlaceIsTheRecordedOne) {
  Fixture f(Process("linux-amd64"));
  EXPECT_FALSE(f.Apply(Map(kPlace, 3 * kPage)).has_value());
  EXPECT_TRUE(f.IsMapped(kPlace + 2 * kPage));
  EXPECT_EQ(f.mappings.stats().moved, 0u);
  f.Apply(Unmap(kPlace + kPage, kPage));
  EXPECT_FALSE(f.IsMapped(kPlace + kPage));
  EXPECT_EQ(f.mappings.stats().mapped_bytes, 2 * kPage);
  EXPECT_EQ(f.mappings.stats().peak_bytes, 3 * kPage);
}

TEST(ForeignMappingsTest, ATakenPlaceIsTranslatedFromThenOn) {
  Fixture f(Process("linux-amd64"));
  f.os.Squat({Addr(kPlace + kPage), kPage});
  f.baseline = f.os.Usage();
  f.Apply(Map(kPlace, 3 * kPage));
  EXPECT_EQ(f.mappings.stats().moved, 1u);
  EXPECT_FALSE(f.IsMapped(kPlace)) << "in one piece elsewhere";
  f.Apply(Unmap(kPlace, kPage));
  EXPECT_EQ(f.mappings.stats().mapped_bytes, 2 * kPage);
  ForeignOp protect = Op(ForeignKind::kProtect, kPlace + kPage, kPage);
  protect.protection = 0;
  EXPECT_FALSE(f.Apply(protect).has_value());
  f.Apply(Unmap(kPlace, 3 * kPage));
  EXPECT_EQ(f.mappings.stats().mapped_bytes, 0u);
  EXPECT_TRUE(f.IsMapped(kPlace + kPage)) << "the squatter stays";
}

TEST(ForeignMappingsTest, MapFixedReplacesOnlyItsOwn) {
  Fixture f(Process("linux-amd64"));
  f.Apply(Map(kPlace, 4 * kPage));
  f.Apply(Fixed(kPlace + kPage, 2 * kPage));
  EXPECT_EQ(f.mappings.stats().mapped_bytes, 4 * kPage);
  const auto heap = f.os.MapReady(4 * kPage, Access::kReadWrite);
  ASSERT_TRUE(heap.ok());
  f.baseline = f.os.Usage();
  f.baseline.vsize_bytes -= f.mappings.stats().mapped_bytes;
  f.Apply(Fixed(heap.value().start.value(), 4 * kPage));
  EXPECT_EQ(f.mappings.stats().moved, 1u) << "the heap was there";
}

TEST(ForeignMappingsTest, RemapGrowsMovesAndShrinks) {
  Fixture f(Process("linux-amd64"));
  f.Apply(Map(kPlace, 2 * kPage));
  f.Apply(Remap(kPlace, 2 * kPage, kPlace, 5 * kPage));
  EXPECT_TRUE(f.IsMapped(kPlace + 4 * kPage));
  f.Apply(Remap(kPlace, 5 * kPage, kPlace + kGiB, 8 * kPage));
  EXPECT_FALSE(f.IsMapped(kPlace));
  EXPECT_TRUE(f.IsMapped(kPlace + kGiB + 7 * kPage));
  f.Apply(Remap(kPlace + kGiB, 8 * kPage, kPlace + kGiB, kPage));
  EXPECT_EQ(f.mappings.stats().mapped_bytes, kPage);
  f.os.Squat({Addr(kPlace + kGiB + kPage), kPage});
  f.baseline.vsize_bytes += kPage;
  f.Apply(Remap(kPlace + kGiB, kPage, kPlace + kGiB, 2 * kPage));
  EXPECT_FALSE(f.IsMapped(kPlace + kGiB)) << "grew in place when recorded, has to move here";
  EXPECT_EQ(f.mappings.stats().mapped_bytes, 2 * kPage);
}

TEST(ForeignMappingsTest, CallsAboutOthersMemoryAreLeftOut) {
  Fixture f(Process("linux-amd64"));
  const auto heap = f.os.MapReady(kMiB, Access::kReadWrite);
  f.baseline = f.os.Usage();
  const uint64_t at = heap.value().start.value();
  f.Apply(Unmap(at, kMiB));
  f.Apply(Op(ForeignKind::kProtect, at, kMiB));
  f.Apply(Op(ForeignKind::kDiscard, at, kMiB));
  f.Apply(Remap(at, kMiB, kPlace, kMiB));
  f.Apply(Map(~uint64_t{0} - 100, 200));
  f.Apply(Map(kPlace, 0));
  EXPECT_EQ(f.mappings.stats().outside, 6u);
  EXPECT_EQ(f.mappings.stats().calls, 0u);
  EXPECT_TRUE(f.IsMapped(at));
}

TEST(ForeignMappingsTest, TheBreakMovesByTheProgramsOwnSteps) {
  Fixture f(Process("linux-amd64"));
  ForeignOp grow = Op(ForeignKind::kBreak, 0x555555600000, 0);
  grow.step = 8 * kPage;
  f.Apply(grow);
  EXPECT_EQ(f.mappings.stats().mapped_bytes, 8 * kPage);
  // A trace that does not know the step has two breaks to subtract.
  ForeignOp more = Op(ForeignKind::kBreak, 0x555555602000, 0);
  f.Apply(more);
  EXPECT_EQ(f.mappings.stats().mapped_bytes, 10 * kPage);
  ForeignOp back = Op(ForeignKind::kBreak, 0, 0);
  back.step = -100 * static_cast<int64_t>(kPage);
  f.Apply(back);
  EXPECT_EQ(f.mappings.stats().mapped_bytes, 0u) << "no more than it took";
}

TEST(ForeignMappingsTest, StacksAreKeptUpToFortyMebibytesAndUsedAgain) {
  Fixture f(Process("linux-amd64"), 8 * kMiB);
  constexpr uint64_t kStack = 8 * kMiB + kPage;
  f.Apply(OfThread(ForeignKind::kThreadStart, 0));
  EXPECT_EQ(f.mappings.stats().stacks, 0u) << "the first thread has [stack]";
  for (uint32_t t = 1; t <= 10; ++t) f.Apply(OfThread(ForeignKind::kThreadStart, t));
  EXPECT_EQ(f.mappings.stats().mapped_bytes, 10 * kStack);
  for (uint32_t t = 1; t <= 10; ++t) f.Apply(OfThread(ForeignKind::kThreadEnd, t));
  EXPECT_EQ(f.mappings.stats().mapped_bytes, 4 * kStack) << "measured with glibc 2.36: four stay";
  for (uint32_t t = 11; t <= 14; ++t) f.Apply(OfThread(ForeignKind::kThreadStart, t));
  EXPECT_EQ(f.mappings.stats().stacks, 10u);
  f.Apply(OfThread(ForeignKind::kThreadStart, 15));
  EXPECT_EQ(f.mappings.stats().stacks, 11u);
}

TEST(ForeignMappingsTest, ARefusalIsCountedAndChangesNothing) {
  VirtualProcess process = Process("linux-amd64");
  process.limits.address_bytes = kMiB;
  Fixture f(process, 8 * kMiB);
  const auto refusal = f.Apply(Map(kPlace, 2 * kMiB));
  ASSERT_TRUE(refusal.has_value());
  EXPECT_EQ(refusal->rule, Rule::kAddressLimit);
  EXPECT_TRUE(f.Apply(OfThread(ForeignKind::kThreadStart, 1)).has_value());
  EXPECT_EQ(f.mappings.stats().refused, 2u);
  EXPECT_EQ(f.mappings.stats().mapped_bytes, 0u);
  f.Apply(OfThread(ForeignKind::kThreadEnd, 1));
}

// Random calls on every platform: sums agree with the OS's, nothing of the heap's is ever touched.
// windows: what was committed stays so, but nobody may touch it; what was only reserved needs no call.
TEST(ForeignMappingsTest, ProtectingFromEveryoneHidesCommittedMemory) {
  VirtualOs os(Process("windows-amd64"));
  const std::unique_ptr<ForeignSpace> space = MakeVirtualForeignSpace(&os);
  const ForeignTraits writable{kReadWrite, ForeignFlags(), ForeignHolder::kProgram};
  const Addr at = space->MapAnywhere(kMiB, writable).value();
  ASSERT_TRUE(os.Touch(at, true));
  const uint64_t committed_bytes = os.Usage().commit_bytes;
  ASSERT_TRUE(space->Protect({at, kMiB}, 0).ok());
  EXPECT_FALSE(os.Touch(at, false));
  EXPECT_EQ(os.Usage().commit_bytes, committed_bytes);
  ASSERT_TRUE(space->Protect({at, kMiB}, kReadWrite).ok());
  EXPECT_TRUE(os.Touch(at, true));
  const ForeignTraits reserved{0, ForeignFlags(), ForeignHolder::kProgram};
  const Addr hidden = space->MapAnywhere(kMiB, reserved).value();
  EXPECT_TRUE(space->Protect({hidden, kMiB}, 0).ok());
  EXPECT_FALSE(os.Touch(hidden, false));
}

TEST(ForeignMappingsTest, RandomCallsNeverReachTheHeap) {
  const uint32_t seed = std::random_device()();
  for (const std::string& name : Platforms().Names()) {
    SCOPED_TRACE(testing::Message() << name << ", seed " << seed);
    std::mt19937 random(seed);
    Fixture f(Process(name.c_str()), 64 * kKiB);
    const uint64_t granule = f.os.platform().machine.granularity_bytes;
    const auto heap = f.os.MapReady(64 * granule, Access::kReadWrite);
    ASSERT_TRUE(heap.ok());
    const bool reserves = f.os.release_is_whole() || f.os.only_grows();
    f.baseline = f.os.Usage();
    for (int step = 0; step < 3000; ++step) {
      const uint64_t at = heap.value().start.value() - 64 * granule + random() % 256 * granule;
      const uint64_t bytes = (1 + random() % 32) * granule;
      ForeignOp op = Map(at, bytes);
      op.protection = random() % 4;
      op.flags.file = random() % 4 == 0;
      op.flags.shared = !reserves && random() % 4 == 0;
      switch (random() % 8) {
        case 0: op.flags.fixed = true; break;
        case 1: op.kind = ForeignKind::kUnmap; break;
        case 2: op.kind = ForeignKind::kProtect; break;
        case 3: op = Remap(at, (1 + random() % 32) * granule, at + random() % 2 * 512 * granule, bytes); break;
        case 4: op = OfThread(ForeignKind::kThreadStart, random() % 20); break;
        case 5: op = OfThread(ForeignKind::kThreadEnd, random() % 20); break;
        case 6: op.kind = ForeignKind::kDiscard; break;
        default: break;
      }
      const auto refusal = f.mappings.Apply(op);
      f.mappings.CheckInvariants();
      if (refusal.has_value()) continue;
      const AddressSpace::Id id = f.os.space().Containing(heap.value().start);
      ASSERT_NE(id, AddressSpace::kNone);
      ASSERT_TRUE(f.os.Touch(heap.value().start, true)) << step;
      ASSERT_TRUE(f.os.Touch(heap.value().end() - 1, true)) << step;
      // A released part of an allocation stays reserved where only whole ones are given back, all of it where
      // memory only grows.
      if (!reserves && !f.os.only_grows()) {
        ASSERT_EQ(f.os.Usage().vsize_bytes - f.baseline.vsize_bytes, f.mappings.stats().mapped_bytes) << step;
      }
    }
    f.os.CheckInvariants();
    EXPECT_GT(f.mappings.stats().moved, 10u);
  }
}

}  // namespace
}  // namespace reheap
