// What the recorder adds to a call, in nanoseconds: the same child run with and without it, in turns.
//
// The child (this program, called with --loop) times its own loop with CLOCK_PROCESS_CPUTIME_ID, so the collector's
// work beside it is not in the figure (but its cache misses are). Loops: 1T LIFO (malloc, free of one size), 1T and
// 2T churn (4,096 random slots, random sizes up to 512 B). Goals: <= 3 ns added with one thread, <= 6 with two.
//
// No encoder keeps up with the 250 M events a second of such a loop. "bursts" therefore pauses 20 ms after every
// 50,000 events, so that segments are recycled as in real programs (2 to 12 M events a second); "flood" does
// not, and pays 930 ns for each fresh page of the pool (3.6 ns an event) and then the collector's pace.
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "benchmark/benchmark.h"
#include "traces/record_session.h"

namespace {

constexpr int kRounds = 5;

double CpuNs() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

double g_loop_ns = 0;

constexpr uint64_t kBurstEvents = 50'000;

void Lifo(uint64_t events) {
  for (uint64_t i = 0; i < events; i += 2) {
    void* object = std::malloc(64);
    benchmark::DoNotOptimize(object);
    std::free(object);
  }
}

void Churn(uint64_t events, uint64_t seed) {
  std::vector<void*> table(4096);
  for (uint64_t i = 0; i < events; i += 2) {
    seed = seed * 6364136223846793005 + 1442695040888963407;
    void*& slot = table[seed >> 52];
    std::free(slot);
    slot = std::malloc(16 + (seed >> 30) % 497);
  }
  for (void* object : table) std::free(object);
}

void RunLoop(const std::string& name, uint64_t events) {
  const double start = CpuNs();
  if (name == "lifo") Lifo(events);
  if (name == "churn1") Churn(events, 1);
  if (name == "churn2") {
    std::thread other([&] { Churn(events / 2, 2); });
    Churn(events / 2, 3);
    other.join();
  }
  g_loop_ns += CpuNs() - start;
}

// The child: writes down the CPU nanoseconds per event. `name` is loop/flood or loop/bursts.
int Loop(const std::string& name, uint64_t events, const char* result_path) {
  const std::string loop = name.substr(0, name.find('/'));
  if (name.ends_with("flood")) {
    RunLoop(loop, events);
  } else {
    RunLoop(loop, kBurstEvents);
    g_loop_ns = 0;  // the first burst makes the pool
    for (uint64_t done = 0; done < events; done += kBurstEvents) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      RunLoop(loop, kBurstEvents);
    }
  }
  std::ofstream(result_path) << g_loop_ns / static_cast<double>(events);
  return 0;
}

double RunOnce(const std::string& name, uint64_t events, bool recorded) {
  const std::filesystem::path directory = std::filesystem::temp_directory_path();
  const std::string result = directory / ("recorder_bench." + std::to_string(getpid()));
  const std::vector<std::string> command = {"/proc/self/exe", "--loop", name, std::to_string(events), result};
  if (recorded) {
    reheap::RecordOptions options;
    options.output = result + ".trace";
    options.command = command;
    // The child's /proc/self is this program still when it execs.
    absl::StatusOr<reheap::RecordResult> run = reheap::RecordProgram(options);
    if (!run.ok() || run->processes.empty()) return -1;
    uint64_t dropped = run->processes[0].dropped_events;
    if (dropped != 0) std::fprintf(stderr, "%llu events dropped\n", static_cast<unsigned long long>(dropped));
    std::filesystem::remove(options.output);
  } else {
    const pid_t pid = fork();
    if (pid == 0) {
      execl("/proc/self/exe", "recorder_bench", "--loop", name.c_str(), std::to_string(events).c_str(), result.c_str(),
            nullptr);
      _exit(127);
    }
    waitpid(pid, nullptr, 0);
  }
  double ns = -1;
  std::ifstream(result) >> ns;
  std::filesystem::remove(result);
  return ns;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void BM_Recorder(benchmark::State& state, const std::string& name, uint64_t events) {
  for (auto _ : state) {
    std::vector<double> plain;
    std::vector<double> recorded;
    for (int round = 0; round < kRounds; ++round) {
      plain.push_back(RunOnce(name, events, false));
      recorded.push_back(RunOnce(name, events, true));
    }
    state.counters["plain_ns"] = Median(plain);
    state.counters["recorded_ns"] = Median(recorded);
    state.counters["added_ns"] = Median(recorded) - Median(plain);
    state.counters["ratio"] = Median(recorded) / Median(plain);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 5 && std::strcmp(argv[1], "--loop") == 0) {
    return Loop(argv[2], std::strtoull(argv[3], nullptr, 10), argv[4]);
  }
  constexpr uint64_t kEvents = 3'000'000;
  for (const char* name : {"lifo/bursts", "churn1/bursts", "churn2/bursts", "lifo/flood", "churn1/flood", "churn2/flood"}) {
    benchmark::RegisterBenchmark((std::string("BM_Recorder/") + name).c_str(),
                                 [name](benchmark::State& state) { BM_Recorder(state, name, kEvents); })
        ->Iterations(1)
        ->Unit(benchmark::kMillisecond);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
