// The README's first table is what the command prints today: who survives is computed again, in both worlds, and compared
// line by line. (Sizes in the README depend on the recorded program; who survives does not.)
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "sim/replay/replay_request.h"
#include "sim/report/report.h"
#include "traces/trace_builder.h"

namespace reheap {
namespace {

// From the line "who survives" to the next empty line or the end of the code block.
std::string WhoSurvives(const std::string& text) {
  const size_t start = text.find("who survives\n");
  if (start == std::string::npos) return "";
  const size_t end = std::min(text.find("\n\n", start), text.find("\n```", start));
  return text.substr(start, end == std::string::npos ? end : end - start);
}

TEST(ReadmeTest, TheTableOfWhoSurvivesIsTodaysOutput) {
  TraceBuilder builder;
  for (uint32_t i = 0; i < 1000; ++i) builder.Malloc(i, 64);
  const std::string trace = testing::TempDir() + "/readme.trace";
  ASSERT_TRUE(builder.WriteTo(trace).ok());
  ReplayRequest request;
  request.trace_path = trace;
  request.real = request.virtual_world = true;
  request.strategies = {"go-2010-radix", "go-2011-01-reserve16g", "go-2011-02-reserve17g", "go-2011-02-pretend",
                        "go-1.11-sparse"};
  request.platforms = {"linux-amd64", "darwin-amd64-11", "freebsd-amd64", "windows-amd64"};
  request.address_limits = {std::nullopt, 4 * kGiB};
  const absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
  ASSERT_TRUE(report.ok()) << report.status();

  std::ifstream in("README.md");
  const std::string readme(std::istreambuf_iterator<char>(in), {});
  const std::string printed = WhoSurvives(RenderTable(*report, {}));
  ASSERT_FALSE(printed.empty());
  EXPECT_EQ(WhoSurvives(readme), printed);
}

}  // namespace
}  // namespace reheap
