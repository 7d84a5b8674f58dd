// The contract of alloc/os.h, one source for every world: RealOs on the running kernel, VirtualOs on each
// platform.
//
// The environment chooses the world: REHEAP_WORLD = "real" (also when it is not set), "wine", or a platform's
// name.
// Expectations differ between worlds only where the contract leaves them open, and then by the platform's
// data.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "alloc/memory.h"
#include "alloc/os.h"
#include "alloc/real_os.h"
#include "sim/os/platform_catalog.h"
#include "sim/os/shadow_memory.h"
#include "sim/os/virtual_os.h"
#include "tests/differential/wine/windows_process.h"
#include "tests/differential/wine/wine_os.h"

namespace reheap {
namespace {

std::string WorldFromEnvironment() {
  const char* world = std::getenv("REHEAP_WORLD");
  return world == nullptr ? "real" : world;
}
const std::string kWorld = WorldFromEnvironment();
const bool kReal = kWorld == "real";
const bool kWine = kWorld == "wine";

// One process for all tests; each World gives back what it took.
WindowsProcess& WineProcess() {
  static WindowsProcess process("tests/differential/wine/windows_executor.cc");
  return process;
}

// A process of the world under test: its Os, and a way to its memory.
class World {
 public:
  explicit World(std::optional<uint64_t> address_limit_bytes = std::nullopt) {
    if (kReal) {
      os_ = std::make_unique<RealOs>();
      return;
    }
    platform_ = Platforms().Find(kWine ? "windows-amd64" : kWorld);
    if (kWine) {
      if (!WhyNoWine().empty()) return;  // the test is skipped
      auto os = std::make_unique<WineOs>(&WineProcess());
      wine_ = os.get();
      os_ = std::move(os);
      return;
    }
    VirtualProcess process;
    process.platform = platform_;
    EXPECT_NE(process.platform, nullptr) << kWorld;
    process.limits.address_bytes = address_limit_bytes;
    auto os = std::make_unique<VirtualOs>(process);
    virtual_os_ = os.get();
    shadow_ = std::make_unique<ShadowMemory>(virtual_os_);
    os_ = std::move(os);
  }
  Os& os() { return *os_; }
  VirtualOs* virtual_os() { return virtual_os_; }           // null where it is not a model
  const Platform* platform() const { return platform_; }    // null in the real world
  uint64_t Read(Addr a) {
    if (wine_ != nullptr) return wine_->Read(a);
    // Volatile: an access that is there to fault must be made.
    if (shadow_ == nullptr) return const_cast<const volatile uint64_t&>(DirectMemory().Read<uint64_t>(a));
    return shadow_->Read<uint64_t>(a);
  }
  void Write(Addr a, uint64_t value) {
    if (wine_ != nullptr) {
      wine_->Write(a, value);
    } else if (shadow_ == nullptr) {
      const_cast<volatile uint64_t&>(DirectMemory().Write<uint64_t>(a)) = value;
    } else {
      shadow_->Write<uint64_t>(a) = value;
    }
  }
  bool MovesTakenHints() const {
    return kReal || platform_->placement.hint != HintRule::kExactOrRefused;
  }
  bool EnforcesAddressLimit() const {
    return kReal || platform_->limits.address != AddressLimitRule::kNotEnforced;
  }
  bool ChargesReservations() const {
    return !kReal && platform_->reservations.bytes_per_charged_byte != 0;
  }
  // Some systems refuse memory that is writable and executable.
  Access MostAccess() const {
    const bool refuses = !kReal && platform_->mappings.write_execute_map_error != 0;
    return refuses ? Access::kReadWrite : Access::kReadWriteExecute;
  }
  bool DropsOnDiscard() const {
    return kReal || platform_->mappings.discard == DiscardRule::kDroppedAtOnce;
  }
  // `bytes` of RSS, as Usage() tells it here.
  uint64_t Resident(uint64_t bytes) const { return kWine ? 0 : bytes; }

 private:
  std::unique_ptr<Os> os_;
  const Platform* platform_ = nullptr;
  WineOs* wine_ = nullptr;
  VirtualOs* virtual_os_ = nullptr;
  std::unique_ptr<ShadowMemory> shadow_;  // before os_ goes, so declared after it
};

// Runs `body` in a process with an address limit of `room_bytes` beyond what it has.
void UnderAddressLimit(uint64_t room_bytes, const std::function<void(World&)>& body) {
  if (!kReal) {
    World unlimited;
    World world(unlimited.os().Usage().vsize_bytes + room_bytes);
    body(world);
    return;
  }
  std::fflush(nullptr);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    World world;
    rlimit limit;
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = world.os().Usage().vsize_bytes + room_bytes;
    setrlimit(RLIMIT_AS, &limit);
    body(world);
    std::fflush(nullptr);
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "the child with the limit failed, see above";
}

class OsContractTest : public testing::Test {
 protected:
  // Free in every world, 32-bit ones too, and a multiple of every granularity. Where memory only grows: its
  // end, as it was when the test began.
  Addr hint() {
    if (kReal) return Addr(0xf800000000);
    if (os().only_grows()) return first_end_;
    const Platform::Machine& machine = world_.platform()->machine;
    if (machine.word_bits == 32) return Addr(0x60000000);
    return Addr(std::min<uint64_t>(0xf800000000, machine.user_end - 256 * kMiB));
  }
  Os& os() { return world_.os(); }
  uint64_t page() { return os().os_page_bytes(); }
  AddrRange Reserve(uint64_t bytes) {
    const auto got = os().Reserve(bytes, Addr());
    EXPECT_TRUE(got.ok());
    return got.value();
  }
  void SetUp() override {
    const std::string why = kWine ? WhyNoWine() : "";
    if (!why.empty()) GTEST_SKIP() << "nothing was tried: " << why;
    if (world_.virtual_os() == nullptr) return;
    const AddressSpace& space = world_.virtual_os()->space();
    first_end_ = space.mapping(space.Last()).end;
  }
  // Gives `range` back, or is told that this world never takes memory.
  void Release(AddrRange range) {
    const auto released = os().Release(range);
    EXPECT_EQ(released.ok(), !os().only_grows());
    if (!released.ok()) {
      EXPECT_EQ(released.refusal().rule, Rule::kOnlyGrows);
    }
  }
  // An access faults, unless this world has no way to make memory inaccessible.
  void ExpectNoAccess(Addr a) {
    if (os().only_grows()) {
      world_.Write(a, 1);
      EXPECT_EQ(world_.Read(a), 1u);
      return;
    }
    EXPECT_DEATH(world_.Write(a, 1), "");
    EXPECT_DEATH(world_.Read(a), "");
  }
  // The real world is one process for all tests: what a test maps at hint() must not be there for the next.
  void TearDown() override {
    if (kReal) {
      EXPECT_TRUE(os().Release({hint(), kMiB}).ok());
    }
  }
  World world_;
  Addr first_end_;  // virtual worlds: of the highest mapping
};
using OsContractDeathTest = OsContractTest;

// ---- None -> Reserved ----

TEST_F(OsContractTest, ReserveGivesWhatWasAskedOnGranules) {
  const AddrRange a = Reserve(5 * page()), b = Reserve(5 * page());
  EXPECT_EQ(a.bytes, 5 * page());
  EXPECT_EQ(a.start.value() % os().granularity_bytes(), 0u);
  EXPECT_EQ(b.start.value() % os().granularity_bytes(), 0u);
  EXPECT_FALSE(a.Overlaps(b));
}

TEST_F(OsContractTest, ReserveFollowsAFreeHint) {
  const auto got = os().Reserve(kMiB, hint());
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got.value(), (AddrRange{hint(), kMiB}));
}

TEST_F(OsContractTest, ReserveNeverLandsOnSomebodyForAHint) {
  const auto first = os().Reserve(kMiB, hint());
  ASSERT_TRUE(first.ok());
  const auto second = os().Reserve(kMiB, hint());
  ASSERT_TRUE(second.ok());
  EXPECT_FALSE(first.value().Overlaps(second.value()));
}

TEST_F(OsContractTest, ReserveCostsAddressSpaceAndNoMemory) {
  const OsUsage before = os().Usage();
  const AddrRange range = Reserve(kMiB);
  const OsUsage reserved = os().Usage();
  EXPECT_EQ(reserved.vsize_bytes - before.vsize_bytes, kMiB);
  EXPECT_EQ(reserved.rss_anonymous_bytes, before.rss_anonymous_bytes);
  EXPECT_EQ(reserved.commit_bytes - before.commit_bytes, world_.ChargesReservations() ? page() : 0)
      << "page tables at most, and one maps more than this";
  Release(range);
  EXPECT_EQ(os().Usage().vsize_bytes, before.vsize_bytes + (os().only_grows() ? kMiB : 0));
}

TEST_F(OsContractDeathTest, ReservedMemoryFaults) {
  const AddrRange range = Reserve(kMiB);
  ExpectNoAccess(range.start);
}

// ---- Reserved -> Ready ----

TEST_F(OsContractTest, CommitMakesZeroedUsableMemoryByEitherMethod) {
  for (const CommitMethod method : {CommitMethod::kMapFixed, CommitMethod::kProtect}) {
    const AddrRange range = Reserve(16 * page());
    ASSERT_TRUE(os().Commit({range.start + 4 * page(), 4 * page()}, Access::kReadWrite, method).ok());
    for (uint64_t i = 4; i < 8; ++i) {
      const Addr a = range.start + i * page();
      EXPECT_EQ(world_.Read(a), 0u);
      world_.Write(a, i);
      EXPECT_EQ(world_.Read(a), i);
    }
    Release(range);
  }
}

TEST_F(OsContractTest, CommitChangesNoAddressSpace) {
  const AddrRange range = Reserve(kMiB);
  const OsUsage before = os().Usage();
  ASSERT_TRUE(os().Commit(range, world_.MostAccess(), CommitMethod::kMapFixed).ok());
  const OsUsage after = os().Usage();
  EXPECT_EQ(after.vsize_bytes, before.vsize_bytes);
  EXPECT_EQ(after.rss_anonymous_bytes, before.rss_anonymous_bytes);
}

TEST_F(OsContractDeathTest, CommitReachesNoFurtherThanAsked) {
  const AddrRange range = Reserve(16 * page());
  ASSERT_TRUE(os().Commit({range.start, page()}, Access::kReadWrite, CommitMethod::kProtect).ok());
  world_.Write(range.start, 1);
  ExpectNoAccess(range.start + page());
}

// Where no page of zeros is shared, reading is enough.
TEST_F(OsContractTest, OnlyTouchedPagesAreResident) {
  const AddrRange range = os().MapReady(128 * page(), Access::kReadWrite).value();
  const bool reads_stay = !kReal && !world_.platform()->pages.zero_page;
  (void)os().Usage();
  const uint64_t before = os().Usage().rss_anonymous_bytes;
  for (uint64_t i = 0; i < 64; ++i) (void)world_.Read(range.start + i * page());
  const uint64_t after_reads = os().Usage().rss_anonymous_bytes;
  for (uint64_t i = 0; i < 128; i += 4) world_.Write(range.start + i * page(), i);
  const uint64_t after_writes = os().Usage().rss_anonymous_bytes;
  for (uint64_t i = 0; i < 128; i += 4) world_.Write(range.start + i * page() + 8, i);
  const uint64_t after_rewrites = os().Usage().rss_anonymous_bytes;
  EXPECT_EQ(after_reads - before, world_.Resident((reads_stay ? 64 : 0) * page()));
  EXPECT_EQ(after_writes - before, world_.Resident((reads_stay ? 64 + 16 : 32) * page()));
  EXPECT_EQ(after_rewrites, after_writes);
}

// ---- None -> Ready ----

TEST_F(OsContractTest, MapReadyIsZeroedAndUsable) {
  const auto got = os().MapReady(4 * page(), Access::kReadWrite);
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(world_.Read(got.value().start + 3 * page()), 0u);
  world_.Write(got.value().start, 7);
  EXPECT_EQ(world_.Read(got.value().start), 7u);
}

TEST_F(OsContractTest, MapReadyAtIsExact) {
  ASSERT_TRUE(os().MapReadyAt({hint(), kMiB}, Access::kReadWrite).ok());
  world_.Write(hint() + kMiB - 8, 7);
  EXPECT_EQ(world_.Read(hint() + kMiB - 8), 7u);
}

TEST_F(OsContractTest, MapReadyAtNamesBothAddressesOfAConflictAndLeavesNothing) {
  ASSERT_TRUE(os().MapReadyAt({hint(), kMiB}, Access::kReadWrite).ok());
  world_.Write(hint(), 7);
  const uint64_t before = os().Usage().vsize_bytes;
  const auto refused = os().MapReadyAt({hint(), kMiB}, Access::kReadWrite);
  const uint64_t after = os().Usage().vsize_bytes;
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.refusal().rule, Rule::kAddressTaken);
  EXPECT_EQ(refused.refusal().operation, OsOperation::kMapReadyAt);
  EXPECT_EQ(refused.refusal().asked_bytes, kMiB);
  EXPECT_EQ(refused.refusal().wanted, hint());
  EXPECT_EQ(static_cast<bool>(refused.refusal().obtained), world_.MovesTakenHints());
  EXPECT_NE(refused.refusal().obtained, hint());
  EXPECT_EQ(after, before);
  EXPECT_EQ(world_.Read(hint()), 7u);
}

// ---- Ready -> Prepared -> Ready ----

TEST_F(OsContractTest, DiscardedPagesAreZeroWhenReused) {
  const AddrRange range = os().MapReady(8 * page(), Access::kReadWrite).value();
  for (uint64_t i = 0; i < 8; ++i) world_.Write(range.start + i * page(), 1 + i);
  const OsUsage before = os().Usage();
  const AddrRange middle{range.start + 2 * page(), 4 * page()};
  ASSERT_TRUE(os().Discard(middle).ok());
  const OsUsage after = os().Usage();
  EXPECT_EQ(after.vsize_bytes, before.vsize_bytes);
  EXPECT_EQ(before.rss_anonymous_bytes - after.rss_anonymous_bytes,
            world_.DropsOnDiscard() ? world_.Resident(4 * page()) : 0);
  ASSERT_TRUE(os().Reuse(middle).ok());
  for (uint64_t i = 0; i < 8; ++i) {
    EXPECT_EQ(world_.Read(range.start + i * page()), i >= 2 && i < 6 ? 0 : 1 + i) << i;
  }
}

// ---- Ready -> Reserved ----

TEST_F(OsContractDeathTest, DecommittedMemoryFaultsAndComesBackZeroed) {
  const AddrRange range = Reserve(16 * page());
  ASSERT_TRUE(os().Commit(range, Access::kReadWrite, CommitMethod::kMapFixed).ok());
  world_.Write(range.start, 7);
  const OsUsage ready = os().Usage();
  ASSERT_TRUE(os().Decommit(range).ok());
  const OsUsage reserved = os().Usage();
  EXPECT_EQ(reserved.vsize_bytes, ready.vsize_bytes);
  EXPECT_EQ(ready.rss_anonymous_bytes - reserved.rss_anonymous_bytes,
            os().only_grows() ? 0 : world_.Resident(page()));
  ExpectNoAccess(range.start + page());
  ASSERT_TRUE(os().Commit(range, Access::kReadWrite, CommitMethod::kProtect).ok());
  EXPECT_EQ(world_.Read(range.start), 0u);
}

// ---- any -> None ----

TEST_F(OsContractDeathTest, ReleasedMemoryIsGone) {
  const AddrRange range = os().MapReady(16 * page(), Access::kReadWrite, hint()).value();
  world_.Write(range.start, 7);
  Release(range);
  if (os().only_grows()) {
    EXPECT_EQ(world_.Read(range.start), 7u);
    EXPECT_EQ(os().MapReadyAt(range, Access::kReadWrite).refusal().rule, Rule::kAddressTaken);
    return;
  }
  ExpectNoAccess(range.start);
  // The place is free again, and zero for who comes next.
  ASSERT_TRUE(os().MapReadyAt(range, Access::kReadWrite).ok());
  EXPECT_EQ(world_.Read(range.start), 0u);
}

TEST_F(OsContractTest, PartOfAReservationIsReleasedUnlessReleaseIsWhole) {
  const AddrRange range = Reserve(16 * page());
  const uint64_t before = os().Usage().vsize_bytes;
  const auto released = os().Release({range.start + 4 * page(), 4 * page()});
  const uint64_t after = os().Usage().vsize_bytes;
  const bool in_parts = !os().release_is_whole() && !os().only_grows();
  EXPECT_EQ(released.ok(), in_parts);
  EXPECT_EQ(before - after, in_parts ? 4 * page() : 0);
  if (!released.ok()) {
    EXPECT_NE(released.refusal().os_error, 0);
  }
}

// ---- refusals under a limit ----

TEST_F(OsContractTest, ReserveBeyondTheAddressLimitIsRefusedAndChangesNothing) {
  UnderAddressLimit(64 * kMiB, [](World& world) {
    const uint64_t before = world.os().Usage().vsize_bytes;
    const auto got = world.os().Reserve(64 * kMiB + world.os().os_page_bytes(), Addr());
    const uint64_t after = world.os().Usage().vsize_bytes;
    if (!world.EnforcesAddressLimit()) {
      EXPECT_TRUE(got.ok());
      return;
    }
    ASSERT_FALSE(got.ok());
    const Rule limit = world.os().only_grows() ? Rule::kMemoryMaximum : Rule::kAddressLimit;
    EXPECT_EQ(got.refusal().rule, kReal ? Rule::kUnknown : limit);
    EXPECT_EQ(got.refusal().os_error, kReal ? 12 : world.platform()->machine.errors.out_of_memory);
    EXPECT_EQ(got.refusal().asked_bytes, 64 * kMiB + world.os().os_page_bytes());
    EXPECT_EQ(got.refusal().operation, OsOperation::kReserve);
    if (!kReal) {
      EXPECT_EQ(got.refusal().in_use_bytes, before);
      EXPECT_EQ(got.refusal().allowed_bytes, before + 64 * kMiB);
    }
    EXPECT_EQ(after, before);
  });
}

TEST_F(OsContractTest, ReserveUpToTheAddressLimitIsGranted) {
  UnderAddressLimit(64 * kMiB, [](World& world) {
    EXPECT_TRUE(world.os().Reserve(64 * kMiB, Addr()).ok());
    const auto more = world.os().MapReady(world.os().os_page_bytes(), Access::kReadWrite);
    EXPECT_EQ(more.ok(), !world.EnforcesAddressLimit());
  });
}

TEST_F(OsContractTest, CommitByProtectionNeedsNoAddressSpace) {
  UnderAddressLimit(64 * kMiB, [](World& world) {
    const auto range = world.os().Reserve(64 * kMiB, Addr());
    ASSERT_TRUE(range.ok());
    EXPECT_TRUE(world.os().Commit(range.value(), Access::kReadWrite, CommitMethod::kProtect).ok());
  });
}

// ---- counters and observer ----

TEST_F(OsContractTest, EachRequestIsCountedRefusedOnesToo) {
  ASSERT_TRUE(os().MapReadyAt({hint(), kMiB}, Access::kReadWrite).ok());
  ASSERT_FALSE(os().MapReadyAt({hint(), kMiB}, Access::kReadWrite).ok());
  const AddrRange range = Reserve(16 * page());
  ASSERT_TRUE(os().Commit(range, Access::kReadWrite, CommitMethod::kMapFixed).ok());
  ASSERT_TRUE(os().Discard(range).ok());
  ASSERT_TRUE(os().Reuse(range).ok());
  ASSERT_TRUE(os().Decommit(range).ok());
  Release(range);
  EXPECT_EQ(os().calls(OsOperation::kReserve), 1u);
  EXPECT_EQ(os().calls(OsOperation::kCommit), 1u);
  EXPECT_EQ(os().calls(OsOperation::kMapReady), 0u);
  EXPECT_EQ(os().calls(OsOperation::kMapReadyAt), 2u);
  EXPECT_EQ(os().total_calls(), 8u);
}

class Recorder final : public Os::Observer {
 public:
  void BeforeRequest(OsOperation operation, AddrRange range) override {
    seen.push_back(std::string("before ") + OsOperationName(operation) + " " + std::to_string(range.bytes));
  }
  void AfterRequest(OsOperation operation, AddrRange, const Refusal* refusal) override {
    seen.push_back(std::string("after ") + OsOperationName(operation) +
                   (refusal == nullptr ? " done" : std::string(" ") + RuleName(refusal->rule)));
  }
  std::vector<std::string> seen;
};

TEST_F(OsContractTest, ObserverIsToldBeforeAndAfter) {
  Recorder recorder;
  os().set_observer(&recorder);
  ASSERT_TRUE(os().MapReadyAt({hint(), kMiB}, Access::kReadWrite).ok());
  ASSERT_FALSE(os().MapReadyAt({hint(), kMiB}, Access::kReadWrite).ok());
  os().set_observer(nullptr);
  Release({hint(), kMiB});
  EXPECT_EQ(recorder.seen, (std::vector<std::string>{"before map at 1048576", "after map at done",
                                                     "before map at 1048576", "after map at address taken"}));
}

TEST_F(OsContractTest, ImageBssIsGivenOnceAndReady) {
  const uint64_t before = os().Usage().vsize_bytes;
  const auto bss = os().TakeImageBss(2 * page());
  if (bss) {
    EXPECT_EQ(bss->bytes, 2 * page());
    EXPECT_EQ(bss->end(), os().image_end());
    world_.Write(bss->start, 7);
    EXPECT_EQ(world_.Read(bss->start), 7u);
  }
  EXPECT_EQ(bss.has_value(), world_.virtual_os() != nullptr);
  EXPECT_EQ(os().TakeImageBss(page()), std::nullopt);
  EXPECT_EQ(os().Usage().vsize_bytes, before);
}

}  // namespace
}  // namespace reheap
