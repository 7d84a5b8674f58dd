// Maps text: what is read is printed again, and errors say which line.
#include "sim/os/maps_text.h"

#include <gtest/gtest.h>

#include <string>

namespace reheap {
namespace {

TEST(MapsTextTest, LinesOfTheKernelComeBackByteForByte) {
  const char* const lines[] = {
      "00400000-00425000 r-xp 00000000 fe:00 11037043                           h11s_1e063b32c",
      "00427000-0243b000 rw-p 00000000 00:00 0 ",
      "7ffff7ff7000-7ffff7ffb000 r--p 00000000 00:00 0                          [vvar]",
      "7ffffffde000-7ffffffff000 rw-s 00001000 00:00 0                          /dev/zero (deleted)",
  };
  for (const char* line : lines) {
    const auto mappings = ParseMaps(line, "maps");
    ASSERT_TRUE(mappings.ok()) << mappings.status();
    ASSERT_EQ(mappings->size(), 1u);
    EXPECT_EQ(FormatMapsLine(mappings->front()), line);
  }
}

TEST(MapsTextTest, VsyscallIsNotOfTheProcess) {
  const auto mappings = ParseMaps(
      "00400000-00425000 r-xp 00000000 fe:00 1 a\n"
      "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n",
      "maps");
  ASSERT_TRUE(mappings.ok());
  EXPECT_EQ(mappings->size(), 1u);
}

TEST(MapsTextTest, SmapsDetailsBelongToTheLineAbove) {
  const auto mappings = ParseMaps(
      "00400000-00425000 rw-p 00000000 fe:00 1    a\n"
      "Size:                148 kB\nAnonymous:             8 kB\nVmFlags: rd wr mr mw me ac \n"
      "00500000-00501000 rw-p 00000000 00:00 0 \n"
      "Anonymous:             0 kB\nVmFlags: rd wr nr \n",
      "smaps");
  ASSERT_TRUE(mappings.ok()) << mappings.status();
  ASSERT_EQ(mappings->size(), 2u);
  EXPECT_EQ((*mappings)[0].anonymous_bytes, 8 * kKiB);
  EXPECT_TRUE((*mappings)[0].charged);
  EXPECT_FALSE((*mappings)[0].no_reserve);
  EXPECT_EQ((*mappings)[1].anonymous_bytes, 0u);
  EXPECT_TRUE((*mappings)[1].no_reserve);
  EXPECT_FALSE((*mappings)[1].charged);
}

TEST(MapsTextTest, ErrorsNameFileLineAndWhatWasExpected) {
  const std::string good = "00400000-00425000 r-xp 00000000 fe:00 1 a\n";
  const struct {
    const char* line;
    const char* expected;
  } cases[] = {
      {"hello", "expected start-end in hexadecimal"},
      {"00430000 r-xp 00000000 fe:00 1", "expected start-end in hexadecimal"},
      {"00430000-00430000 r-xp 00000000 fe:00 1", "expected start below end"},
      {"00430000-00431000 rwx 00000000 fe:00 1", "expected permissions such as rw-p"},
      {"00430000-00431000 rwxp", "expected a hexadecimal offset"},
      {"00430000-00431000 rwxp 0 fe00 1", "expected a device"},
      {"00430000-00431000 rwxp 0 fe:00 x", "expected an inode number"},
      {"00424000-00431000 rwxp 0 fe:00 1", "expected addresses in rising order"},
      {"Anonymous: x kB", "expected kilobytes"},
      {"Anonymous: 149 kB", "expected kilobytes, no more than the mapping has"},
      {"Anonymous: 18446744073709551615 kB", "expected kilobytes, no more than the mapping has"},
      {"ffffffffffffffffff-0 rwxp 0 fe:00 1", "expected start-end in hexadecimal"},
  };
  for (const auto& c : cases) {
    const auto mappings = ParseMaps(good + c.line, "my.maps");
    ASSERT_FALSE(mappings.ok()) << c.line;
    const std::string message(mappings.status().message());
    EXPECT_EQ(message.rfind(std::string("my.maps:2: ") + c.expected, 0), 0u) << message;
  }
}

TEST(MapsTextTest, LinesMayEndAsOnWindows) {
  const auto mappings = ParseMaps(
      "00400000-00425000 rw-p 00000000 00:00 0\r\nAnonymous:  148 kB\r\nVmFlags: rd ac\r\n"
      "00500000-00501000 rw-p 00000000 00:00 0    [heap]\r\n\r\n",
      "maps");
  ASSERT_TRUE(mappings.ok()) << mappings.status();
  ASSERT_EQ(mappings->size(), 2u);
  EXPECT_EQ((*mappings)[0].anonymous_bytes, 148 * kKiB);
  EXPECT_TRUE((*mappings)[0].charged);
  EXPECT_EQ((*mappings)[1].name, "[heap]");
}

TEST(MapsTextTest, NothingIsNoMappings) {
  const auto mappings = ParseMaps("\n\n", "maps");
  ASSERT_TRUE(mappings.ok());
  EXPECT_TRUE(mappings->empty());
}

}  // namespace
}  // namespace reheap
