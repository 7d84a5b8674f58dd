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
  EXPECT_EQ(Platforms().Names(),
            (std::vector<std::string>{"darwin-amd64-11", "darwin-amd64-12", "freebsd-amd64", "linux-386",
                                      "linux-amd64", "windows-amd64"}));
  for (const std::string& name : Platforms().Names()) EXPECT_EQ(Platforms().Find(name)->name, name);
  EXPECT_EQ(Platforms().Find("darwin-amd64"), Platforms().Find("darwin-amd64-11"));
  EXPECT_EQ(Platforms().Find("plan9"), nullptr);
}

TEST(PlatformCatalogTest, EveryRuleHasItsSourceAndTheImageIsOne) {
  for (const std::string& name : Platforms().Names()) {
    const Platform& p = *Platforms().Find(name);
    // The rules of proto/platform.proto; `pages` (6) and `advice` (1) may be left out as groups.
    EXPECT_EQ(p.sources.size(), 34u + (p.pages.table_levels != 0 ? 6 : 0) + (p.advice.empty() ? 0 : 1)) << name;
    const auto image = ParseMaps(p.image, name);
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_GE(image->size(), 4u);
  }
}

TEST(PlatformCatalogTest, OnlyTheRunningKernelsPlatformIsCalledComparable) {
  for (const std::string& name : Platforms().Names()) {
    EXPECT_EQ(Platforms().Find(name)->basis == Basis::kComparableWithRunningKernel, name == "linux-amd64")
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
            "x.textproto:1: machine.word_bits is neither 32 nor 64");
  EXPECT_EQ(ErrorOf(Replaced(good, "name: \"windows-amd64\"", "")), "x.textproto:1: name is missing");
  EXPECT_NE(ErrorOf(""), "");
  EXPECT_NE(ErrorOf("{{{"), "");
  EXPECT_NE(ErrorOf(Replaced(good, "line: \"00400000", "line: \"x0400000")).find("start-end"),
            std::string::npos);
}

}  // namespace
}  // namespace reheap
