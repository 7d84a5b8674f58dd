// ForkCall: what a child begins with. Measured on linux 6.18: the lockstep's executor forks, and its child looks at
// itself.
#include "sim/os/fork_call.h"

#include <gtest/gtest.h>

#include "sim/os/platform_catalog.h"
#include "sim/os/virtual_os.h"

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096;
constexpr int kRw = kProtRead | kProtWrite;
constexpr int kPrivate = 0x22, kShared = 0x21, kFixed = 0x10;
constexpr int kDontFork = 10, kDoFork = 11, kWipeOnFork = 18;
constexpr Addr kAt(0x100000000000);

TEST(ForkCallTest, TheChildHasAllButWhatIsMarked) {
  VirtualProcess process;
  process.platform = Platforms().Find("linux-amd64");
  VirtualOs os(process);
  ASSERT_TRUE(os.Mmap(kAt, 8 * kPage, kRw, kPrivate | kFixed).ok());
  ASSERT_TRUE(os.Mmap(kAt + kGiB, 8 * kPage, kRw, kShared | kFixed).ok());
  for (uint64_t page = 0; page < 8; ++page) {
    ASSERT_TRUE(os.Touch(kAt + page * kPage, true));
    ASSERT_TRUE(os.Touch(kAt + kGiB + page * kPage, true));
  }
  const ProcessStatus parent = os.Status();
  const uint64_t charge = os.ForkCharge();
  EXPECT_EQ(os.Child().rss_anonymous_bytes, parent.rss_anonymous_bytes) << "shared pages count elsewhere";
  EXPECT_EQ(os.Child().vsize_bytes, parent.vsize_bytes);
  EXPECT_EQ(os.Child().mapping_count, parent.mapping_count);
  EXPECT_EQ(os.Child().data_bytes, parent.data_bytes);
  EXPECT_EQ(os.Child().stack_bytes, parent.stack_bytes);

  ASSERT_TRUE(os.Madvise(kAt + kPage, kPage, kDontFork).ok());
  ASSERT_TRUE(os.Madvise(kAt + 3 * kPage, 2 * kPage, kWipeOnFork).ok());
  const ForkedChild child = os.Child();
  EXPECT_EQ(child.rss_anonymous_bytes, parent.rss_anonymous_bytes - 3 * kPage) << "one is not there, two are empty";
  EXPECT_EQ(child.vsize_bytes, parent.vsize_bytes - kPage);
  EXPECT_EQ(child.data_bytes, parent.data_bytes - kPage);
  EXPECT_EQ(child.mapping_count, os.Status().mapping_count - 1);
  EXPECT_EQ(os.ForkCharge(), charge - kPage);
  EXPECT_EQ(os.Status().rss_anonymous_bytes, parent.rss_anonymous_bytes) << "nothing changes for the parent";

  ASSERT_TRUE(os.Madvise(kAt, 8 * kPage, kDoFork).ok());
  EXPECT_EQ(os.Child().vsize_bytes, parent.vsize_bytes);
}

}  // namespace
}  // namespace reheap
