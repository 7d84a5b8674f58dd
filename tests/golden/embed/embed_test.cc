// embed() keeps every byte, binary ones and an empty file included (tools/build_deps/embed.bzl).
#include <gtest/gtest.h>

#include "tests/golden/embed/embedded.h"

namespace reheap {
namespace {

TEST(EmbedTest, EveryByteValueSurvives) {
  const auto files = EmbeddedExamples();
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0].name, "all_bytes.bin");
  ASSERT_EQ(files[0].contents.size(), 512u);
  for (size_t i = 0; i < 512; ++i) ASSERT_EQ(static_cast<unsigned char>(files[0].contents[i]), i % 256) << i;
  EXPECT_EQ(files[1].name, "empty.txt");
  EXPECT_TRUE(files[1].contents.empty());
}

}  // namespace
}  // namespace reheap
