#include "sim/report/report_reader.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <fstream>

#include "sim/report/report.h"

namespace reheap {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

proto::Report Small() {
  proto::Report report;
  report.set_tool("reheap 0.1.0");
  proto::Run* const run = report.add_runs();
  run->set_strategy("go-2010-radix");
  run->set_outcome(proto::LATE_ABORT);
  run->set_peak_vsize_bytes(18253611008);
  run->mutable_limits()->set_address_bytes(0);
  run->mutable_refusal()->set_event(0);
  return report;
}

void ExpectSmall(const absl::StatusOr<proto::Report>& report) {
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(*report, Small()));
}

std::string ErrorOf(const std::string& bytes) {
  const absl::StatusOr<proto::Report> report = ParseReport(bytes, "R");
  return report.ok() ? "" : std::string(report.status().message());
}

TEST(ParseReportTest, TellsBinaryFromJsonByTheFirstByte) {
  ExpectSmall(ParseReport(Small().SerializeAsString(), "R"));
  ExpectSmall(ParseReport(*RenderJson(Small()), "R"));
  ExpectSmall(ParseReport("\xef\xbb\xbf \r\n\t" + *RenderJson(Small()), "R"));
}

TEST(ParseReportTest, FieldsOfANewerReheapAreSkipped) {
  std::string json = *RenderJson(Small());
  json.insert(1, "\"invented_tomorrow\": {\"deep\": [1, 2]},");
  ExpectSmall(ParseReport(json, "R"));
  // An outcome that this version does not know is none that it knows.
  const absl::StatusOr<proto::Report> died =
      ParseReport("{\"tool\": \"x\", \"runs\": [{\"outcome\": \"DIED\"}]}", "R");
  ASSERT_TRUE(died.ok()) << died.status();
  EXPECT_EQ(died->runs(0).outcome(), proto::OUTCOME_UNSPECIFIED);
  // Field 1000, a varint.
  const absl::StatusOr<proto::Report> binary = ParseReport(Small().SerializeAsString() + "\xc0\x3e\x01", "R");
  ASSERT_TRUE(binary.ok());
  EXPECT_EQ(binary->runs_size(), 1);
}

TEST(ParseReportTest, WhatIsNoResultIsNamedWithItsPlace) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("R: no result of reheap: the field `tool` is missing"));
  EXPECT_THAT(ErrorOf("{}"), HasSubstr("the field `tool` is missing"));
  EXPECT_THAT(ErrorOf("REHEAPTRACE..."), StartsWith("R, offset "));
  const std::string binary = Small().SerializeAsString();
  EXPECT_THAT(ErrorOf(binary.substr(0, binary.size() - 3)), StartsWith("R, offset "));
  // JSON: within how many bytes of which offset the parser stumbled.
  const std::string good = *RenderJson(Small());
  const size_t at = good.find("\"limits\"");
  ASSERT_NE(at, std::string::npos);
  std::string bad = good;
  bad.insert(at, "]");
  const std::string error = ErrorOf(bad);
  ASSERT_THAT(error, StartsWith("R, offset "));
  const size_t offset = std::stoul(error.substr(10));
  EXPECT_LE(offset, at);
  EXPECT_GE(offset + 512, at);
  // A value that does not fit is told by its field.
  EXPECT_THAT(ErrorOf("{\"tool\": \"reheap\", \"runs\": [{\"events\": -4}]}"), HasSubstr("events"));
}

TEST(ParseReportTest, NestingHasAnEnd) {
  std::string deep = "{\"tool\":\"x\",\"invented\":";
  for (int i = 0; i < 100000; ++i) deep += "[";
  EXPECT_NE(ErrorOf(deep), "");
}

TEST(ReadReportTest, NamesFilesThatCannotBeRead) {
  const absl::StatusOr<proto::Report> missing = ReadReport("/nowhere/x.report");
  EXPECT_THAT(std::string(missing.status().message()),
              HasSubstr("/nowhere/x.report: cannot read it: No such file"));
  EXPECT_THAT(std::string(ReadReport(testing::TempDir()).status().message()), HasSubstr("cannot read it"));
  const std::string path = testing::TempDir() + "/good.report";
  std::ofstream(path, std::ios::binary) << Small().SerializeAsString();
  ExpectSmall(ReadReport(path));
}

}  // namespace
}  // namespace reheap
