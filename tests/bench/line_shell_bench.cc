// The line shell: lines per second, with layouts of some sizes, since each answer writes the whole layout.
//
//   ./tools/bazel run //tests/bench:line_shell_bench
//
// The floor beside it: the same calls without words.
#include <benchmark/benchmark.h>

#include <string>

#include "sim/os/line_shell.h"
#include "sim/os/platform_catalog.h"

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kFirst = 0x100000000000;  // address of the first mapping

VirtualProcess Linux() {
  VirtualProcess process;
  process.platform = Platforms().Find("linux-amd64");
  return process;
}

// `count` mappings that do not merge, beside those of the image.
void Fill(VirtualOs& os, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    os.Squat({Addr(kFirst + static_cast<uint64_t>(i) * 4 * kPage), 2 * kPage});
  }
}

void BM_LineOfMmapAndMunmap(benchmark::State& state) {
  VirtualOs os(Linux());
  Fill(os, state.range(0));
  LineShell shell(&os, nullptr);
  std::string answer;
  uint64_t answer_bytes = 0;
  for (auto _ : state) {
    for (const char* line : {"mmap 0x200000000000 12288 3 0x22", "munmap 0x200000000000 12288"}) {
      answer.clear();
      shell.Execute(line, &answer);
      answer_bytes += answer.size();
    }
  }
  state.SetItemsProcessed(2 * state.iterations());
  state.SetBytesProcessed(static_cast<int64_t>(answer_bytes));
}
BENCHMARK(BM_LineOfMmapAndMunmap)->Arg(0)->Arg(20)->Arg(100)->Arg(1000);

void BM_CallOfMmapAndMunmap(benchmark::State& state) {
  VirtualOs os(Linux());
  Fill(os, state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(os.Mmap(Addr(0x200000000000), 3 * kPage, 3, 0x22));
    benchmark::DoNotOptimize(os.Munmap(Addr(0x200000000000), 3 * kPage));
  }
  state.SetItemsProcessed(2 * state.iterations());
}
BENCHMARK(BM_CallOfMmapAndMunmap)->Arg(0)->Arg(100);

void BM_LineOfTouch(benchmark::State& state) {
  VirtualOs os(Linux());
  LineShell shell(&os, nullptr);
  shell.Execute("mmap 0x200000000000 0x10000000 3 0x32");
  const std::string line = "touch 0x200000000000 " + std::to_string(state.range(0)) + " 4096 w";
  std::string answer;
  for (auto _ : state) {
    answer.clear();
    shell.Execute(line, &answer);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_LineOfTouch)->Arg(1)->Arg(65536);

}  // namespace
}  // namespace reheap
