#include "sim/strategies/size_expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace reheap {
namespace {

using ::testing::HasSubstr;

const SizeNames& Names() {
  static const SizeNames names = {
      {"RAM", uint64_t{1} << 34}, {"LIMIT", uint64_t{262144} * 1024}, {"NONE", ~uint64_t{0}}};
  return names;
}

TEST(SizeExpressionTest, Values) {
  const struct {
    const char* text;
    uint64_t value;
  } cases[] = {
      {"17", 17},
      {"0xf800000000", 0xf800000000},
      {"64 MiB", 64u << 20},
      {"2GiB", uint64_t{2} << 30},
      {"12 TiB + 1", (uint64_t{12} << 40) + 1},
      {"2 + 3 * 4 - 6 / 2", 11},
      {"(2 + 3) * 4 % 7", 6},
      {"10 - 3 - 2", 5},
      {"RAM / 4", uint64_t{1} << 32},
      {"min(RAM / 4, LIMIT / 2)", uint64_t{131072} * 1024},
      {"max(3, 5, 4)", 5},
      {"1 < 2", 1},
      {"2 <= 1 || 3 != 3", 0},
      {"1 == 1 && 2 >= 2", 1},
      {"round_up(4097, 4 KiB)", 8192},
      {"round_up(4096, 4 KiB)", 4096},
      {"round_down(8191, 4 KiB)", 4096},
      {"wrapping_sub(1, 2)", ~uint64_t{0}},
      {"NONE", ~uint64_t{0}},
      // The branch that is not taken cannot fail ...
      {"if(NONE == 18446744073709551615, 7, NONE * 2 / 3)", 7},
      {"if(0, 1 / 0, 2 - 1)", 1},
      {"0 != 0 && 1 / 0", 0},
      {"1 || 1 / 0", 1},
  };
  for (const auto& c : cases) {
    const SizeAnswer answer = EvaluateSize(c.text, Names());
    EXPECT_FALSE(answer.fault.has_value()) << c.text << ": " << answer.fault->message;
    EXPECT_EQ(answer.value, c.value) << c.text;
  }
}

TEST(SizeExpressionTest, FaultsSayWhereAndWhat) {
  const struct {
    const char* text;
    size_t offset;
    const char* says;
  } cases[] = {
      {"", 0, "is missing"},
      {"RAN / 4", 0, "'RAN' has no value here; names: LIMIT, NONE, RAM"},
      {"RAM / 0", 4, "division by 0"},
      {"LIMIT - RAM", 6, "268435456 - 17179869184 is below 0"},
      {"NONE + 1", 5, "exceeds 64 bits"},
      {"RAM * RAM", 4, "exceeds 64 bits"},
      {"64 MB", 3, "'MB' is no unit: KiB, MiB, GiB or TiB"},
      {"18446744073709551616", 0, "is not a 64-bit number"},
      {"16777216 TiB", 0, "exceeds 64 bits"},
      {"2 3", 2, "cannot read '3' here"},
      {"(2", 2, "')' is missing"},
      {"mod(2, 3)", 0, "'mod' is no function"},
      {"wrapping_sub(2)", 0, "has 2 arguments, here are 1"},
      {"if(1, 2)", 7, "',' is missing"},
      {"round_up(2, 0)", 0, "multiple of 0"},
      // ... but its words must exist.
      {"if(1, 2, RAN)", 9, "'RAN' has no value here"},
  };
  for (const auto& c : cases) {
    const SizeAnswer answer = EvaluateSize(c.text, Names());
    ASSERT_TRUE(answer.fault.has_value()) << c.text << " = " << answer.value;
    EXPECT_EQ(answer.fault->offset, c.offset) << c.text << ": " << answer.fault->message;
    EXPECT_THAT(answer.fault->message, HasSubstr(c.says)) << c.text;
    EXPECT_EQ(answer.value, 0u) << c.text;
  }
}

TEST(SizeExpressionTest, ParenthesesMayGoAHundredDeep) {
  EXPECT_FALSE(EvaluateSize(std::string(90, '(') + "1" + std::string(90, ')'), Names()).fault.has_value());
  const SizeAnswer deep = EvaluateSize(std::string(100000, '('), Names());
  ASSERT_TRUE(deep.fault.has_value());
  EXPECT_THAT(deep.fault->message, HasSubstr("100 levels"));
}

TEST(SizeExpressionTest, NamesWithoutFunctions) {
  EXPECT_EQ(NamesIn("if(LIMIT < 2 GiB, min(RAM, 7), used)"), (std::set<std::string>{"LIMIT", "RAM", "used"}));
}

}  // namespace
}  // namespace reheap
