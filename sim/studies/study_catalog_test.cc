#include "sim/studies/study_catalog.h"

#include <gmock/gmock.h>

#include "gtest/gtest.h"

namespace reheap {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr char kGood[] = R"(name: "s"
summary: "a study"
source: "a test"
trace { synthetic { seed: 1 events: 1000 } }
strategy: "go-2011-02-pretend"
platform: "linux-amd64"
question { grid {} }
)";

std::string Complaints(const std::string& text) {
  const absl::StatusOr<StudyText> study = ParseStudy(text, "s.textproto");
  return study.ok() ? "" : std::string(study.status().message());
}

TEST(StudyCatalogTest, ReadsAStudy) {
  const absl::StatusOr<StudyText> study = ParseStudy(kGood, "folder/s.textproto");
  ASSERT_TRUE(study.ok()) << study.status();
  EXPECT_EQ(study->study.name(), "s");
  EXPECT_EQ(study->folder, "folder/");
}

TEST(StudyCatalogTest, EveryMistakeIsToldAtOnceWithItsLineAndTheNearestName) {
  const std::string text = R"(name: "s"
summary: "a study"
trace { path: "no/such.trace" }
trace { synthetic { events: 5 } }
strategy: "go-2011-02-pretent"
platform: "linux-amd46"
limits { address: "4Gib" address: "four" overcommit: 3 thp: "sometimes" }
image: "gogo"
question { minimal_limit { limit: "adress" from: "1MiB" to: "4GiB" } }
question { minimal_limit { limit: "address" from: "4GiB" to: "1MiB" } }
question { sensitivity { field: "reservation.firmnes" } }
question { }
)";
  EXPECT_THAT(Complaints(text),
              AllOf(HasSubstr("s.textproto:1: source: is missing"),
                    HasSubstr("s.textproto:3: trace[0].path: cannot read no/such.trace"),
                    HasSubstr("s.textproto:4: trace[1].synthetic.seed: is missing"),
                    HasSubstr("s.textproto:5: strategy[0]: 'go-2011-02-pretent' is not known; the nearest is 'go-2011-02-pretend'"),
                    HasSubstr("s.textproto:6: platform[0]: 'linux-amd46' is not known; the nearest is 'linux-amd64'"),
                    HasSubstr("s.textproto:7: limits.address[1]: "),
                    HasSubstr("s.textproto:7: limits.overcommit[0]: 3 is not known"),
                    HasSubstr("s.textproto:7: limits.thp[0]: 'sometimes'")));
  EXPECT_THAT(Complaints(text),
              AllOf(HasSubstr("s.textproto:8: image: 'gogo' is not known; the nearest is 'go'"),
                    HasSubstr("s.textproto:9: question[0].minimal_limit.limit: 'adress' is not known; the nearest is 'address'"),
                    HasSubstr("s.textproto:10: question[1].minimal_limit.to: 1MiB is not above from, 4GiB"),
                    HasSubstr("s.textproto:11: question[2].sensitivity.field[0]: 'reservation.firmnes' is not known; the nearest is "
                              "'reservation.firmness'"),
                    HasSubstr("s.textproto:12: question[3]: asks nothing")));
}

TEST(StudyCatalogTest, UnknownFieldsAreAllNamedWithTheNearest) {
  const std::string complaints = Complaints("nome: \"s\"\nquestoin { }\nlimits { adress: \"1\" }\n");
  EXPECT_THAT(complaints, AllOf(HasSubstr("s.textproto:1:"), HasSubstr("the nearest is 'name'"),
                                HasSubstr("s.textproto:2:"), HasSubstr("the nearest is 'question'"),
                                HasSubstr("s.textproto:3:"), HasSubstr("the nearest is 'address'")));
}

TEST(StudyCatalogTest, APatternMustMeanSomebody) {
  std::string text = kGood;
  text.replace(text.find("go-2011-02-pretend"), 18, "zig-*");
  EXPECT_THAT(Complaints(text), HasSubstr("s.textproto:5: strategy[0]: no strategy is like 'zig-*'"));
  EXPECT_EQ(NamesLike("b*", {"a", "ba", "b"}), (std::vector<std::string>{"ba", "b"}));
}

TEST(StudyCatalogTest, SavedStudiesAreGoodAndNeedNoFiles) {
  ASSERT_FALSE(StudyNames().empty());
  for (const std::string& name : StudyNames()) {
    const absl::StatusOr<StudyText> study = LoadStudy(name);
    ASSERT_TRUE(study.ok()) << study.status();
    EXPECT_EQ(study->study.name(), name);
    EXPECT_EQ(study->asked, name);
    EXPECT_TRUE(study->study.maps().empty()) << name;  // no file lies beside the binary
    for (const proto::StudyTrace& trace : study->study.trace()) EXPECT_TRUE(trace.has_synthetic()) << name;
  }
}

TEST(StudyCatalogTest, UnknownNamesAndPaths) {
  EXPECT_EQ(LoadStudy("no-such-study").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(LoadStudy("./nowhere.textproto").status().message()), HasSubstr("./nowhere.textproto: cannot read it"));
}

}  // namespace
}  // namespace reheap
