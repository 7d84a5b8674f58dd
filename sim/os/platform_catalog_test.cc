// PlatformCatalog: every file loads, and a file that leaves something out does not.
#include "sim/os/platform_catalog.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "sim/os/maps_text.h"
#include "sim/os/platform_files.h"

namespace reheap {
namespace {

std::string FileText(const std::string& name) {
  for (const EmbeddedFile& file : PlatformFiles()) {
    if (file.name == name) return std::string(file.contents);
  }
  ADD_FAILURE() << name;
  return "";
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

std::string ErrorOf(const std::string& text) {
  const auto platform = ParsePlatform(text, "x.textproto");
  return platform.ok() ? "" : std::string(platform.status().message());
}

TEST(PlatformCatalogTest, KnowsItsPlatformsByNameAndAlias) {
  const std::vector<std::string> names = Platforms().Names();
  EXPECT_EQ(names.size(), PlatformFiles().size());
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  for (const std::string& name : Platforms().Names()) EXPECT_EQ(Platforms().Find(name)->name, name);
  EXPECT_EQ(Platforms().Find("darwin-amd64"), Platforms().Find("darwin-amd64-11"));
  EXPECT_EQ(Platforms().Find("plan9"), nullptr);
}

TEST(PlatformCatalogTest, EveryRuleHasItsSourceAndTheImageIsOne) {
  for (const std::string& name : Platforms().Names()) {
    const Platform& p = *Platforms().Find(name);
    EXPECT_GE(p.sources.size(), 34u) << name;  // the rules of proto/platform.proto that nobody may leave out
    const auto image = ParseMaps(p.image, name);
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_GE(image->size(), 3u);  // wasm32 has three
  }
}

// tests/differential/lockstep runs 64- and 32-bit processes.
TEST(PlatformCatalogTest, OnlyTheRunningKernelsPlatformsAreCalledComparable) {
  for (const std::string& name : Platforms().Names()) {
    EXPECT_EQ(Platforms().Find(name)->basis == Basis::kComparableWithRunningKernel,
              name == "linux-amd64" || name == "linux-386")
        << name;
  }
}

TEST(PlatformCatalogTest, BadFilesAreRefusedWithFileAndLine) {
  const std::string good = FileText("windows-amd64.textproto");
  EXPECT_EQ(ErrorOf(good), "");
  // The line on which `key` stands, as text.
  const auto line_of = [&good](const std::string& key) {
    const size_t at = good.find(key);
    return std::to_string(1 + std::count(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
  };
  EXPECT_EQ(ErrorOf(Replaced(good, "word_bits", "word_bitz"))
                .rfind("x.textproto:" + line_of("word_bits") + ": ", 0),
            0u);
  EXPECT_NE(ErrorOf(Replaced(good, "word_bits", "word_bitz")).find("the nearest is 'word_bits'"), std::string::npos);
  EXPECT_EQ(ErrorOf(Replaced(good, "source: \"the ABI\"", "")),
            "x.textproto:" + line_of("word_bits") + ": machine.word_bits has no source");
  EXPECT_EQ(ErrorOf(Replaced(good, "value: BOTTOM_UP", "")),
            "x.textproto:" + line_of("direction") + ": placement.direction has no value");
  const std::string sideways = ErrorOf(Replaced(good, "value: BOTTOM_UP", "value: SIDEWAYS"));
  EXPECT_EQ(sideways.rfind("x.textproto:", 0), 0u);
  EXPECT_NE(sideways.find("SIDEWAYS"), std::string::npos) << sideways;
  EXPECT_EQ(ErrorOf(Replaced(good, "word_bits { value: 64 source: \"the ABI\" }", "")),
            "x.textproto:" + line_of("machine {") + ": machine.word_bits is missing");
  EXPECT_EQ(ErrorOf(Replaced(good, "value: 64", "value: 48")),
            "x.textproto:" + line_of("word_bits") + ": machine.word_bits is 48: expected a power of two");
  EXPECT_EQ(ErrorOf(Replaced(good, "name: \"windows-amd64\"", "")), "x.textproto:1: name is missing");
  EXPECT_NE(ErrorOf(""), "");
  EXPECT_NE(ErrorOf("{{{"), "");
  EXPECT_NE(ErrorOf(Replaced(good, "line: \"00400000", "line: \"x0400000")).find("start-end"),
            std::string::npos);
}

// ---- files that lean on others ----

std::string ChildOf(const std::string& base, const std::string& rest) {
  return "name: \"child\" summary: \"a child\" based_on: \"" + base + "\"\n" + rest;
}
Platform MustParse(const std::string& text) {
  const auto platform = ParsePlatform(text, "x.textproto");
  EXPECT_TRUE(platform.ok()) << platform.status();
  return platform.ok() ? *platform : Platform();
}

TEST(PlatformCatalogTest, BasedOnGivesWhatTheFileDoesNot) {
  const Platform& base = *Platforms().Find("linux-amd64");
  const Platform child =
      MustParse(ChildOf("linux-amd64", "limits { max_mappings { value: 7 source: \"somewhere\" } }"));
  EXPECT_EQ(child.name, "child");
  EXPECT_EQ(child.summary, "a child");
  EXPECT_TRUE(child.aliases.empty());
  EXPECT_EQ(child.limits.max_mappings, 7u);
  EXPECT_EQ(child.machine.user_end, base.machine.user_end);
  EXPECT_EQ(child.image, base.image);
  EXPECT_EQ(child.release, base.release);
  // The rule is replaced whole: its source as well, and none of the base's is lost.
  EXPECT_EQ(child.sources.size(), base.sources.size());
  EXPECT_NE(std::find(child.sources.begin(), child.sources.end(), "limits.max_mappings: somewhere"),
            child.sources.end());
}

TEST(PlatformCatalogTest, ReleasesAddUpFromTheNewestToTheOldest) {
  EXPECT_EQ(Platforms().ReleasesOf("linux-amd64"), (std::vector<std::string>{"6.18", "6.12", "6.1"}));
  const Platform& newest = *Platforms().Find("linux-amd64");
  EXPECT_EQ(Platforms().Find("linux-amd64@6.18"), &newest);
  const Platform& middle = *Platforms().Find("linux-amd64@6.12");
  const Platform& oldest = *Platforms().Find("linux-amd64@6.1");
  EXPECT_EQ(middle.name, "linux-amd64@6.12");
  EXPECT_EQ(middle.release, "6.12");
  EXPECT_TRUE(newest.mappings.written_joins_unwritten);
  EXPECT_FALSE(middle.mappings.written_joins_unwritten);
  EXPECT_FALSE(oldest.mappings.written_joins_unwritten);  // 6.12's change is 6.1's too
  EXPECT_EQ(middle.placement.huge_alignment_bytes, newest.placement.huge_alignment_bytes);
  EXPECT_EQ(oldest.placement.huge_alignment_bytes, newest.placement.huge_alignment_bytes);
  EXPECT_TRUE(oldest.placement.huge_alignment_for_files_only);
  EXPECT_EQ(Platforms().Find("linux-amd64@2.6"), nullptr);
  EXPECT_EQ(Platforms().Find("linux-amd64@"), nullptr);
}

TEST(PlatformCatalogTest, ReleasesOfTheBaseAreTheChildsToo) {
  EXPECT_EQ(Platforms().ReleasesOf("linux-386"), (std::vector<std::string>{"6.18", "6.12", "6.1"}));
  const Platform& child = *Platforms().Find("linux-386@6.1");
  EXPECT_EQ(child.machine.word_bits, 32);
  EXPECT_FALSE(child.limits.protect_uncharges_unwritten);
  // What the child says of itself holds in every release, unless its own release says otherwise.
  const std::string rules = "limits { protect_uncharges_unwritten { value: true source: \"s\" } }";
  const Platform fixed = MustParse(ChildOf("linux-amd64@6.1", rules));
  EXPECT_TRUE(fixed.limits.protect_uncharges_unwritten);
  EXPECT_TRUE(fixed.placement.huge_alignment_for_files_only);
  EXPECT_EQ(fixed.release, "6.1");
}

TEST(PlatformCatalogTest, BasesAndReleasesThatDoNotExistAreRefused) {
  EXPECT_EQ(ErrorOf(ChildOf("linux-pdp11", "")),
            "x.textproto:1: based_on: no platform is called 'linux-pdp11'");
  EXPECT_EQ(ErrorOf(ChildOf("linux-amd64@5.4", "")),
            "x.textproto:1: based_on: linux-amd64 has no release '5.4'; it has 6.18, 6.12, 6.1");
  EXPECT_EQ(ErrorOf(ChildOf("child", "")),
            "x.textproto:1: based_on: a platform is based on itself: child <- child");
  EXPECT_EQ(ErrorOf("name: \"linux-amd64\"\nbased_on: \"linux-386\"\n"),
            "linux-386.textproto:4: based_on: a platform is based on itself: linux-amd64 <- linux-386 <- "
            "linux-amd64");
  EXPECT_EQ(ErrorOf(ChildOf("linux-amd64", "\nrelease { name: \"6.18\" }")),
            "x.textproto:3: release '6.18' is what the file's own values are");
  EXPECT_EQ(ErrorOf(ChildOf("linux-amd64", "\nrelease { }")), "x.textproto:3: release has no name");
  EXPECT_EQ(ErrorOf(ChildOf("linux-amd64", "\nrelease { name: \"1\" }\nrelease { name: \"1\" }")),
            "x.textproto:4: release '1' is named twice");
  EXPECT_NE(
      ErrorOf(ChildOf("linux-amd64", "\nrelease { name: \"1\" as_of: \"2\" }")).find(":3: a release has"),
      std::string::npos);
  EXPECT_EQ(ErrorOf(ChildOf("linux-amd64", "without: \"machine.word_bits\"")),
            "x.textproto:1: without: there is no optional rule 'machine.word_bits' to leave out");
  EXPECT_NE(ErrorOf("name: \"a@b\""), "");
}

// The value on line 3 is impossible; `why` is the end of the message.
void ExpectImpossible(const std::string& group, const std::string& rule, const std::string& value,
                      const std::string& why) {
  const std::string file =
      ChildOf("linux-amd64", group + " {\n  " + rule + " { value: " + value + " source: \"s\" }\n}\n");
  EXPECT_EQ(ErrorOf(file), "x.textproto:3: " + group + "." + rule + " " + why);
}

TEST(PlatformCatalogTest, ImpossibleNumbersAreRefusedWithTheirLine) {
  ExpectImpossible("machine", "word_bits", "16", "is 16: expected at least 32");
  ExpectImpossible("machine", "os_page_bytes", "5000", "is 5000: expected a power of two");
  ExpectImpossible("machine", "os_page_bytes", "0", "is 0: expected at least 4096");
  ExpectImpossible("machine", "granularity_bytes", "0x80000000",
                   "is 0x80000000: expected at most 0x40000000");
  ExpectImpossible("machine", "user_start", "0x1001", "is 4097: expected a whole number of OS pages (4096)");
  ExpectImpossible("machine", "user_end", "0xffffffffffffffff",
                   "is 0xffffffffffffffff: expected at most 0x7fffffffffffffff");
  EXPECT_EQ(ErrorOf(ChildOf("linux-amd64",
                            "machine {\n  user_start { value: 0x100000 source: \"s\" }\n"
                            "  user_end { value: 0x10000 source: \"s\" }\n}\n")),
            "x.textproto:4: machine.user_end is not above machine.user_start 0x100000");
  ExpectImpossible("placement", "fallback_base", "0", "is 0, which a top-down search cannot use");
  ExpectImpossible("placement", "fallback_base", "0x7ffffffff000",
                   "lies outside user_start..user_end (4096..0x7ffffffff000)");
  ExpectImpossible("placement", "hint_floor", "0x7ffffffff000",
                   "lies outside user_start..user_end (4096..0x7ffffffff000)");
  ExpectImpossible("placement", "huge_alignment_bytes", "0x300000", "is 0x300000: expected a power of two");
  ExpectImpossible("placement", "huge_alignment_bytes", "2",
                   "is 2: expected a whole number of OS pages (4096)");
  ExpectImpossible("limits", "max_mappings", "0x100000000", "is 0x100000000: expected at most 0xffffffff");
  // Wrong only beside what the base says: the line that was given last is still named.
  EXPECT_NE(ErrorOf(ChildOf("linux-386", "machine { user_end { value: 0x100001000 source: \"s\" } }"))
                .find("x.textproto:2: machine.user_end is beyond what 32 bits address"),
            std::string::npos);
  const std::string small =
      ErrorOf(ChildOf("linux-amd64", "machine { user_end { value: 0x20000000 source: \"s\" } }"));
  EXPECT_EQ(small.rfind("linux-amd64.textproto:", 0), 0u) << small;
  EXPECT_NE(
      small.find("placement.fallback_base lies outside user_start..user_end (4096..0x20000000) (as part of "
                 "child)"),
      std::string::npos)
      << small;
}

}  // namespace
}  // namespace reheap
