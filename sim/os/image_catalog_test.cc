#include "sim/os/image_catalog.h"

#include <gtest/gtest.h>

#include "sim/os/platform_catalog.h"
#include "sim/os/virtual_os.h"

namespace reheap {
namespace {

TEST(ImageCatalogTest, EachImageStartsAProcessOfItsPlatforms) {
  ASSERT_GE(NamedImages().size(), 4u);
  for (const NamedImage& image : NamedImages()) {
    for (const std::string& name : image.platforms) {
      SCOPED_TRACE(image.name + " on " + name);
      VirtualProcess process;
      process.platform = Platforms().Find(name);
      ASSERT_NE(process.platform, nullptr);
      process.image = image.mappings;
      VirtualOs os(process);
      os.CheckInvariants();
      uint64_t bytes = 0;
      for (const ImageMapping& m : image.mappings) bytes += m.end - m.start;
      EXPECT_EQ(os.Usage().vsize_bytes, bytes);
      EXPECT_TRUE(os.MapReady(kMiB, Access::kReadWrite).ok());
    }
  }
}

TEST(ImageCatalogTest, AnImageIsFoundByNameAndForItsOwnPlatformFirst) {
  const NamedImage* image = FindNamedImage("dynamic", "linux-amd64@6.1");
  ASSERT_NE(image, nullptr);
  EXPECT_TRUE(IsImageOf(*image, "linux-amd64@6.1")) << "a release is its platform";
  EXPECT_FALSE(IsImageOf(*image, "windows-amd64"));
  EXPECT_NE(FindNamedImage("dynamic", "windows-amd64"), nullptr) << "for its sizes";
  EXPECT_EQ(FindNamedImage("dynamo", "linux-amd64"), nullptr);
}

// The page map of that runtime is in its BSS: 2^34 / 2^12 entries of 8 bytes.
TEST(ImageCatalogTest, TheGoImageHoldsItsPageMap) {
  VirtualProcess process;
  process.platform = Platforms().Find("linux-amd64");
  process.image = FindNamedImage("go", "linux-amd64")->mappings;
  VirtualOs os(process);
  EXPECT_TRUE(os.TakeImageBss(32 * kMiB).has_value());
}

TEST(ImageCatalogTest, WhatIsWrongIsNamedWithItsLine) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"name: 'x'\nplatfrom: 'y'", "f:2: "},
      {"platform: 'y'", "f:1: name is missing"},
      {"name: 'x'", "f:1: platform is missing"},
      {"name: 'x' platform: 'y' image { line: '1000-2000 r--p 0 00:00 1 p' }", "f:1: image.source is missing"},
      {"name: 'x' platform: 'y' image { source: 's' }", "f:1: image.line is missing"},
      {"name: 'x' platform: 'y' image { source: 's' line: '2000-1000 r--p 0 00:00 1 p' }",
       "f image:1: expected start below end"},
  };
  for (const auto& c : cases) {
    const auto image = ParseNamedImage(c.text, "f");
    ASSERT_FALSE(image.ok()) << c.text;
    EXPECT_EQ(image.status().message().substr(0, std::string(c.message).size()), c.message);
  }
}

}  // namespace
}  // namespace reheap
