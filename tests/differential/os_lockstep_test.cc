// Random requests in lockstep: the running kernel, in a process of its own, against VirtualOs(linux-amd64)
// that starts from that process's mappings and switches. Every answer, address, errno, VSIZE and anonymous
// RSS must agree after each operation, and the whole layout now and then. One mismatch fails, printing seed,
// operation and both answers.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "sim/os/host_probe.h"
#include "sim/os/platform_catalog.h"
#include "tests/differential/os_protocol.h"
#include "tests/differential/request_source.h"

extern char** environ;

namespace reheap {
namespace {

constexpr int kLayoutEvery = 4;    // operations between two comparisons of the whole layout
constexpr int kOperations = 2500;  // of one seed: 35,000 in all
constexpr const char* kExecutor = "tests/differential/os_executor";

const char* const kCallNames[] = {"Reserve",
                                  "MapReady",
                                  "MapReadyAt",
                                  "Commit(MAP_FIXED)",
                                  "Commit(mprotect)",
                                  "Discard",
                                  "Reuse",
                                  "Decommit",
                                  "Release",
                                  "mmap",
                                  "munmap",
                                  "mprotect",
                                  "madvise",
                                  "touch for writing",
                                  "touch for reading",
                                  "brk",
                                  "limit address",
                                  "limit data",
                                  "quit"};

std::string Text(const CallRequest& r) {
  char text[200];
  std::snprintf(text, sizeof(text), "%s addr 0x%llx bytes 0x%llx protection %d flags 0x%x",
                kCallNames[static_cast<int>(r.call)], static_cast<unsigned long long>(r.addr),
                static_cast<unsigned long long>(r.bytes), r.protection, static_cast<unsigned>(r.flags));
  return text;
}

std::string Text(const CallAnswer& a) {
  char text[200];
  std::snprintf(text, sizeof(text), "value 0x%llx errno %d taken %u obtained 0x%llx vsize %llu rss %llu",
                static_cast<unsigned long long>(a.value), a.error, a.taken,
                static_cast<unsigned long long>(a.obtained), static_cast<unsigned long long>(a.vsize_bytes),
                static_cast<unsigned long long>(a.rss_anonymous_bytes));
  return text;
}

// The executor, and pipes to it.
class RealProcess {
 public:
  // Without randomisation the same seed makes the same requests again, also in another process.
  explicit RealProcess(bool randomised) {
    const int persona = personality(0xffffffff);
    if (!randomised) personality(static_cast<unsigned>(persona) | ADDR_NO_RANDOMIZE);
    int to[2], from[2];
    EXPECT_EQ(pipe2(to, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(from, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], 0);
    posix_spawn_file_actions_adddup2(&actions, from[1], 1);
    std::string name = kExecutor;
    char* argv[] = {name.data(), nullptr};
    EXPECT_EQ(posix_spawn(&pid_, kExecutor, &actions, nullptr, argv, environ), 0) << kExecutor;
    posix_spawn_file_actions_destroy(&actions);
    personality(static_cast<unsigned>(persona));
    close(to[0]);
    close(from[1]);
    to_ = to[1];
    from_ = from[0];
    EXPECT_EQ(read(from_, &switches_, sizeof(switches_)), static_cast<ssize_t>(sizeof(switches_)));
  }
  ~RealProcess() {
    CallRequest quit;
    (void)!write(to_, &quit, sizeof(quit));
    close(to_);
    close(from_);
    int status = 0;
    waitpid(pid_, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "executor status " << status;
  }
  const HostSwitches& switches() const { return switches_; }
  std::string pid() const { return std::to_string(pid_); }
  CallAnswer Call(const CallRequest& request) {
    CallAnswer answer;
    EXPECT_EQ(write(to_, &request, sizeof(request)), static_cast<ssize_t>(sizeof(request)));
    EXPECT_EQ(read(from_, &answer, sizeof(answer)), static_cast<ssize_t>(sizeof(answer)));
    return answer;
  }

 private:
  pid_t pid_ = -1;
  int to_ = -1;
  int from_ = -1;
  HostSwitches switches_;
};

CallAnswer CallModel(VirtualOs& os, const CallRequest& r) {
  CallAnswer answer;
  const auto note = [&answer](const auto& result) {
    answer.error = result.ok() ? 0 : result.refusal().os_error;
  };
  switch (r.call) {
    case Call::kMmap: {
      const MmapResult got = os.Mmap(Addr(r.addr), r.bytes, r.protection, r.flags);
      if (got.ok()) answer.value = got.value().value();
      note(got);
      break;
    }
    case Call::kMunmap:
      note(os.Munmap(Addr(r.addr), r.bytes));
      break;
    case Call::kMprotect:
      note(os.Mprotect(Addr(r.addr), r.bytes, r.protection));
      break;
    case Call::kMadvise:
      note(os.Madvise(Addr(r.addr), r.bytes, r.flags));
      break;
    case Call::kTouchWrite:
    case Call::kTouchRead:
      while (answer.value < r.bytes / kPage &&
             os.Touch(Addr(r.addr + answer.value * kPage), r.call == Call::kTouchWrite)) {
        ++answer.value;
      }
      break;
    case Call::kBrk: {
      const MmapResult got = os.Brk(Addr(r.addr));
      answer.value = os.program_break().value();  // the system call answers the break, moved or not
      EXPECT_EQ(got.ok(), answer.value == r.addr);
      break;
    }
    case Call::kLimitAddress:
    case Call::kLimitData: {
      ProcessLimits limits = os.limits();
      auto& limit = r.call == Call::kLimitAddress ? limits.address_bytes : limits.data_bytes;
      limit = r.bytes == kUnlimited ? std::nullopt : std::optional<uint64_t>(r.bytes);
      os.set_limits(limits);
      break;
    }
    default:
      answer = CallOs(os, r);
      break;
  }
  const OsUsage usage = os.Usage();
  answer.vsize_bytes = usage.vsize_bytes;
  answer.rss_anonymous_bytes = usage.rss_anonymous_bytes;
  return answer;
}


std::string Layout(const std::vector<ImageMapping>& mappings) {
  std::string text;
  for (const ImageMapping& m : mappings) {
    char line[80];
    std::snprintf(line, sizeof(line), "%llx-%llx %s\n", static_cast<unsigned long long>(m.start.value()),
                  static_cast<unsigned long long>(m.end.value()), m.perms.c_str());
    text += line;
  }
  return text;
}

std::vector<ImageMapping> Parsed(const std::string& maps) {
  auto mappings = ParseMaps(maps, "model");
  REHEAP_CHECK(mappings.ok());
  return *std::move(mappings);
}

// The lines of `maps` near `addr`.
std::string Around(const std::string& maps, uint64_t addr) {
  std::string text = "before it:\n";
  const std::vector<ImageMapping> mappings = Parsed(maps);
  for (const ImageMapping& m : mappings) {
    const bool near = m.start.value() <= addr + 64 * kMiB && m.end.value() + 64 * kMiB >= addr;
    if (near) text += FormatMapsLine(m) + "\n";
  }
  return text;
}

// The first line in which the two differ, with what surrounds it.
std::string Difference(const std::string& kernel, const std::string& model) {
  const size_t n =
      std::mismatch(kernel.begin(), kernel.end(), model.begin(), model.end()).first - kernel.begin();
  const size_t from = n < 120 ? 0 : n - 120;
  return "kernel: ..." + kernel.substr(from, 300) + "\nmodel: ..." + model.substr(from, 300);
}

// How often each call was carried out and refused: a run that compares nothing of a kind proves nothing about
// it.
struct Tally {
  uint64_t done[std::size(kCallNames)] = {};
  uint64_t refused[std::size(kCallNames)] = {};
  void Note(const CallRequest& request, const CallAnswer& answer) {
    const bool is_touch = request.call == Call::kTouchWrite || request.call == Call::kTouchRead;
    const bool yes = is_touch                     ? answer.value == request.bytes / kPage
                     : request.call == Call::kBrk ? answer.value == request.addr
                                                  : answer.error == 0 && answer.taken == 0;
    ++(yes ? done : refused)[static_cast<int>(request.call)];
  }
  uint64_t total() const {
    uint64_t sum = 0;
    for (size_t i = 0; i < std::size(kCallNames); ++i) sum += done[i] + refused[i];
    return sum;
  }
};

// Runs `operations` of one seed; false at the first mismatch.
bool RunLockstep(uint64_t seed, int operations, bool randomised, Tally* tally) {
  RealProcess real(randomised);
  real.Call({Call::kLimitAddress, 0, 0, 0, kUnlimited});
  VirtualProcess process;
  process.platform = Platforms().Find("linux-amd64");
  process.switches = real.switches();
  auto image = ReadImage(real.pid());
  EXPECT_TRUE(image.ok()) << image.status();
  process.image = *image;
  VirtualOs model(process);
  RequestSource source(seed, &model, real.switches().placement_base);

  for (int i = 0; i < operations; ++i) {
    const CallRequest request = source.Next();
    const std::string before = model.MapsText();
    const CallAnswer expected = real.Call(request);
    const CallAnswer actual = CallModel(model, request);
    tally->Note(request, expected);
    if (!(expected == actual)) {
      ADD_FAILURE() << "seed " << seed << " operation " << i << ": " << Text(request)
                    << "\n  kernel: " << Text(expected) << "\n  model:  " << Text(actual) << "\n"
                    << Around(before, request.addr);
      return false;
    }
    if (i % kLayoutEvery != kLayoutEvery - 1) continue;
    model.CheckInvariants();
    const std::string kernel_layout = Layout(*ReadImage(real.pid()));
    const std::string model_layout = Layout(Parsed(model.MapsText()));
    if (kernel_layout != model_layout) {
      ADD_FAILURE() << "seed " << seed << " layout after operation " << i << " (" << Text(request) << ")\n"
                    << Difference(kernel_layout, model_layout);
      return false;
    }
  }
  return true;
}

TEST(OsLockstepTest, FixedSeedsAgree) {
  Tally tally;
  // The two large ones each found a rule: the stack as its own neighbour, pieces of the stack merging.
  for (const uint64_t seed : {uint64_t{1}, uint64_t{2}, uint64_t{3}, uint64_t{4}, uint64_t{5}, uint64_t{6},
                              uint64_t{2167371098}, uint64_t{412168791}}) {
    ASSERT_TRUE(RunLockstep(seed, kOperations, false, &tally));
  }
  EXPECT_GE(tally.total(), 20'000u);
  for (size_t i = 0; i < static_cast<size_t>(Call::kQuit); ++i) {
    const Call call = static_cast<Call>(i);
    std::printf("%-20s %5llu done %5llu refused\n", kCallNames[i],
                static_cast<unsigned long long>(tally.done[i]),
                static_cast<unsigned long long>(tally.refused[i]));
    EXPECT_GE(tally.done[i], 50u) << kCallNames[i];
    // Reuse does nothing on linux, aligned ranges can always be released, limits are always set.
    const bool always_granted = call == Call::kReuse || call == Call::kRelease ||
                                call == Call::kLimitAddress || call == Call::kLimitData;
    EXPECT_GE(tally.refused[i], always_granted ? 0u : 5u) << kCallNames[i];
  }
}

// Every other page of a reservation is made usable until the kernel's limit on mappings says no; then what
// the limit refuses and what it still grants.
TEST(OsLockstepTest, MappingCountLimitAgrees) {
  RealProcess real(false);
  real.Call({Call::kLimitAddress, 0, 0, 0, kUnlimited});
  if (real.switches().max_mappings > 200'000) GTEST_SKIP() << "vm.max_map_count is too high to fill";
  VirtualProcess process;
  process.platform = Platforms().Find("linux-amd64");
  process.switches = real.switches();
  const auto image = ReadImage(real.pid());
  ASSERT_TRUE(image.ok()) << image.status();
  process.image = *image;
  VirtualOs model(process);
  const auto agree = [&](const CallRequest& request) {
    const CallAnswer expected = real.Call(request), actual = CallModel(model, request);
    EXPECT_EQ(expected, actual) << Text(request) << "\n  kernel: " << Text(expected)
                                << "\n  model:  " << Text(actual);
    return expected;
  };
  const uint64_t pages = 2 * real.switches().max_mappings;
  const uint64_t at = agree({Call::kReserve, 0, 0, 0, pages * kPage}).value;
  uint64_t page = 1;
  while (page < pages && !HasFailure() && agree({Call::kMprotect, 3, 0, at + page * kPage, kPage}).error == 0)
    page += 2;
  EXPECT_LT(page, pages) << "the limit was never met";
    agree({Call::kMmap, 3, kPrivate, 0, kPage});  // a map may reach the limit
  agree({Call::kMmap, 1, kPrivate, 0, kPage});
  agree({Call::kMmap, 5, kPrivate, 0, kPage});
  agree({Call::kMunmap, 0, 0, at + (page + 20) * kPage, kPage});  // would split
  agree({Call::kMmap, 1, kPrivate | MAP_FIXED, at + (page + 20) * kPage, kPage});
  agree({Call::kMprotect, 0, 0, at + kPage, kPage});  // joins three into one
  agree({Call::kMprotect, 3, 0, at + (page + 20) * kPage, kPage});
  agree({Call::kMunmap, 0, 0, at + 2 * kPage, 8 * kPage});
  agree({Call::kBrk, 0, 0, model.program_break().value() + kMiB, 0});
  model.CheckInvariants();
}

void RunFreshSeeds(bool randomised) {
  const char* given = std::getenv("REHEAP_SEED");
  std::random_device device;
  Tally tally;
  for (int run = 0; run < 3; ++run) {
    const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 0) : device();
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    ASSERT_TRUE(RunLockstep(seed, kOperations, randomised, &tally))
        << "repeat with --test_env=REHEAP_SEED=" << seed;
  }
}
TEST(OsLockstepTest, FreshSeedsAgree) { RunFreshSeeds(false); }
TEST(OsLockstepTest, FreshSeedsAgreeUnderAddressRandomisation) { RunFreshSeeds(true); }

}  // namespace
}  // namespace reheap
