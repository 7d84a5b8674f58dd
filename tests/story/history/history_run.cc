#include "tests/story/history/history_run.h"

#include <gtest/gtest.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "sim/os/image_catalog.h"
#include "sim/os/maps_text.h"
#include "traces/trace_writer.h"

namespace reheap {
namespace {

std::string WriteTrace(const HistoryProgram& program) {
  const std::string path =
      absl::StrCat(testing::TempDir(), "/", program.threads, "-", program.blocks, "-",
                   program.block_bytes, ".trace");
  if (std::ifstream(path).good()) return path;
  auto writer = TraceWriter::Create(path, proto::TraceHeader());
  EXPECT_TRUE(writer.ok()) << writer.status();
  TraceEvent event;
  uint32_t object = 0;
  for (uint32_t n = 0; n < program.threads; ++n) {
    event = TraceEvent();
    event.thread = (*writer)->AddThread(proto::TraceThread());
    if (n > 0) {
      event.kind = EventKind::kThreadStart;
      EXPECT_TRUE((*writer)->Append(event).ok());
    }
    event.kind = EventKind::kAllocate;
    event.call = CallKind::kMalloc;
    event.size = program.blocks > 0 ? program.block_bytes : 32;
    for (uint32_t block = 0; block < std::max(program.blocks, 1u); ++block) {
      event.object = object++;
      EXPECT_TRUE((*writer)->Append(event).ok());
    }
  }
  EXPECT_TRUE((*writer)->Finish().ok());
  return path;
}

// The named image with two mappings more, where the loader would have put them: below what it has.
std::string WriteImage(const HistoryProgram& program) {
  const NamedImage* image = FindNamedImage(program.image, program.platform);
  EXPECT_NE(image, nullptr) << program.image;
  if (image == nullptr) return "";
  Addr below;
  for (const ImageMapping& mapping : image->mappings) {
    if (mapping.start > Addr(uint64_t{1} << 46)) {
      below = mapping.start;
      break;
    }
  }
  const std::string path = absl::StrCat(testing::TempDir(), "/", program.image, "-", program.libraries_bytes,
                                        "-", program.data_bytes, ".maps");
  std::ofstream file(path);
  bool placed = false;
  for (const ImageMapping& mapping : image->mappings) {
    if (mapping.start == below && !placed) {
      placed = true;
      ImageMapping libraries;
      libraries.end = below - program.data_bytes;
      libraries.start = libraries.end - program.libraries_bytes;
      libraries.perms = {'r', '-', 'x', 'p'};
      libraries.inode = 1;
      libraries.name = "libraries";
      if (program.libraries_bytes != 0) file << FormatMapsLine(libraries) << "\n";
      ImageMapping data;
      data.start = libraries.end;
      data.end = below;
      data.perms = {'r', 'w', '-', 'p'};
      if (program.data_bytes != 0) file << FormatMapsLine(data) << "\n";
    }
    file << FormatMapsLine(mapping) << "\n";
  }
  EXPECT_TRUE(placed);
  return path;
}

}  // namespace

ReplayRequest RequestFor(const HistoryProgram& program) {
  ReplayRequest request;
  request.trace_path = WriteTrace(program);
  request.strategies = {program.strategy};
  request.virtual_world = true;
  request.platforms = {program.platform};
  const std::string golden = absl::StrCat("tests/golden/images/", program.image, ".maps");
  if (program.libraries_bytes + program.data_bytes != 0) {
    request.maps_path = WriteImage(program);
  } else if (std::ifstream(golden).good()) {
    request.maps_path = golden;
  } else {
    request.image = program.image;
  }
  return request;
}

proto::Run RunHistory(const ReplayRequest& request) {
  absl::StatusOr<proto::Report> report = RunReplays(request, nullptr);
  EXPECT_TRUE(report.ok()) << report.status();
  if (!report.ok()) return proto::Run();
  EXPECT_EQ(report->runs_size(), 1);
  return report->runs(0);
}

// A thread that cannot be started ends the programs retold here; the model's goes on without it.
bool Lives(const proto::Run& run) {
  const bool without_a_thread = run.outcome() == proto::DEGRADED && run.has_refusal();
  return (run.outcome() == proto::SURVIVED || run.outcome() == proto::DEGRADED) && !without_a_thread;
}

std::optional<uint64_t> SmallestLimit(ReplayRequest request, bool of_data, uint64_t resolution) {
  const auto lives = [&](uint64_t bytes) {
    (of_data ? request.data_limits : request.address_limits) = {bytes};
    return Lives(RunHistory(request));
  };
  // From what it has without a limit downward, as the original was searched: where a larger limit is worse,
  // what is found depends on the way.
  const proto::Run unlimited = RunHistory(request);
  uint64_t dies = 0,
           starts = (unlimited.image_vsize_bytes() + unlimited.peak_vsize_bytes()) / 100 * 102 + kMiB;
  if (!lives(starts)) return std::nullopt;
  while (starts - dies > resolution) {
    const uint64_t middle = dies + (starts - dies) / 2 / kKiB * kKiB;
    (lives(middle) ? starts : dies) = middle;
  }
  return starts;
}

}  // namespace reheap
