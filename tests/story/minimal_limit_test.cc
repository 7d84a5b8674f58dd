// The smallest `ulimit -v` under which the four Go runtimes of early 2011 start, against what was measured on the
// original binaries: each was built from its history and run under falling limits (kernel 6.18). The
// images are the mappings that exec left for those binaries, before the runtime asked for anything.
#include <gtest/gtest.h>

#include <string>

#include "proto/report.pb.h"
#include "sim/replay/replay_request.h"
#include "traces/trace_writer.h"

namespace reheap {
namespace {

struct Case {
  const char* strategy;
  uint64_t measured_min_kib;  // smallest RLIMIT_AS with a clean exit
  uint64_t measured_peak_kib; // VmPeak without a limit
};

std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.strategy; }

class MinimalLimitTest : public testing::TestWithParam<Case> {
 protected:
  // "hello, world" of a runtime whose own start is in the strategy: one small object.
  static std::string Trace() {
    const std::string path = testing::TempDir() + "/hello.trace";
    auto writer = TraceWriter::Create(path, proto::TraceHeader());
    TraceEvent event;
    event.call = CallKind::kMalloc;
    event.thread = (*writer)->AddThread(proto::TraceThread());
    event.object = 0;
    event.size = 32;
    EXPECT_TRUE((*writer)->Append(event).ok());
    EXPECT_TRUE((*writer)->Finish().ok());
    return path;
  }

  static proto::Run Replay(std::optional<uint64_t> limit_bytes) {
    ReplayRequest request;
    request.trace_path = Trace();
    request.strategies = {GetParam().strategy};
    request.virtual_world = true;
    request.platforms = {"linux-amd64"};
    request.address_limits = {limit_bytes};
    request.maps_path = std::string("tests/golden/images/") + GetParam().strategy + ".maps";
    absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? report->runs(0) : proto::Run();
  }
};

TEST_P(MinimalLimitTest, IsWithinOnePercentOfTheOriginalBinary) {
  const uint64_t measured_bytes = GetParam().measured_min_kib * kKiB;
  const proto::Run below = Replay(measured_bytes / 100 * 99);
  EXPECT_EQ(below.outcome(), proto::STARTUP_ABORT);
  EXPECT_EQ(below.refusal().rule(), "RLIMIT_AS");
  const proto::Run above = Replay(measured_bytes / 100 * 101);
  EXPECT_EQ(above.outcome(), proto::SURVIVED) << above.refusal().ShortDebugString();
}

TEST_P(MinimalLimitTest, AddressSpaceIsTheOriginalsToTheByte) {
  const proto::Run run = Replay(std::nullopt);
  EXPECT_EQ((run.image_vsize_bytes() + run.peak_vsize_bytes()) / kKiB, GetParam().measured_peak_kib);
}

INSTANTIATE_TEST_SUITE_P(Early2011, MinimalLimitTest,
                         testing::Values(Case{"go-2010-radix", 6296, 6280},
                                         Case{"go-2011-01-reserve16g", 16821564, 16810632},
                                         Case{"go-2011-02-reserve17g", 17867281, 17859216},
                                         Case{"go-2011-02-pretend", 34665, 34512}),
                         [](const auto& info) {
                           std::string name = info.param.strategy;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace reheap
