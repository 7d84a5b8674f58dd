// StackGrowth: what a growing stack is charged. Where it may grow: virtual_os_test.cc and the lockstep.
#include <gtest/gtest.h>

#include "sim/os/platform_catalog.h"
#include "sim/os/virtual_os.h"

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096;
constexpr int kPrivate = 0x22, kFixed = 0x10, kGrowsDownFlag = 0x100;  // MAP_*
constexpr Addr kAt(0x100000000000);

VirtualOs OsOf(const char* platform) {
  VirtualProcess process;
  process.platform = Platforms().Find(platform);
  return VirtualOs(process);
}

// Linux: Committed_AS stays where it was when the stack is gone (measured on 6.1.192).
TEST(StackGrowthTest, WhatIsNotChargedLosesWhatItGrows) {
  VirtualOs os = OsOf("linux-amd64");
  ASSERT_TRUE(os.Mmap(kAt, kPage, kProtRead, kPrivate | kFixed | kGrowsDownFlag).ok());
  const uint64_t charged = os.space().totals().charged_bytes;
  EXPECT_TRUE(os.Touch(kAt - 3 * kPage, false));
  EXPECT_EQ(os.limits().committed_elsewhere_bytes, 3 * kPage);
  EXPECT_EQ(os.space().totals().charged_bytes, charged);
  ASSERT_TRUE(os.Munmap(kAt - 3 * kPage, 4 * kPage).ok());
  EXPECT_EQ(os.limits().committed_elsewhere_bytes, 3 * kPage);
}

TEST(StackGrowthTest, WhatIsChargedGivesItBack) {
  VirtualOs os = OsOf("linux-amd64");
  const uint64_t charged = os.space().totals().charged_bytes;
  ASSERT_TRUE(os.Mmap(kAt, kPage, kProtRead | kProtWrite, kPrivate | kFixed | kGrowsDownFlag).ok());
  EXPECT_TRUE(os.Touch(kAt - 3 * kPage, false));
  EXPECT_EQ(os.limits().committed_elsewhere_bytes, 0u);
  EXPECT_EQ(os.space().totals().charged_bytes, charged + 4 * kPage);
  ASSERT_TRUE(os.Munmap(kAt - 3 * kPage, 4 * kPage).ok());
  EXPECT_EQ(os.space().totals().charged_bytes, charged);
}

}  // namespace
}  // namespace reheap
