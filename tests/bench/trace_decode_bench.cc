// Cost of the trace file: ns per event to encode and to decode, and bytes per event.
//
// One pass over a synthetic trace of one thread, of eight threads, and over a real one:
//   ./tools/bazel run //tests/bench:trace_decode_bench
//   ./tools/bazel run //tests/bench:trace_decode_bench -- --android=/path/to/record_allocs.txt
// Goal: decoding, zstd included, <= 8 ns per event on one core; file <= 0.5 bytes per event at zstd-3.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "benchmark/benchmark.h"
#include "traces/importers/android_importer.h"
#include "traces/synthetic_trace.h"
#include "traces/trace_cursor.h"
#include "traces/trace_writer.h"

namespace reheap {
namespace {

constexpr uint64_t kSyntheticEvents = 4'000'000;
constexpr size_t kBatch = 256;

void CheckOk(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

// Files of this run, removed at its end.
class Folder {
 public:
  Folder()
      : path_(std::filesystem::temp_directory_path() / ("reheap_trace_bench." + std::to_string(getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string File(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

std::vector<TraceEvent> ReadAll(const std::string& path) {
  std::vector<TraceEvent> events;
  absl::StatusOr<std::unique_ptr<TraceReader>> reader = TraceReader::Open(path);
  CheckOk(reader.status());
  TraceBlock block;
  while (true) {
    absl::StatusOr<bool> more = (*reader)->NextBlock(&block);
    CheckOk(more.status());
    if (!*more) return events;
    CheckOk(block.AppendTo(&events));
  }
}

void SetCounters(benchmark::State& state, uint64_t events, uint64_t bytes) {
  state.counters["ns/event"] =
      benchmark::Counter(static_cast<double>(events) * 1e-9,
                         benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["B/event"] = static_cast<double>(bytes) / static_cast<double>(events);
}

void BM_Decode(benchmark::State& state, const std::string& path) {
  std::vector<TraceEvent> batch(kBatch);
  uint64_t events = 0;
  uint64_t bytes = 0;
  for (auto _ : state) {
    absl::StatusOr<std::unique_ptr<TraceCursor>> cursor = TraceCursor::Open(path);
    CheckOk(cursor.status());
    events = 0;
    while (true) {
      absl::StatusOr<size_t> count = (*cursor)->NextBatch(batch.data(), batch.size());
      CheckOk(count.status());
      if (*count == 0) break;
      benchmark::DoNotOptimize(batch.data());
      events += *count;
    }
    bytes = (*cursor)->reader().file_bytes();
  }
  SetCounters(state, events, bytes);
}

void BM_Encode(benchmark::State& state, const std::string& path, const std::string& out, int zstd_level) {
  const std::vector<TraceEvent> events = ReadAll(path);
  uint64_t bytes = 0;
  for (auto _ : state) {
    absl::StatusOr<std::unique_ptr<TraceWriter>> writer = TraceWriter::Create(out, {}, {65536, zstd_level});
    CheckOk(writer.status());
    CheckOk((*writer)->Append(events.data(), events.size()));
    CheckOk((*writer)->Finish());
    bytes = (*writer)->bytes_written();
  }
  SetCounters(state, events.size(), bytes);
}

void Register(const std::string& name, const std::string& path, const std::string& out) {
  const auto add = [](const std::string& full_name, auto run) {
    benchmark::RegisterBenchmark(full_name.c_str(), run)->Unit(benchmark::kMillisecond);
  };
  add("BM_Decode/" + name, [=](benchmark::State& state) { BM_Decode(state, path); });
  for (const int level : {1, 3}) {
    add("BM_Encode/" + name + "/zstd:" + std::to_string(level),
        [=](benchmark::State& state) { BM_Encode(state, path, out, level); });
  }
}

int Main(int argc, char** argv) {
  std::string android = "traces/corpus/surfaceflinger_head.txt";
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    constexpr std::string_view kAndroid = "--android=";
    if (!argument.starts_with(kAndroid)) continue;
    android = argument.substr(kAndroid.size());
    std::copy(argv + i + 1, argv + argc, argv + i);
    --argc;
    break;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  const Folder folder;
  const std::string out = folder.File("encoded");
  for (const uint32_t threads : {1u, 8u}) {
    const std::string name = "synthetic/threads:" + std::to_string(threads);
    const std::string path = folder.File("synthetic" + std::to_string(threads));
    CheckOk(WriteSyntheticTrace(path, {.threads = threads}, kSyntheticEvents));
    Register(name, path, out);
  }
  const std::string path = folder.File("android");
  CheckOk(ImportAndroidTrace(android, path).status());
  Register("android", path, out);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace reheap

int main(int argc, char** argv) { return reheap::Main(argc, argv); }
