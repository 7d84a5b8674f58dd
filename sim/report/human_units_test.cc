#include "sim/report/human_units.h"

#include <gtest/gtest.h>

namespace reheap {
namespace {

constexpr uint64_t kKiB = 1024, kMiB = 1024 * kKiB, kGiB = 1024 * kMiB;

TEST(FormatBytesTest, TakesTheLargestUnitThatLeavesOneOrMore) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1024), "1.0 KiB");
  EXPECT_EQ(FormatBytes(1536), "1.5 KiB");
  EXPECT_EQ(FormatBytes(18253611008), "17.0 GiB");
  EXPECT_EQ(FormatBytes(UINT64_MAX), "16.0 EiB");
}

TEST(FormatBytesTest, BesideAReferenceKeepsItsUnit) {
  EXPECT_EQ(FormatBytesBeside(34 * kMiB, 4 * kGiB), "0.03 GiB");
  EXPECT_EQ(FormatBytesBeside(3 * kGiB, 4 * kGiB), "3.0 GiB");
  EXPECT_EQ(FormatBytesBeside(0, 4 * kGiB), "0.0 GiB");
  EXPECT_EQ(FormatBytesBeside(6 * kGiB, 512 * kMiB), "6.0 GiB");  // never thousands of the small unit
}

TEST(FormatCountTest, SeparatesThousands) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(1234567), "1,234,567");
}

TEST(FormatNanosecondsTest, ChoosesTheUnit) {
  EXPECT_EQ(FormatNanoseconds(812), "812 ns");
  EXPECT_EQ(FormatNanoseconds(1500), "1.5 us");
  EXPECT_EQ(FormatNanoseconds(20000000), "20.0 ms");
  EXPECT_EQ(FormatNanoseconds(3200000000), "3.2 s");
  EXPECT_EQ(FormatNanoseconds(725000000000), "12 min 05 s");
}

TEST(ParseBytesTest, UnderstandsWhatPeopleWrite) {
  const struct {
    const char* text;
    uint64_t bytes;
  } cases[] = {
      {"0", 0},
      {"4096", 4096},
      {"4096B", 4096},
      {"64k", 64 * kKiB},
      {"64K", 64 * kKiB},
      {"512MiB", 512 * kMiB},
      {"512 mib", 512 * kMiB},
      {"4GB", 4 * kGiB},
      {"4G", 4 * kGiB},
      {"1.5GiB", 3 * kGiB / 2},
      {" 1TiB ", 1024 * kGiB},
      {"1.1KiB", 1126},
      {"18446744073709551615", UINT64_MAX},
  };
  for (const auto& c : cases) {
    const auto bytes = ParseBytes(c.text);
    ASSERT_TRUE(bytes.ok()) << c.text << ": " << bytes.status();
    EXPECT_EQ(*bytes, c.bytes) << c.text;
  }
}

TEST(ParseBytesTest, RefusesTheRestAndSaysWhatItExpected) {
  for (const char* text : {"", "G", "4XiB", "-1", "4GiBs", "1.5", "1.", ".5GiB", "0x1000", "4 4", "1e9",
                           "16EiB", "18446744073709551616", "99999999999999999999999"}) {
    const auto bytes = ParseBytes(text);
    ASSERT_FALSE(bytes.ok()) << text << " = " << *bytes;
    EXPECT_NE(bytes.status().message().find("expected for example 4GiB"), std::string::npos)
        << bytes.status();
  }
}

TEST(ParseLimitTest, UnlimitedIsAbsent) {
  ASSERT_TRUE(ParseLimit("unlimited").ok());
  EXPECT_EQ(*ParseLimit("Unlimited"), std::nullopt);
  EXPECT_EQ(*ParseLimit("4GiB"), std::optional<uint64_t>(4 * kGiB));
  EXPECT_EQ(FormatLimit(std::nullopt), "unlimited");
  EXPECT_EQ(FormatLimit(4 * kGiB), "4.0 GiB");
  EXPECT_FALSE(ParseLimit("none").ok());
}

}  // namespace
}  // namespace reheap
