#include "sim/strategies/strategy_catalog.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "sim/strategies/strategy_diff.h"
#include "sim/strategies/strategy_resolver.h"

namespace reheap {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kFolder[] = "sim/strategies";

std::string ReadText(const std::string& path) {
  std::ifstream stream(path);
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

TEST(StrategyCatalogTest, EveryFileOfTheFolderLoadsUnderItsOwnName) {
  std::vector<std::string> stems;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() != ".textproto") continue;
    stems.push_back(entry.path().stem().string());
    const auto from_file = LoadStrategy(entry.path().string());
    ASSERT_TRUE(from_file.ok()) << from_file.status();
    EXPECT_EQ(from_file->strategy.name, stems.back());
    const auto from_binary = LoadStrategy(stems.back());
    ASSERT_TRUE(from_binary.ok()) << from_binary.status();
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(from_file->text, from_binary->text));
  }
  std::sort(stems.begin(), stems.end());
  EXPECT_EQ(stems, StrategyNames());
  EXPECT_GE(stems.size(), 6u);
}

// The 2011 mail in two words. What is left of the two files without comments, name, source and summary
// differs in just these lines.
TEST(StrategyCatalogTest, PretendDiffersFromReserveInTwoWords) {
  const auto reserve = LoadStrategy("go-2011-02-reserve17g");
  const auto pretend = LoadStrategy("go-2011-02-pretend");
  ASSERT_TRUE(reserve.ok() && pretend.ok());
  google::protobuf::util::MessageDifferencer differencer;
  std::string report;
  differencer.ReportDifferencesToString(&report);
  for (const char* field : {"name", "source", "summary"}) {
    differencer.IgnoreField(proto::Strategy::descriptor()->FindFieldByName(field));
  }
  EXPECT_FALSE(differencer.Compare(reserve->text, pretend->text));
  EXPECT_EQ(report,
            "ignored: name\nignored: source\nignored: summary\n"
            "modified: reservation.firmness: RESERVE -> PRETEND\n"
            "modified: reservation.on_conflict: RELOCATE -> DIE\n");
}

TEST(StrategyCatalogTest, SeventeenGibibytesAtTheMailsAddress) {
  const auto loaded = LoadStrategy("go-2011-02-reserve17g");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const ReservationStrategy& s = loaded->strategy;
  EXPECT_EQ(s.bitmap_bytes + s.heap_bytes, 18253611008u);
  EXPECT_EQ(s.hints.base, Addr(0xf800000000));
  EXPECT_EQ(s.hints.base + s.bitmap_bytes, Addr(0xf840000000));
  EXPECT_EQ(s.firmness, Firmness::kReserve);
  EXPECT_EQ(s.on_conflict, OnConflict::kRelocate);
  EXPECT_EQ(s.on_refusal, OnRefusal::kBelieveReserved);
  EXPECT_EQ(s.access, Access::kReadWriteExecute);
  EXPECT_EQ(s.commit_method, CommitMethod::kMapFixed);
  EXPECT_EQ(s.page_map, PageMapKind::kFlat);
  EXPECT_EQ(s.page_map_place, TablePlace::kImageBss);
  EXPECT_EQ(s.heap_page_shift, 12u);
  // The flat map of that heap is the 32 MiB that the original binaries carry as BSS.
  EXPECT_EQ((s.heap_bytes >> s.heap_page_shift) * 8, 32 * kMiB);
}

TEST(StrategyCatalogTest, ThirtyTwoBitPlanKeepsItsWindow) {
  const auto loaded = LoadStrategy("go-2011-02-reserve768m-386");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->strategy.word_bits, 32);
  EXPECT_EQ(loaded->strategy.bitmap_bytes + loaded->strategy.heap_bytes, 768 * kMiB);
  EXPECT_EQ(loaded->strategy.window_bytes, 2 * kGiB);
  EXPECT_TRUE(loaded->strategy.hints.after_image);
}

// What a file does not say is NEVER; of the catalogue each says it.
TEST(StrategyCatalogTest, EveryFileSaysWhenFreeMemoryGoesBack) {
  for (const std::string& name : StrategyNames()) {
    const auto loaded = LoadStrategy(name);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_TRUE(loaded->text.has_release()) << name;
  }
  for (const char* name : {"go-2010-radix", "go-2011-01-reserve16g", "go-2011-02-reserve17g", "go-2011-02-pretend",
                           "go-2011-02-reserve768m-386", "go-2011-06-pretend-mincore"}) {
    EXPECT_EQ(LoadStrategy(name)->strategy.release.policy, ReleasePolicy::kNever) << name;
  }
}

TEST(StrategyCatalogTest, ReleasePlansArriveInNanoseconds) {
  const ReleasePlan go = LoadStrategy("go-1.0-limitaware")->strategy.release;
  EXPECT_EQ(go.policy, ReleasePolicy::kIdle);
  EXPECT_EQ(go.age_ns, 300'000'000'000u);
  EXPECT_EQ(go.tick_ns, 60'000'000'000u);
  const ReleasePlan jemalloc = LoadStrategy("jemalloc-overcommit2")->strategy.release;
  EXPECT_EQ(jemalloc.policy, ReleasePolicy::kDecay);
  EXPECT_EQ(jemalloc.method, ReleaseMethod::kDecommit);
  EXPECT_EQ(jemalloc.decay_ns, 10'000'000'000u);
  const ReleasePlan gperftools = LoadStrategy("gperftools")->strategy.release;
  EXPECT_EQ(gperftools.policy, ReleasePolicy::kRate);
  EXPECT_EQ(gperftools.pages_freed_per_page, 1000u);
  EXPECT_EQ(LoadStrategy("go-1.20")->strategy.release.keep_percent, 10u);
}

TEST(StrategyCatalogTest, AModeMayGiveBackInAnotherWay) {
  std::string text = ReadText(absl::StrCat(kFolder, "/go-1.1-table256m.textproto"));
  absl::StrAppend(&text, "modes { name: \"hoards\" when: \"CPUS == 1\" cleared: \"release\" release { policy: NEVER } }\n");
  const auto parsed = ParseStrategy(text, "mine.textproto");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  StrategyEnvironment environment;
  environment.cpus = 1;
  EXPECT_EQ(ResolveStrategy(*parsed, environment)->release.policy, ReleasePolicy::kNever);
  environment.cpus = 2;
  EXPECT_EQ(ResolveStrategy(*parsed, environment)->release.policy, ReleasePolicy::kIdle);
}

TEST(StrategyCatalogTest, DescriptionSaysWhenFreeMemoryGoesBack) {
  const auto piece = [](const char* name) {
    const std::string text = DescribeStrategy(*LoadStrategy(name));
    const size_t at = text.find("free memory goes back\n");
    return at == std::string::npos ? text : text.substr(at, 220);
  };
  EXPECT_THAT(piece("go-2011-02-pretend"), HasSubstr("never"));
  EXPECT_THAT(piece("go-1.0-limitaware"), HasSubstr("what was free for 5 min, looked at every 1 min"));
  EXPECT_THAT(piece("go-1.0-limitaware"), HasSubstr("DISCARD: contents and RSS go"));
  EXPECT_THAT(piece("gperftools"), HasSubstr("a heap page for each 1000 that become free"));
  EXPECT_THAT(piece("jemalloc-overcommit2"), HasSubstr("all of it 10 s after it became free"));
  EXPECT_THAT(piece("jemalloc-overcommit2"), HasSubstr("DECOMMIT: the commit charge goes back too"));
  EXPECT_THAT(piece("go-1.20"), HasSubstr("what is more than 10% of the heap in use, looked at every 100 ms"));
}

TEST(StrategyCatalogTest, UnknownNameIsNotFound) {
  const auto loaded = LoadStrategy("go-2011-02-pretent");
  EXPECT_EQ(loaded.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(loaded.status().message()), HasSubstr("go-2011-02-pretent"));
}

TEST(StrategyCatalogTest, AFileThatIsNotThereIsNamed) {
  const auto loaded = LoadStrategy("./nowhere.textproto");
  EXPECT_EQ(loaded.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(loaded.status().message()), HasSubstr("./nowhere.textproto"));
}

TEST(StrategyCatalogTest, DescriptionNamesTheNumbersAndTheSources) {
  const auto loaded = LoadStrategy("go-2011-02-pretend");
  ASSERT_TRUE(loaded.ok());
  const std::string text = DescribeStrategy(*loaded);
  for (const char* piece :
       {"go-2011-02-pretend: ", "PRETEND", "DIE", "16.0 GiB (17179869184 bytes)", "0xf800000000",
        "0xf840000000", "flat, in the image's BSS", "4 bits per 64-bit word", "5b1b2ba9c"}) {
    EXPECT_THAT(text, HasSubstr(piece));
  }
}

TEST(StrategyDiffTest, TheFiascoIsTwoWords) {
  const auto reserve = LoadStrategy("go-2011-02-reserve17g");
  const auto pretend = LoadStrategy("go-2011-02-pretend");
  ASSERT_TRUE(reserve.ok() && pretend.ok());
  const std::string text = DescribeDifference(*reserve, *pretend);
  EXPECT_THAT(
      text,
      HasSubstr("\n2 differences\n"
                "\nreservation.firmness (how the heap's range is held before it is used)\n"
                "  a  RESERVE: the whole range is really reserved at startup\n"
                "  b  PRETEND: the range is assumed to be free without asking\n"
                "\nreservation.on_conflict (what if somebody is there, or the OS offers another place)\n"
                "  a  RELOCATE: take the address that the OS offers\n"
                "  b  DIE: give up, naming both addresses\n"));
  EXPECT_THAT(DescribeDifference(*reserve, *reserve), HasSubstr("the same plan"));
}

TEST(StrategyDiffTest, SizesHaveUnitsAndWhatOnlyOneSaysIsSaid) {
  const auto a = LoadStrategy("go-2011-01-reserve16g");
  const auto b = LoadStrategy("go-1.1-table256m");
  ASSERT_TRUE(a.ok() && b.ok());
  const std::string text = DescribeDifference(*a, *b);
  for (const char* piece : {"  a  17179869184 (16.0 GiB)\n  b  137438953472 (128.0 GiB)\n",
                            "  a  0xf800000000\n  b  0xc000000000\n", "reservation.probe_bytes",
                            "  a  not said\n  b  65536 (64.0 KiB)\n", "modes[0] ("}) {
    EXPECT_THAT(text, HasSubstr(piece)) << text;
  }
}

// --- formulas ----------------------------------------------------------------------------------------------

ReservationStrategy Go10Under(uint64_t limit_kib) {
  const auto loaded = LoadStrategy("go-1.0-limitaware");
  EXPECT_TRUE(loaded.ok()) << loaded.status();
  StrategyEnvironment environment;
  environment.image_bytes = 0x24f9000 - 0x400000;
  environment.address_limit_bytes = limit_kib * kKiB;
  const auto plan = ResolveStrategy(*loaded, environment);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan.ok() ? *plan : ReservationStrategy();
}

TEST(StrategyResolverTest, ALimitChoosesTheModeAndItsNumbers) {
  EXPECT_EQ(Go10Under(131072).mode, "");
  const ReservationStrategy plan = Go10Under(262144);
  EXPECT_EQ(plan.mode, "32-bit path");
  EXPECT_EQ(plan.firmness, Firmness::kReserve);
  EXPECT_EQ(plan.heap_bytes + plan.bitmap_bytes, 65064960u);
  EXPECT_EQ(plan.probe_bytes, 0u) << "cleared";
  EXPECT_TRUE(plan.fallbacks.empty()) << "the mode is the plan already";
  EXPECT_EQ(Go10Under(131072).fallbacks.size(), 1u);
}

std::string WithLines(const std::string& lines) {
  std::string text = ReadText(absl::StrCat(kFolder, "/go-2010-radix.textproto"));
  return text.substr(text.find("name:")) + lines;
}

TEST(StrategyResolverTest, FaultsNameFileLineAndColumn) {
  const struct {
    const char* lines;
    const char* says;
  } cases[] = {
      {"values { name: \"x\" is: \"RAM / (4 - 4)\" }\n", ":29: division by 0"},
      {"computed { field: \"growth.min_bytes\" is: \"RAN\" }\n", ":43: 'RAN' has no value here"},
      {"computed { field: \"growth.mim_bytes\" is: \"1\" }\n", "a strategy has no field 'growth.mim_bytes'"},
      {"computed { field: \"growth.min_bytes\" is: \"64 KiB + 4096\" }\n",
       "growth.min_bytes: is not a multiple of round_bytes"},
      {"values { name: \"RAM\" is: \"1\" }\n", "the name 'RAM' is empty or taken"},
      {"requests { startup { purpose: \"p\" size: \"1 MB\" protection: INACCESSIBLE } }\n",
       "'MB' is no unit"},
      {"requests { startup { purpose: \"p\" size: \"0\" protection: INACCESSIBLE } }\n",
       "request 'p': size is missing or 0"},
      {"requests { startup { purpose: \"p\" size: \"1\" } }\n", "request 'p': protection is missing"},
      {"modes { when: \"1\" }\n", "a mode needs a name"},
      {"requests { startup { purpose: \"p\" size: \"UNLIMITED\" protection: INACCESSIBLE } }\n",
       "request 'p': a size is larger than any address space"},
      {"requests { startup { purpose: \"p\" size: \"1\" count: \"1 GiB\" protection: INACCESSIBLE } }\n",
       "request 'p': count is more than 65536"},
  };
  for (const auto& c : cases) {
    const std::string text = WithLines(c.lines);
    const auto parsed = ParseStrategy(text, "mine.textproto");
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << c.lines;
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(c.says)) << c.lines;
    EXPECT_THAT(std::string(parsed.status().message()), StartsWith("mine.textproto:")) << c.lines;
  }
}

// --- what a file can have wrong
// -----------------------------------------------------------------------------

// Number of the line of `text` that offset `at` is on, from 1.
int LineAt(const std::string& text, size_t at) {
  return 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(at), '\n'));
}

// Offset of the statement `piece` (not of a comment that mentions it).
size_t FindStatement(const std::string& text, const std::string& piece) {
  for (const char* before : {"\n  ", "\n    ", "\n"}) {
    const size_t at = text.find(before + piece);
    if (at != std::string::npos) return at + std::string(before).size();
  }
  return std::string::npos;
}

// The line of a many-line message that contains `piece`; empty when none does.
std::string LineWith(const std::string& message, const std::string& piece) {
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(message, '\n'))) {
    if (line.find(piece) != std::string::npos) return line;
  }
  return "";
}

struct Spoiled {
  const char* file;     // the catalogue file to start from
  const char* before;   // text in it ...
  const char* after;    // ... and what stands there instead
  const char* at_line;  // the complaint is about the line with this text, after the change
  const char* says;
};

TEST(StrategyChecksTest, EachMistakeIsNamedWithItsLine) {
  const Spoiled cases[] = {
      {"go-2011-02-pretend", "on_conflict: DIE", "on_conflict: RELOCATE",
       "on_conflict:", "RELOCATE cannot be done with firmness PRETEND"},
      {"go-2011-02-pretend", "count: 1", "count: 2 stride_bytes: 4096", "hints {",
       "firmness PRETEND assumes exactly one place"},
      {"go-2011-02-reserve17g", "heap_bytes: 17179869184", "heap_bytes: 0", "heap_bytes: 0",
       "firmness RESERVE needs it"},
      {"go-2011-02-reserve17g", "heap_bytes: 17179869184", "", "reservation {", "firmness RESERVE needs it"},
      {"go-2011-02-reserve17g", "heap_bytes: 17179869184", "heap_bytes: 17179869185",
       "heap_bytes:", "17179869185 is not a multiple of the OS page, 4096"},
      {"go-2011-02-reserve17g", "bitmap_bytes: 1073741824", "bitmap_bytes: 1073737728",
       "bitmap_bytes:", "need 1073741824"},
      {"go-2011-02-reserve17g", "bitmap_bits_per_word: 4", "bitmap_bits_per_word: 3",
       "bitmap_bits_per_word:", "expected 1, 2, 4 or 8"},
      {"go-2011-02-reserve17g", "bitmap_bits_per_word: 4", "", "bitmap_bytes:", "bitmap_bits_per_word is 0"},
      {"go-2011-02-reserve17g", "word_bits: 64", "word_bits: 32",
       "heap_bytes:", "leave a 32-bit address space"},
      {"go-2011-02-reserve17g", "word_bits: 64", "word_bits: 16", "word_bits: 16", "expected 32 or 64"},
      {"go-2011-02-reserve17g", "firmness: RESERVE", "", "reservation {", "firmness: is missing"},
      {"go-2011-02-reserve17g", "base: 0xf800000000", "base: 0xf800000001",
       "base:", "is not a multiple of the OS page"},
      {"go-2011-02-reserve17g", "base: 0xf800000000",
       "base: 0xf800000000 after_image: true image_align_bytes: 4096", "base:", "contradicts after_image"},
      {"go-2011-02-reserve17g", "on_conflict: RELOCATE", "on_conflict: NEXT_HINT",
       "on_conflict:", "needs two hints or more, there are 1"},
      {"go-2011-02-reserve17g", "page_map: FLAT", "page_map: SPARSE_ARENAS",
       "page_map:", "needs firmness PER_CHUNK"},
      {"go-2011-02-reserve17g", "page_map: FLAT", "page_map: RADIX2", "page_map:", "word_bits must be 32"},
      {"go-2011-02-reserve17g", "round_bytes: 65536", "round_bytes: 69632",
       "round_bytes:", "expected a power of two"},
      {"go-2011-02-reserve17g", "min_bytes: 1048576", "min_bytes: 1052672",
       "min_bytes:", "is not a multiple of round_bytes"},
      {"go-2011-02-reserve17g", "heap_page_bytes: 4096", "heap_page_bytes: 12288",
       "heap_page_bytes:", "expected a power of two"},
      {"go-2011-02-reserve17g", "heap_page_bytes: 4096", "heap_page_bytes: 131072",
       "round_bytes:", "is not a multiple of tables.heap_page_bytes"},
      {"go-2010-radix", "page_map: RADIX3", "page_map: FLAT", "page_map:", "FLAT needs a heap with a bound"},
      {"go-2010-radix", "page_map_place: IMAGE_BSS", "page_map_place: IN_RESERVATION",
       "page_map_place:", "IN_RESERVATION holds a flat page map only"},
      {"go-2010-radix", "firmness: NOTHING", "firmness: NOTHING heap_bytes: 4096",
       "firmness: NOTHING heap_bytes", "has no meaning with firmness NOTHING"},
      {"go-2010-radix", "page_map: RADIX3", "page_map: RADIX3 bitmap_bits_per_word: 4",
       "page_map:", "lies below one contiguous heap"},
      {"go-1.11-sparse", "reserve_chunk_bytes: 67108864", "reserve_chunk_bytes: 69206016",
       "reserve_chunk_bytes:", "needs a power of two"},
      {"go-1.11-sparse", "stride_bytes: 1099511627776", "", "hints {", "stride_bytes is missing"},
      {"go-2011-02-reserve768m-386", "window_bytes: 2147483648", "window_bytes: 268435456",
       "window_bytes:", "is smaller than heap_bytes"},
      {"go-1.11-sparse", "reserve_chunk_bytes: 67108864",
       "reserve_chunk_bytes: 67108864 smaller_bytes: 134217728",
       "smaller_bytes:", "134217728 is not smaller than 67108864"},
      {"go-1.11-sparse", "reserve_chunk_bytes: 67108864",
       "reserve_chunk_bytes: 67108864 chunk_head_bytes: 4096", "chunk_head_bytes:", "whole heap pages"},
      {"go-2011-02-pretend", "heap_bytes: 17179869184", "heap_bytes: 17179869184 extend_bytes: 4096",
       "extend_bytes:", "needs window_bytes"},
      {"go-2011-02-reserve768m-386", "window_bytes: 2147483648",
       "window_bytes: 2147483648 extend_bytes: 12288", "extend_bytes:", "is 12288, expected a power of two"},
      {"go-2011-02-pretend", "heap_page_bytes: 4096",
       "heap_page_bytes: 4096 growing { purpose: \"t\" heap_bytes_per_byte: 16 chunk_bytes: 12288 }",
       "growing {", "a power of two of whole OS pages"},
      {"go-2011-02-reserve17g", "heap_bytes: 17179869184", "heap_bytes: 17179869184 clobbers: true",
       "clobbers:", "firmness PRETEND only"},
      {"go-2011-02-pretend", "on_conflict: DIE", "on_conflict: NEXT_HINT",
       "on_conflict:", "NEXT_HINT with probe_bytes"},
      {"jemalloc-5-retain", "steps_per_doubling: 4", "steps_per_doubling: 4 most_bytes: 4096",
       "most_bytes:", "is less than min_bytes"},
      {"jemalloc-5-retain", "steps_per_doubling: 4", "steps_per_doubling: 4 own_bytes: 4096",
       "own_bytes:", "RESERVE or PRETEND only"},
      {"go-1.0-limitaware", "own_bytes: 69632", "own_bytes: 1048576",
       "own_bytes:", "leaves nothing of a growth"},
      {"go-1.0-limitaware", "own_bytes: 69632", "own_bytes: 69633",
       "own_bytes:", "not a multiple of tables.heap_page_bytes"},
      {"glibc-ptmalloc", "word_bits: 64", "word_bits: 32", "page_map:", "word_bits must be 64"},
      {"go-2011-02-reserve768m-386", "image_align_bytes: 1048576", "image_align_bytes: 12288",
       "image_align_bytes:", "must be a power of two"},
      {"go-2010-radix", "release { policy: NEVER }", "release { policy: NEVER tick_ms: 1000 }",
       "release {", "release.tick_ms: has no meaning with policy NEVER"},
      {"go-2010-radix", "release { policy: NEVER }", "release {}", "release {", "policy: is missing"},
      {"go-2010-radix", "release { policy: NEVER }", "release { policy: NEVER method: DISCARD }",
       "release {", "has no meaning with policy NEVER"},
      {"go-2010-radix", "release { policy: NEVER }", "release { policy: RATE }",
       "release {", "pages_freed_per_page: is missing or 0"},
      {"go-1.11-sparse", "policy: IDLE", "policy: GOAL", "age_ms:", "has no meaning with policy GOAL"},
      {"go-1.11-sparse", "tick_ms: 150000", "", "release {", "tick_ms: is missing or 0, and policy IDLE needs it"},
      {"go-1.11-sparse", "age_ms: 300000", "age_ms: 3000000000000", "age_ms:", "more than 34 years"},
      {"jemalloc-5-retain", "method: DISCARD", "method: FREE_LAZILY",
       "method:", "FREE_LAZILY cannot be carried out: MADV_FREE takes pages when memory is short"},
      {"jemalloc-5-retain", "method: DISCARD", "method: UNMAP", "method:", "UNMAP cannot be carried out"},
      {"jemalloc-5-retain", "method: DISCARD", "method: FREE_REUSABLE",
       "method:", "FREE_REUSABLE cannot be carried out"},
      {"jemalloc-5-retain", "method: DISCARD", "method: RESET", "method:", "RESET cannot be carried out"},
      {"jemalloc-5-retain", "method: DISCARD", "method: DECOMMIT",
       "method:", "DECOMMIT contradicts reservation.no_reserve"},
      {"jemalloc-5-retain", "dirty_ms: 10000", "dirty_ms: 10000 muzzy_ms: 10000",
       "dirty_ms:", "release.muzzy_ms: cannot be carried out"},
      {"gperftools", "policy: RATE", "policy: RATE method: DECOMMIT",
       "policy:", "DECOMMIT contradicts growth.break_first"},
  };
  for (const Spoiled& c : cases) {
    SCOPED_TRACE(absl::StrCat(c.file, ": ", c.before, " -> ", c.after));
    std::string text = ReadText(absl::StrCat(kFolder, "/", c.file, ".textproto"));
    const size_t at = FindStatement(text, c.before);
    ASSERT_NE(at, std::string::npos);
    text.replace(at, std::string(c.before).size(), c.after);
    // The complaint is about the changed place or what is around it, else about a later line.
    size_t complaint = text.rfind(c.at_line, at + std::string(c.after).size());
    if (complaint == std::string::npos) complaint = text.find(c.at_line, at);
    ASSERT_NE(complaint, std::string::npos);

    const auto parsed = ParseStrategy(text, "mine.textproto");
    ASSERT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
    const std::string message(parsed.status().message());
    const std::string line = LineWith(message, c.says);
    EXPECT_NE(line, "") << "no line says '" << c.says << "':\n" << message;
    EXPECT_THAT(line, StartsWith(absl::StrCat("mine.textproto:", LineAt(text, complaint), ": ")));
  }
}

TEST(StrategyChecksTest, EveryMistakeOfAFileIsReportedAtOnce) {
  const auto parsed = ParseStrategy("name: \"x\"\n", "mine.textproto");
  const std::string message(parsed.status().message());
  for (const char* piece :
       {"summary: is missing", "source: is missing", "word_bits: is 0, expected 32 or 64",
        "reservation.firmness: is missing", "growth.min_bytes: is missing", "tables.page_map: is missing"}) {
    EXPECT_THAT(message, HasSubstr(piece));
  }
}

TEST(StrategyChecksTest, WordsThatTheSchemaDoesNotKnowAreNamedWithLineAndColumn) {
  const struct {
    const char* text;
    const char* says;
  } cases[] = {
      {"name: \"x\"\nheapbytes: 4096\n",
       "mine.textproto:2:10: Message type \"reheap.proto.Strategy\" has no field named \"heapbytes\".; the nearest is '"},
      {"reservation { on_refusl: ABORT }\n", "named \"on_refusl\".; the nearest is 'on_refusal'"},
      // protobuf gives the place behind the value here; the field's name helps.
      {"reservation {\n  firmness: HOPE\n}\n",
       "mine.textproto:3:1: Unknown enumeration value of \"HOPE\" for field \"firmness\"."},
      {"release { policy: IDEL }\n", "\"IDEL\" for field \"policy\".; the nearest is 'IDLE'"},
      {"word_bits: -64\n", "mine.textproto:1:12: "},
      {"name: \"x\nword_bits: 64\n", "mine.textproto:1:9: String literals cannot cross line boundaries."},
  };
  for (const auto& c : cases) {
    const auto parsed = ParseStrategy(c.text, "mine.textproto");
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(c.says));
  }
}

}  // namespace
}  // namespace reheap
