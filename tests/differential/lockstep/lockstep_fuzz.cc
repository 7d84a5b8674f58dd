// lockstep_fuzz: as many random operations as asked for, on every kind of process or some; ends with what was
// compared and how many mismatches there were.
//
//   lockstep_fuzz [--operations N] [--seed S] [--kinds amd64,i386] [--release 6.1] [--executors DIRECTORY]
//                 [--mismatches 3] [--scripts DIRECTORY] [--alone yes]
//
// --alone: nothing else runs on the machine, so that what all have committed is compared, too.
// The scripts of the directory, if one is given, come before the random operations of each kind.
// Status: 0 no mismatch, 1 mismatches, 2 usage.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/differential/lockstep/fuzz_run.h"
#include "tests/differential/lockstep/script_run.h"

namespace reheap {
namespace {

constexpr uint64_t kSequence = 2000;  // operations of one process

struct Options {
  uint64_t operations = 100'000;  // per kind
  uint64_t seed = std::random_device()();
  std::string kinds;  // between commas; empty = all
  std::string release;
  std::string scripts;
  bool is_alone = false;
  int mismatches = 3;  // after so many of a kind it goes on to the next
};

bool ParseOptions(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 == argc) return false;
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--operations") {
      options->operations = std::strtoull(value.c_str(), nullptr, 0);
    } else if (name == "--seed") {
      options->seed = std::strtoull(value.c_str(), nullptr, 0);
    } else if (name == "--kinds") {
      options->kinds = "," + value + ",";
    } else if (name == "--release") {
      options->release = value;
    } else if (name == "--mismatches") {
      options->mismatches = std::atoi(value.c_str());
    } else if (name == "--scripts") {
      options->scripts = value;
    } else if (name == "--alone") {
      options->is_alone = value == "yes";
    } else if (name == "--executors") {
      SetExecutorDirectory(value);
    } else {
      return false;
    }
  }
  return true;
}

// The number of mismatches.
int FuzzKind(const ProcessKind& kind, const Options& options) {
  auto setup = MakeSetup(kind, options.release);
  if (!setup.ok()) {
    const bool skipped = absl::IsUnavailable(setup.status());
    std::printf("%-26s %s: %s\n", kind.name, skipped ? "skipped" : "failed",
                std::string(setup.status().message()).c_str());
    return skipped ? 0 : 1;
  }
  setup->is_alone = options.is_alone;
  Tally tally;
  int mismatches = 0;
  for (const std::string& script : ScriptsIn(options.scripts)) {
    const absl::Status agreed = RunScript(*setup, script);
    if (agreed.ok()) continue;
    ++mismatches;
    std::printf("%s\n", std::string(agreed.message()).c_str());
  }
  for (uint64_t seed = options.seed; tally.total() < options.operations && mismatches < options.mismatches; ++seed) {
    const absl::Status agreed = FuzzRun(*setup, seed, kSequence, &tally);
    if (agreed.ok()) continue;
    ++mismatches;
    std::printf("%s\n", std::string(agreed.message()).c_str());
  }
  std::printf(
      "%-26s %10llu operations, %d mismatches (model %s%s)\n", kind.name,
      static_cast<unsigned long long>(tally.total()), mismatches, setup->platform.name.c_str(),
      tally.placed_high == 0 ? "" : absl::StrCat(", ", tally.placed_high, " places above 2^47").c_str());
  std::fflush(stdout);
  return mismatches;
}

int Main(int argc, char** argv) {
  Options options;
  if (!ParseOptions(argc, argv, &options)) {
    std::fprintf(stderr,
                 "lockstep_fuzz [--operations N] [--seed S] [--kinds K,L] [--release R] [--executors DIR] "
                 "[--mismatches N] [--scripts DIR] [--alone yes]\n");
    return 2;
  }
  std::printf("seed %llu\n", static_cast<unsigned long long>(options.seed));
  int mismatches = 0;
  for (const ProcessKind& kind : ProcessKinds()) {
    const bool wanted = options.kinds.empty() ||
                        options.kinds.find("," + std::string(kind.name) + ",") != std::string::npos;
    if (wanted) mismatches += FuzzKind(kind, options);
  }
  return mismatches == 0 ? 0 : 1;
}

}  // namespace
}  // namespace reheap

int main(int argc, char** argv) { return reheap::Main(argc, argv); }
