// ProcessLayout: seeds give repeatable layouts within the platform's ranges; saved maps files tell their
// layout. The maps are those of small programs on linux 6.18, the base behind each what its first hintless
// mmap showed.
#include "sim/os/process_layout.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "sim/os/platform_catalog.h"
#include "sim/os/virtual_os.h"

namespace reheap {
namespace {

constexpr uint64_t kStack = 8 * kMiB;

const Platform& Named(const std::string& name) {
  const Platform* platform = Platforms().Find(name);
  EXPECT_NE(platform, nullptr) << name;
  return *platform;
}

std::vector<ImageMapping> Maps(const std::string& text) {
  auto maps = ParseMaps(text, "test");
  EXPECT_TRUE(maps.ok()) << maps.status();
  return *maps;
}

// ---- laying out ----

std::vector<std::string> PlatformsThatRandomise() {
  std::vector<std::string> names;
  for (const std::string& name : Platforms().Names()) {
    if (Named(name).placement.randomisation) names.push_back(name);
  }
  return names;
}

TEST(ProcessLayoutTest, WithoutRandomisationTheOwnImageStaysAsWritten) {
  ASSERT_GE(PlatformsThatRandomise().size(), 10u);
  for (const std::string& name : PlatformsThatRandomise()) {
    VirtualProcess process;
    process.platform = &Named(name);
    const std::vector<ImageMapping> written = Maps(process.platform->image);
    const LaidProcess laid = LayProcess(*process.platform, {}, kStack, Addr());
    EXPECT_EQ(LayImage(laid, written), written) << name;
    EXPECT_EQ(LearnLayout(*process.platform, {}, kStack, Addr(), written).base, laid.base) << name;
  }
}

TEST(ProcessLayoutTest, ASeedDrawsWithinTheRangesAndAlwaysTheSame) {
  for (const std::string& name : PlatformsThatRandomise()) {
    const Platform& platform = Named(name);
    const Randomisation& r = *platform.placement.randomisation;
    const uint64_t page = platform.machine.os_page_bytes;
    const Addr highest = PlacementBase(platform, kStack, Addr(), r.stack_bytes);
    std::set<uint64_t> bases;
    for (uint64_t seed = 0; seed < 200; ++seed) {
      ProcessLayout layout;
      layout.aslr_seed = seed;
      const LaidProcess laid = LayProcess(platform, layout, kStack, Addr());
      ASSERT_LE(laid.base, highest) << name;
      ASSERT_LT(highest - laid.base, page << r.base_bits) << name;
      ASSERT_EQ(laid.base.value() % page, 0u) << name;
      ASSERT_LE(laid.stack_lowered_bytes, r.stack_bytes) << name;
      ASSERT_GE(laid.break_raised_bytes, page) << name;
      ASSERT_LE(laid.break_raised_bytes, r.break_bytes) << name;
      EXPECT_EQ(LayProcess(platform, layout, kStack, Addr()).base, laid.base);
      bases.insert(laid.base.value());
    }
    EXPECT_GE(bases.size(), 100u) << name;  // 8 bits at least
  }
}

TEST(ProcessLayoutTest, ARandomisedProcessIsWhole) {
  for (const std::string& name : PlatformsThatRandomise()) {
    VirtualProcess process;
    process.platform = &Named(name);
    process.layout.aslr_seed = 7;
    VirtualOs os(process), again(process);
    os.CheckInvariants();
    EXPECT_EQ(os.MapsText(), again.MapsText());
    const uint64_t page = os.os_page_bytes();
    const int flags =
        process.platform->machine.bits.map_private | process.platform->machine.bits.map_anonymous;
    const auto got = os.Mmap(Addr(), page, kProtRead, flags);
    ASSERT_TRUE(got.ok()) << name;
    // Directly below the kernel's own pages, which took the base; a maps file of it tells the same base.
    const LaidProcess learnt = LearnLayout(*process.platform, {}, kStack, Addr(), Maps(os.MapsText()));
    const LaidProcess laid = LayProcess(*process.platform, process.layout, kStack, Addr());
    EXPECT_EQ(learnt.base, laid.base) << name;
    EXPECT_EQ(learnt.platform.placement.fallback_base, laid.platform.placement.fallback_base) << name;
    process.layout.personality = static_cast<uint32_t>(process.platform->placement.personality->no_randomize);
    EXPECT_NE(VirtualOs(process).MapsText(), os.MapsText()) << name;
    process.layout = ProcessLayout();
    EXPECT_EQ(VirtualOs(process).program_break(), os.image_end());
  }
}

// ---- learning ----

constexpr char kStaticTail[] = "7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0 [stack]\n";
constexpr char kStaticHead[] =
    "00400000-0047a000 r-xp 00000000 fe:00 7 /tmp/m64\n"
    "004a6000-004a9000 rw-p 000a5000 fe:00 7 /tmp/m64\n"
    "004a9000-004ae000 rw-p 00000000 00:00 0\n";

TEST(ProcessLayoutTest, StaticProgramLegacyLayout) {
  const auto maps = Maps(std::string(kStaticHead) +
                         "004ae000-004d0000 rw-p 00000000 00:00 0 [heap]\n"
                         "2aaaaaaab000-2aaaaaab1000 r--p 00000000 00:00 0 [vvar]\n"
                         "2aaaaaab1000-2aaaaaab3000 r-xp 00000000 00:00 0 [vdso]\n" +
                         kStaticTail);
  const LaidProcess learnt = LearnLayout(Named("linux-amd64"), {}, kStack, Addr(), maps);
  EXPECT_EQ(learnt.platform.placement.direction, Direction::kBottomUp);
  EXPECT_EQ(learnt.base, Addr(0x2aaaaaaab000));
}

TEST(ProcessLayoutTest, StaticProgramRandomised) {
  const auto maps = Maps(std::string(kStaticHead) +
                         "3ed0f000-3ed31000 rw-p 00000000 00:00 0 [heap]\n"
                         "7fe3a7cd3000-7fe3a7cd9000 r--p 00000000 00:00 0 [vvar]\n"
                         "7fe3a7cd9000-7fe3a7cdb000 r-xp 00000000 00:00 0 [vdso]\n"
                         "7ffce390d000-7ffce392e000 rw-p 00000000 00:00 0 [stack]\n");
  const LaidProcess learnt = LearnLayout(Named("linux-amd64"), {}, kStack, Addr(), maps);
  EXPECT_EQ(learnt.platform.placement.direction, Direction::kTopDown);
  EXPECT_EQ(learnt.base, Addr(0x7fe3a7cdb000));
  // Drawn together with the base: 0x7ffff7fff000 - 16 GiB of stack randomness is where no draw leaves it.
  const Addr undrawn = PlacementBase(Named("linux-amd64"), kStack, Addr(), 0x3fffff000);
  EXPECT_EQ(learnt.platform.placement.fallback_base, 0x2aaaaaaab000 + (undrawn - learnt.base));
}

// libc lies below the executable here, so neither the first file nor the highest mapping says much by itself.
TEST(ProcessLayoutTest, PositionIndependentProgramUnderAnUnlimitedStack) {
  const auto maps = Maps(
      "155555325000-1555554fa000 r-xp 00000000 fe:00 9 /lib/libc.so.6\n"
      "155555519000-15555551f000 r--p 00000000 00:00 0 [vvar]\n"
      "15555551f000-155555521000 r-xp 00000000 00:00 0 [vdso]\n"
      "155555521000-155555556000 rw-p 00000000 fe:00 8 /lib/ld-linux-x86-64.so.2\n"
      "555555554000-555555558000 r-xp 00000000 fe:00 7 /tmp/m64d\n"
      "555555558000-555555559000 rw-p 00003000 fe:00 7 /tmp/m64d\n"
      "555555559000-55555557a000 rw-p 00000000 00:00 0 [heap]\n" +
      std::string(kStaticTail));
  EXPECT_EQ(ProgramOf(maps)->name, "/tmp/m64d");
  EXPECT_EQ(LearnLayout(Named("linux-amd64"), {}, std::nullopt, Addr(), maps).base, Addr(0x155555556000));
}

TEST(ProcessLayoutTest, ThirtyTwoBitProgramWithThreeGigabytes) {
  const std::string head =
      "08048000-080ed000 r-xp 00000000 fe:00 7 /tmp/m32\n"
      "080ed000-080ef000 rw-p 000a5000 fe:00 7 /tmp/m32\n";
  const std::string stack = "bffdf000-c0000000 rw-p 00000000 00:00 0 [stack]\n";
  const auto modern = Maps(head + "b7ff8000-b8000000 r-xp 00000000 00:00 0 [vdso]\n" + stack);
  const auto legacy = Maps(head + "40000000-40008000 r-xp 00000000 00:00 0 [vdso]\n" + stack);
  const LaidProcess top = LearnLayout(Named("linux-386"), {}, kStack, Addr(), modern);
  EXPECT_EQ(top.platform.machine.user_end, 0xc0000000u);
  EXPECT_EQ(top.platform.placement.fallback_base, 0x40000000u);
  EXPECT_EQ(top.base, Addr(0xb8000000));
  const LaidProcess bottom = LearnLayout(Named("linux-386"), {}, kStack, Addr(), legacy);
  EXPECT_EQ(bottom.platform.placement.direction, Direction::kBottomUp);
  EXPECT_EQ(bottom.base, Addr(0x40000000));
}

TEST(ProcessLayoutTest, NothingToLearnFromLeavesTheRule) {
  const auto maps = Maps(std::string(kStaticHead) + kStaticTail);
  EXPECT_EQ(LearnLayout(Named("linux-amd64"), {}, kStack, Addr(), maps).base, Addr(0x7ffff7fff000));
  EXPECT_EQ(LearnLayout(Named("linux-amd64"), {}, 4 * kGiB, Addr(), maps).base,
            PlacementBase(Named("linux-amd64"), 4 * kGiB, Addr()));
  EXPECT_EQ(ProgramOf(Maps(kStaticTail)), nullptr);
}

}  // namespace
}  // namespace reheap
