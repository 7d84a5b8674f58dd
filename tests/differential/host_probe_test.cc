// HostProbe on the kernel that runs this: the answers are consistent with what the process sees, and nothing
// is left behind.
#include "sim/os/host_probe.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "alloc/real_os.h"

namespace reheap {
namespace {

TEST(HostProbeTest, LeavesNothingBehindAndAgreesWithItself) {
  RealOs os;
  const auto warm = ProbeHost();
  ASSERT_TRUE(warm.ok()) << warm.status();
  const uint64_t before = os.Usage().vsize_bytes;
  const auto probed = ProbeHost();
  const uint64_t after = os.Usage().vsize_bytes;
  ASSERT_TRUE(probed.ok()) << probed.status();
  EXPECT_EQ(after, before);
  EXPECT_EQ(probed->placement_base, warm->placement_base);
  EXPECT_EQ(probed->huge_alignment_bytes, warm->huge_alignment_bytes);
  EXPECT_EQ(probed->hint_floor_bytes, warm->hint_floor_bytes);
  EXPECT_EQ(probed->protect_uncharges_unwritten, warm->protect_uncharges_unwritten);
  EXPECT_EQ(probed->written_joins_unwritten, warm->written_joins_unwritten);
  EXPECT_EQ(probed->new_joins_next_first, warm->new_joins_next_first);
  EXPECT_EQ(probed->beside_source, warm->beside_source);
  EXPECT_EQ(probed->remap_looks_first, warm->remap_looks_first);
  EXPECT_EQ(probed->has_guards, warm->has_guards);
}

TEST(HostProbeTest, AnswersAreWhatTheSystemSays) {
  const auto probed = ProbeHost();
  ASSERT_TRUE(probed.ok());
  EXPECT_EQ(probed->os_page_bytes, static_cast<uint64_t>(sysconf(_SC_PAGESIZE)));
  EXPECT_EQ(probed->ram_bytes, static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * probed->os_page_bytes);
  EXPECT_GT(probed->max_mappings, 0u);
  // No mapping without a hint ends above the base.
  void* p = mmap(nullptr, probed->os_page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(p, MAP_FAILED);
  EXPECT_LE(reinterpret_cast<uint64_t>(p) + probed->os_page_bytes, probed->placement_base.value());
  munmap(p, probed->os_page_bytes);
}

TEST(HostProbeTest, ReadsThisProcesssImageWithDetails) {
  const auto image = ReadImage("self");
  ASSERT_TRUE(image.ok()) << image.status();
  uint64_t stacks = 0;
  for (const ImageMapping& m : *image) {
    EXPECT_TRUE(m.has_details) << FormatMapsLine(m);
    if (m.name == "[stack]") {
      ++stacks;
      EXPECT_GT(m.anonymous_bytes, 0u);
      EXPECT_TRUE(m.charged);
    }
  }
  EXPECT_EQ(stacks, 1u);
  EXPECT_FALSE(ReadImage("0").ok());
}

}  // namespace
}  // namespace reheap
