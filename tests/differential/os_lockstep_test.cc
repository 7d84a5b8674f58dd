// Random requests in lockstep: the running kernel, in a process of its own, against VirtualOs(linux-amd64) that starts from
// that process's mappings and switches. Every answer, address, errno, VSIZE and anonymous RSS must agree after each
// operation, and the whole layout now and then. One mismatch fails, printing seed, operation and both answers.
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

extern char** environ;

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096;
constexpr int kLayoutEvery = 4;  // operations between two comparisons of the whole layout
constexpr int kOperations = 2500;  // of one seed: 35,000 in all
constexpr uint64_t kUnlimited = ~uint64_t{0};
constexpr const char* kExecutor = "tests/differential/os_executor";

const char* const kCallNames[] = {"Reserve",   "MapReady", "MapReadyAt", "Commit(MAP_FIXED)", "Commit(mprotect)",
                                  "Discard",   "Reuse",    "Decommit",   "Release",           "mmap",
                                  "munmap",    "mprotect", "madvise",    "touch for writing", "touch for reading",
                                  "limit address", "limit data", "quit"};

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
  const auto note = [&answer](const auto& result) { answer.error = result.ok() ? 0 : result.refusal().os_error; };
  switch (r.call) {
    case Call::kMmap: {
      const MmapResult got = os.Mmap(Addr(r.addr), r.bytes, r.protection, r.flags);
      if (got.ok()) answer.value = got.value().value();
      note(got);
      break;
    }
    case Call::kMunmap: note(os.Munmap(Addr(r.addr), r.bytes)); break;
    case Call::kMprotect: note(os.Mprotect(Addr(r.addr), r.bytes, r.protection)); break;
    case Call::kMadvise: note(os.Madvise(Addr(r.addr), r.bytes, r.flags)); break;
    case Call::kTouchWrite:
    case Call::kTouchRead:
      while (answer.value < r.bytes / kPage &&
             os.Touch(Addr(r.addr + answer.value * kPage), r.call == Call::kTouchWrite)) {
        ++answer.value;
      }
      break;
    case Call::kLimitAddress:
    case Call::kLimitData: {
      ProcessLimits limits = os.limits();
      auto& limit = r.call == Call::kLimitAddress ? limits.address_bytes : limits.data_bytes;
      limit = r.bytes == kUnlimited ? std::nullopt : std::optional<uint64_t>(r.bytes);
      os.set_limits(limits);
      break;
    }
    default: answer = CallOs(os, r); break;
  }
  const OsUsage usage = os.Usage();
  answer.vsize_bytes = usage.vsize_bytes;
  answer.rss_anonymous_bytes = usage.rss_anonymous_bytes;
  return answer;
}

// Makes up requests, most of them meaningful: they go by what the model has mapped.
class RequestSource {
 public:
  RequestSource(uint64_t seed, const VirtualOs* os, Addr base) : random_(seed), os_(os), base_(base) {
    for (auto id = os->space().First(); id != AddressSpace::kNone; id = os->space().Next(id)) {
      image_.push_back(os->space().mapping(id).range());
    }
  }

  CallRequest Next() {
    CallRequest r = Draw();
    // The executor must survive: it keeps what it started with.
    while (TouchesImage(r)) r = Draw();
    return r;
  }

 private:
  uint64_t Below(uint64_t n) { return random_() % n; }
  bool Chance(int percent) { return Below(100) < static_cast<uint64_t>(percent); }

  // Few pages mostly, up to 64 GiB; around 2 MiB, where huge pages begin to matter, more often.
  uint64_t Bytes() {
    switch (Below(6)) {
      case 0: return 2 * kMiB * (1 + Below(8));
      case 1: return 2 * kMiB * (1 + Below(3)) + kPage * Below(3) - kPage;
      case 2: return kPage << Below(25);
      default: return kPage * (1 + Below(40));
    }
  }

  // Somewhere in or next to what is mapped, else in the open. `aligned` to a page mostly.
  AddrRange Place() {
    std::vector<AddrRange> ours;
    for (auto id = os_->space().First(); id != AddressSpace::kNone; id = os_->space().Next(id)) {
      const AddrRange range = os_->space().mapping(id).range();
      if (std::find(image_.begin(), image_.end(), range) == image_.end()) ours.push_back(range);
    }
    if (ours.empty() || Chance(10)) {
      const uint64_t window = Chance(50) ? base_.value() - 64 * kGiB : 0x100000000000;
      return {Addr(window + kPage * Below(1 << 20)), Bytes()};
    }
    const AddrRange whole = ours[Below(ours.size())];
    const uint64_t pages = whole.bytes / kPage;
    switch (Below(5)) {
      case 0: return whole;
      case 1: return {whole.start - kPage * Below(4), whole.bytes + kPage * Below(8)};
      case 2: return {whole.end(), Bytes()};
      default: break;
    }
    const uint64_t first = Below(std::min<uint64_t>(pages, 64));
    return {whole.start + first * kPage, (1 + Below(std::min<uint64_t>(pages - first, 24))) * kPage};
  }

  Addr Hint() {
    switch (Below(8)) {
      case 0: return Place().start;
      case 1: return Place().start + Below(kPage);
      case 2: return Addr(Below(3 * 65536));
      case 3: return Addr(0x7ffffffff000 - Bytes());
      case 4: return Addr(random_() >> Below(20));
      default: return Addr();
    }
  }

  int Protection() {
    constexpr int kChoices[] = {0, 0, 1, 3, 3, 3, 3, 2, 7, 5};
    return kChoices[Below(std::size(kChoices))];
  }

  CallRequest Mmap() {
    CallRequest r{Call::kMmap, Protection(), MAP_PRIVATE | MAP_ANONYMOUS, Hint().value(), Bytes()};
    if (Chance(15)) r.flags |= MAP_NORESERVE;
    if (Chance(3)) r.flags = MAP_ANONYMOUS;
    if (Chance(3)) r.bytes = Chance(50) ? 0 : random_() >> Below(24);
    if (Chance(10)) r.bytes -= Below(kPage);
    if (Chance(35)) {
      const AddrRange place = Place();
      r.addr = place.start.value();
      r.bytes = place.bytes;
      r.flags |= Chance(30) ? MAP_FIXED_NOREPLACE : MAP_FIXED;
      if (Chance(2)) r.addr += Below(kPage);
      if (Chance(2)) r.addr = 0x7ffffffff000 - Below(8) * kPage;
    }
    return r;
  }

  CallRequest Limit() {
    const Call call = Chance(60) ? Call::kLimitAddress : Call::kLimitData;
    const MappingTotals& totals = os_->space().totals();
    const uint64_t now = call == Call::kLimitAddress ? totals.mapped_bytes : totals.data_bytes;
    return {call, 0, 0, 0, Chance(50) ? kUnlimited : now + Bytes() - Below(kPage)};
  }

  CallRequest Raw() {
    const AddrRange place = Place();
    const uint64_t odd = Chance(3) ? Below(kPage) : 0;
    switch (Below(8)) {
      case 0: case 1: return Mmap();
      case 2: case 3: return {Call::kMunmap, 0, 0, place.start.value() + odd, place.bytes};
      case 4: case 5:
        return {Call::kMprotect, Chance(2) ? 0x20 : Protection(), 0, place.start.value() + odd, place.bytes};
      case 6: return {Call::kMadvise, 0, Chance(5) ? 99 : MADV_DONTNEED, place.start.value() + odd, place.bytes};
      default: return Limit();
    }
  }

  CallRequest Draw() {
    // Too many mappings make each comparison slow: sweep a wide range now and then.
    if (os_->space().count() > 400) return {Call::kRelease, 0, 0, base_.value() - 2 * kTiB, 2 * kTiB - 64 * kMiB};
    const AddrRange place = Place();
    const int access = Chance(15) ? 7 : 3;
    switch (Below(14)) {
      case 0: return {Call::kReserve, 0, 0, Hint().value(), Bytes()};
      case 1: return {Call::kMapReady, access, 0, Hint().value(), Bytes()};
      case 2: return {Call::kMapReadyAt, access, 0, place.start.value(), place.bytes};
      case 3: return {Call::kCommitMapFixed, access, 0, place.start.value(), place.bytes};
      case 4: return {Call::kCommitProtect, access, 0, place.start.value(), place.bytes};
      case 5: return {Call::kDiscard, 0, 0, place.start.value(), place.bytes};
      case 6: return {Call::kDecommit, 0, 0, place.start.value(), place.bytes};
      case 7: return {Call::kRelease, 0, 0, place.start.value(), place.bytes};
      case 8: return {Call::kTouchRead, 0, 0, place.start.value(), kPage * (1 + Below(4))};
      case 9: case 10: return {Call::kTouchWrite, 0, 0, place.start.value(), kPage * (1 + Below(4))};
      default: return Raw();
    }
  }

  bool TouchesImage(const CallRequest& r) const {
    if (r.call == Call::kReserve || r.call == Call::kMapReady || r.call == Call::kLimitAddress ||
        r.call == Call::kLimitData || (r.call == Call::kMmap && (r.flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) == 0)) {
      return false;
    }
    if (r.addr + r.bytes < r.addr) return true;
    return std::any_of(image_.begin(), image_.end(), [&r](AddrRange range) {
      return range.Overlaps({Addr(r.addr), r.bytes + kPage});
    });
  }

  std::mt19937_64 random_;
  const VirtualOs* os_;
  const Addr base_;
  std::vector<AddrRange> image_;
};

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
  const size_t n = std::mismatch(kernel.begin(), kernel.end(), model.begin(), model.end()).first - kernel.begin();
  const size_t from = n < 120 ? 0 : n - 120;
  return "kernel: ..." + kernel.substr(from, 300) + "\nmodel: ..." + model.substr(from, 300);
}

// Runs `operations` of one seed; false at the first mismatch.
bool RunLockstep(uint64_t seed, int operations, bool randomised) {
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
    if (!(expected == actual)) {
      ADD_FAILURE() << "seed " << seed << " operation " << i << ": " << Text(request) << "\n  kernel: "
                    << Text(expected) << "\n  model:  " << Text(actual) << "\n" << Around(before, request.addr);
      return false;
    }
    if (i % kLayoutEvery != kLayoutEvery - 1) continue;
    model.CheckInvariants();
    const std::string kernel_layout = Layout(*ReadImage(real.pid()));
    const std::string model_layout = Layout(Parsed(model.MapsText()));
    if (kernel_layout != model_layout) {
      ADD_FAILURE() << "seed " << seed << " layout after operation " << i << " (" << Text(request)
                    << ")\n" << Difference(kernel_layout, model_layout);
      return false;
    }
  }
  return true;
}

TEST(OsLockstepTest, FixedSeedsAgree) {
  // The two large ones each found a rule: the stack as its own neighbour, pieces of the stack merging.
  for (const uint64_t seed : {1, 2, 3, 4, 5, 6}) ASSERT_TRUE(RunLockstep(seed, kOperations, false));
  for (const uint64_t seed : {2167371098, 412168791}) ASSERT_TRUE(RunLockstep(seed, kOperations, false));
}

void RunFreshSeeds(bool randomised) {
  const char* given = std::getenv("REHEAP_SEED");
  std::random_device device;
  for (int run = 0; run < 3; ++run) {
    const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 0) : device();
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    ASSERT_TRUE(RunLockstep(seed, kOperations, randomised)) << "repeat with --test_env=REHEAP_SEED=" << seed;
  }
}
TEST(OsLockstepTest, FreshSeedsAgree) { RunFreshSeeds(false); }
TEST(OsLockstepTest, FreshSeedsAgreeUnderAddressRandomisation) { RunFreshSeeds(true); }

}  // namespace
}  // namespace reheap
