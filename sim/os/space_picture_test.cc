#include "sim/os/space_picture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/os/platform_catalog.h"

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096;

TEST(SpacePictureTest, NeighboursOfOneHolderAreOnePiece) {
  SpacePicture picture;
  picture.Add({Addr(kPage), kPage}, "rw-p", "heap");
  picture.Add({Addr(2 * kPage), kPage}, "rw-p", "heap");
  picture.Add({Addr(3 * kPage), kPage}, "---p", "heap");
  picture.Add({Addr(4 * kPage), kPage}, "---p", "squatters");
  picture.Add({Addr(6 * kPage), kPage}, "---p", "squatters");
  ASSERT_EQ(picture.pieces.size(), 4u);
  EXPECT_EQ(picture.pieces[0].range.bytes, 2 * kPage);
  picture.LeaveOutTheSmallest();
  EXPECT_EQ(picture.pieces.size(), 4u);
  EXPECT_EQ(picture.left_out, 0u);
}

TEST(SpacePictureTest, TheSmallestAreLeftOutAndTheRestStaysInOrder) {
  SpacePicture picture;
  constexpr uint64_t kPieces = 1000;
  for (uint64_t i = 0; i < kPieces; ++i) {
    picture.Add({Addr((i + 1) * kMiB), (1 + i * 7919 % kPieces) * 64}, "rw-p", "heap");
  }
  picture.LeaveOutTheSmallest();
  ASSERT_EQ(picture.pieces.size(), SpacePicture::kMostPieces);
  EXPECT_EQ(picture.left_out, kPieces - SpacePicture::kMostPieces);
  for (size_t i = 0; i < picture.pieces.size(); ++i) {
    EXPECT_GT(picture.pieces[i].range.bytes, (kPieces - SpacePicture::kMostPieces) * 64);
    if (i > 0) {
      EXPECT_LT(picture.pieces[i - 1].range.start, picture.pieces[i].range.start);
    }
  }
}

TEST(SpacePictureTest, EveryMappedByteHasAHolder) {
  VirtualProcess process;
  process.platform = Platforms().Find("linux-amd64");
  VirtualOs os(process);
  const auto reserved = os.Reserve(kGiB, Addr(0xc000000000));
  ASSERT_TRUE(reserved.ok());
  ASSERT_TRUE(os.Commit({reserved.value().start, kMiB}, Access::kReadWrite, CommitMethod::kMapFixed).ok());
  const auto stack = os.Mmap(Addr(), 2 * kMiB, 3, 0x22);
  os.Label({stack.value(), 2 * kMiB}, "thread stacks");
  const SpacePicture picture = PictureSpace(os);
  EXPECT_EQ(picture.user_end, process.platform->machine.user_end);
  uint64_t mapped_bytes = 0;
  std::vector<std::string> heap;
  for (const SpacePicture::Piece& piece : picture.pieces) {
    mapped_bytes += piece.range.bytes;
    if (piece.holder == "heap") heap.push_back(piece.permissions);
    if (piece.holder == "thread stacks") {
      EXPECT_EQ(piece.range.bytes, 2 * kMiB);
    }
  }
  EXPECT_EQ(mapped_bytes, os.Usage().vsize_bytes);
  EXPECT_THAT(heap, testing::ElementsAre("rw-p", "---p"));
}

}  // namespace
}  // namespace reheap
