// `reheap os` itself, as its users run it, in lockstep with the running kernel: both read the same lines
// through pipes, the model started from the kernel process's saved maps. Result, errno, VSIZE, data, growth
// of RSS and layout of each answer must agree. A mismatch prints the seed, the last lines and both answers.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/personality.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "sim/os/host_probe.h"
#include "sim/os/platform_catalog.h"
#include "tests/differential/os_shell/line_source.h"

extern char** environ;

namespace reheap {
namespace {

constexpr int kLines = 4000;
constexpr char kExecutor[] = "tests/differential/os_shell/line_executor";

// A program with pipes to it, that answers lines.
class LineProgram {
 public:
  explicit LineProgram(std::vector<std::string> arguments) {
    int to[2], from[2];
    EXPECT_EQ(pipe2(to, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(from, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], 0);
    posix_spawn_file_actions_adddup2(&actions, from[1], 1);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    EXPECT_EQ(posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ), 0) << argv[0];
    posix_spawn_file_actions_destroy(&actions);
    close(to[0]);
    close(from[1]);
    to_ = to[1];
    from_ = fdopen(from[0], "r");
  }
  ~LineProgram() {
    Say("quit");
    close(to_);
    (void)fclose(from_);
    int status = 0;
    waitpid(pid_, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
  }
  LineProgram(const LineProgram&) = delete;
  LineProgram& operator=(const LineProgram&) = delete;

  void Say(const std::string& line) {
    const std::string text = line + "\n";
    EXPECT_EQ(write(to_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::string Hear() {
    char* text = nullptr;
    size_t room = 0;
    const ssize_t size = getline(&text, &room, from_);
    std::string line(text, size > 0 ? static_cast<size_t>(size) - 1 : 0);
    free(text);
    return line;
  }
  std::string Ask(const std::string& line) {
    Say(line);
    return Hear();
  }
  std::string pid() const { return std::to_string(pid_); }

 private:
  pid_t pid_ = -1;
  int to_ = -1;
  FILE* from_ = nullptr;
};

std::unique_ptr<LineProgram> Executor(bool randomised) {
  const int persona = personality(0xffffffff);
  if (!randomised) personality(static_cast<unsigned>(persona) | ADDR_NO_RANDOMIZE);
  auto executor = std::make_unique<LineProgram>(std::vector<std::string>{kExecutor});
  personality(static_cast<unsigned>(persona));
  EXPECT_EQ(executor->Hear(), "") << "the executor says when it is ready";
  return executor;
}

// A copy of the file in /proc, as a user would save it.
std::string SavedMaps(const std::string& pid, const std::string& file) {
  std::stringstream text;
  text << std::ifstream(absl::StrCat("/proc/", pid, "/", file)).rdbuf();
  const std::string path = absl::StrCat(testing::TempDir(), "/", pid, ".", file);
  std::ofstream(path) << text.str();
  return path;
}

// "6.18" of 6.18.44.
std::string KernelRelease() {
  utsname name;
  EXPECT_EQ(uname(&name), 0);
  const std::vector<std::string> numbers = absl::StrSplit(name.release, '.');
  return numbers.size() < 2 ? name.release : absl::StrCat(numbers[0], ".", numbers[1]);
}

// Kernels that the model does not know are the call fuzzer's business, which asks for each rule by itself.
bool IsModelled(const std::string& release) {
  const std::vector<std::string> known = Platforms().ReleasesOf("linux-amd64");
  return std::find(known.begin(), known.end(), release) != known.end();
}

std::vector<std::string> ModelOf(const std::string& maps_path) {
  const absl::StatusOr<HostSwitches> host = ProbeHost();
  EXPECT_TRUE(host.ok()) << host.status();
  return {"tools/reheap",
          "os",
          "--platform",
          "linux-amd64",
          "--kernel",
          KernelRelease(),
          "--maps",
          maps_path,
          "--hint-floor",
          absl::StrCat(host->hint_floor_bytes),
          "--ram",
          absl::StrCat(host->ram_bytes),
          "--swap",
          absl::StrCat(host->swap_bytes),
          "--max-map-count",
          absl::StrCat(host->max_mappings),
          "--overcommit",
          absl::StrCat(static_cast<int>(host->overcommit))};
}

std::string Layout(const Answered& answered) {
  std::string text;
  for (const AnsweredMapping& m : answered.layout) {
    absl::StrAppend(&text, absl::Hex(m.start), "-", absl::Hex(m.end), " ", m.perms, " ", m.name, "\n");
  }
  return text;
}

// What of two answers must be the same, as text.
std::string Compared(const Answered& answered, uint64_t rss_before) {
  return absl::StrCat("R ", answered.result, "\nS ", answered.vsize_pages, " ",
                      static_cast<int64_t>(answered.rss_pages - rss_before), " ", answered.data_pages, "\n",
                      Layout(answered));
}

void GoInLockstep(uint64_t seed, bool randomised, const std::string& file) {
  if (!IsModelled(KernelRelease())) GTEST_SKIP() << "no release " << KernelRelease() << " of linux-amd64";
  SCOPED_TRACE(testing::Message() << "seed " << seed << (randomised ? " randomised" : "") << " from " << file);
  const std::unique_ptr<LineProgram> kernel = Executor(randomised);
  LineProgram model(ModelOf(SavedMaps(kernel->pid(), file)));
  Answered real = ParseAnswer(kernel->Ask("brk 0")), modelled = ParseAnswer(model.Ask("brk 0"));
  const uint64_t real_rss = real.rss_pages, modelled_rss = modelled.rss_pages;
  ASSERT_EQ(Compared(modelled, modelled_rss), Compared(real, real_rss)) << "before the first line";
  LineSource source(seed, real.layout, std::strtoull(real.result.c_str(), nullptr, 16));
  std::deque<std::string> said;
  for (int i = 0; i < kLines; ++i) {
    said.push_back(source.Next(real));
    if (said.size() > 20) said.pop_front();
    real = ParseAnswer(kernel->Ask(said.back()));
    modelled = ParseAnswer(model.Ask(said.back()));
    std::string script;
    for (const std::string& line : said) absl::StrAppend(&script, line, "\n");
    ASSERT_EQ(Compared(modelled, modelled_rss), Compared(real, real_rss))
        << "(first the model, then the kernel) at line " << i << ", the last of\n"
        << script;
  }
}

uint64_t Seed() {
  const char* given = std::getenv("REHEAP_SEED");
  return given == nullptr ? std::random_device()() : std::strtoull(given, nullptr, 10);
}

TEST(OsShellLockstepTest, FromPlainMaps) {
  for (const uint64_t seed : {uint64_t{1}, uint64_t{2}, uint64_t{3}, Seed()}) GoInLockstep(seed, false, "maps");
}

TEST(OsShellLockstepTest, FromSmaps) { GoInLockstep(Seed(), false, "smaps"); }

TEST(OsShellLockstepTest, FromMapsOfARandomisedProcess) {
  for (const char* file : {"maps", "smaps"}) GoInLockstep(Seed(), true, file);
}

}  // namespace
}  // namespace reheap
