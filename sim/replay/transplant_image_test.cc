#include "sim/replay/transplant_image.h"

#include <gtest/gtest.h>

#include "sim/os/image_catalog.h"
#include "sim/os/platform_catalog.h"
#include "sim/os/virtual_os.h"

namespace reheap {
namespace {

// What is the platform's own in any image: kernel pages and stacks.
uint64_t OwnBytes(const std::vector<ImageMapping>& image) {
  uint64_t bytes = 0;
  for (const ImageMapping& m : image) {
    if (!m.name.empty() && m.name[0] == '[') bytes += m.end - m.start;
  }
  return bytes;
}

uint64_t Bytes(const std::vector<ImageMapping>& image) {
  uint64_t bytes = 0;
  for (const ImageMapping& m : image) bytes += m.end - m.start;
  return bytes;
}

std::string NameOfExecutable(const std::vector<ImageMapping>& image) {
  for (const ImageMapping& m : image) {
    if (!m.name.empty() && m.name[0] != '[') return m.name;
  }
  return "";
}

TEST(TransplantImageTest, EveryImageGoesOntoEverySixtyFourBitPlatform) {
  for (const std::string& name : Platforms().Names()) {
    const Platform& platform = *Platforms().Find(name);
    if (platform.machine.word_bits != 64) continue;
    for (const NamedImage& image : NamedImages()) {
      SCOPED_TRACE(image.name + " on " + name);
      const auto made = TransplantImage(image.mappings, platform);
      ASSERT_TRUE(made.ok()) << made.status();
      EXPECT_EQ(NameOfExecutable(*made), NameOfExecutable(image.mappings));
      EXPECT_GE(made->back().end - made->front().start, uint64_t{0});
      VirtualProcess process;
      process.platform = &platform;
      process.image = *made;
      VirtualOs os(process);
      os.CheckInvariants();
      const auto own = ParseMaps(platform.image, name);
      ASSERT_TRUE(own.ok());
      EXPECT_EQ(OwnBytes(*made), OwnBytes(*own)) << "stack and kernel pages are the platform's";
      EXPECT_TRUE(os.MapReady(kMiB, Access::kReadWrite).ok());
    }
  }
}

// A platform whose own image has no libc gets the recorded one: nothing of the program is lost.
TEST(TransplantImageTest, SizesAreKept) {
  const NamedImage* image = FindNamedImage("perl", "linux-amd64");
  ASSERT_NE(image, nullptr);
  const Platform& linux_platform = *Platforms().Find("linux-amd64");
  const auto made = TransplantImage(image->mappings, linux_platform);
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(Bytes(*made) - OwnBytes(*made), Bytes(image->mappings) - OwnBytes(image->mappings));
  EXPECT_EQ(made->front().start, Addr(0x400000)) << "where the platform's own program is";
}

TEST(TransplantImageTest, WhatDoesNotFitIsAnError) {
  std::vector<ImageMapping> image = FindNamedImage("static", "linux-amd64")->mappings;
  ImageMapping huge;
  huge.start = image[image.size() - 5].end + kGiB;
  huge.end = huge.start + 64 * kGiB;
  huge.perms = "rw-p";
  image.insert(image.end() - 4, huge);
  const auto made = TransplantImage(image, *Platforms().Find("linux-386"));
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.status().message().find("linux-386"), std::string::npos);
}

}  // namespace
}  // namespace reheap
