#include "tests/differential/wine/windows_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "alloc/check.h"

namespace reheap {
namespace {

constexpr const char* kCompiler = "/usr/bin/x86_64-w64-mingw32-g++";
constexpr const char* kWine = "/usr/lib/wine/wine64";
constexpr const char* kWineServer = "/usr/lib/wine/wineserver";

std::string Hex(uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%llx", static_cast<unsigned long long>(value));
  return text;
}

std::vector<char*> Pointers(std::vector<std::string>* words) {
  std::vector<char*> pointers;
  for (std::string& word : *words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

pid_t Spawn(std::vector<std::string> argv, std::vector<std::string> environment, int in, int out) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (in >= 0) posix_spawn_file_actions_adddup2(&actions, in, 0);
  if (out >= 0) posix_spawn_file_actions_adddup2(&actions, out, 1);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, argv[0].c_str(), &actions, nullptr, Pointers(&argv).data(),
                                Pointers(&environment).data());
  posix_spawn_file_actions_destroy(&actions);
  REHEAP_CHECK_EQ(error, 0);
  return pid;
}

int Wait(pid_t pid) {
  int status = 0;
  REHEAP_CHECK_EQ(waitpid(pid, &status, 0), pid);
  return status;
}

// Nothing of the user's: no display, no other prefix.
std::vector<std::string> WineEnvironment(const std::string& prefix) {
  return {"PATH=/usr/bin:/bin",
          "HOME=" + prefix,
          "WINEPREFIX=" + prefix,
          "WINEDEBUG=-all",
          "WINEDLLOVERRIDES=mscoree,mshtml=",
          "DISPLAY="};
}

}  // namespace

std::string Text(const WindowsRequest& r) {
  return std::string(1, r.call) + " addr 0x" + Hex(r.addr) + " bytes 0x" + Hex(r.bytes) + " type 0x" +
         Hex(r.type) + " protection 0x" + Hex(r.protection);
}

std::string Text(const WindowsAnswer& a) {
  const RegionInfo& r = a.region;
  std::string text = "value 0x" + Hex(a.value) + " error " + std::to_string(a.error);
  if (r.region_bytes == 0) return text;
  return text + " region 0x" + Hex(r.base.value()) + " + 0x" + Hex(r.region_bytes) + " of 0x" +
         Hex(r.allocation_base.value()) + " made 0x" + Hex(r.allocation_protection) + " state 0x" +
         Hex(r.state) + " protection 0x" + Hex(r.protection) + " type 0x" + Hex(r.type);
}

std::string WhyNoWine() {
  std::string missing;
  for (const char* program : {kCompiler, kWine, kWineServer}) {
    if (access(program, X_OK) != 0) missing += std::string(missing.empty() ? "" : ", ") + program;
  }
  return missing.empty()
             ? ""
             : "not installed: " + missing + " (apt-get install wine64 g++-mingw-w64-x86-64-win32)";
}

WindowsProcess::WindowsProcess(const std::string& executor_source) {
  signal(SIGPIPE, SIG_IGN);  // a dead executor is an error of Send, with its reason
  const char* temporary = std::getenv("TEST_TMPDIR");
  std::string folder = std::string(temporary == nullptr ? "/tmp" : temporary) + "/wine_XXXXXX";
  REHEAP_CHECK(mkdtemp(folder.data()) != nullptr);
  prefix_ = folder;
  const std::string program = prefix_ + "/executor.exe";
  const pid_t compiler = Spawn({kCompiler, "-std=c++20", "-O1", "-static", "-o", program, executor_source},
                               {"PATH=/usr/bin:/bin"}, -1, -1);
  REHEAP_CHECK_EQ(Wait(compiler), 0);

  int to[2], from[2];
  REHEAP_CHECK_EQ(pipe2(to, O_CLOEXEC), 0);
  REHEAP_CHECK_EQ(pipe2(from, O_CLOEXEC), 0);
  pid_ = Spawn({kWine, program}, WineEnvironment(prefix_), to[0], from[1]);
  close(to[0]);
  close(from[1]);
  to_ = fdopen(to[1], "w");
  from_ = fdopen(from[0], "r");
}

WindowsProcess::~WindowsProcess() {
  std::fclose(to_);
  std::fclose(from_);
  Wait(pid_);
  Wait(Spawn({kWineServer, "-k"}, WineEnvironment(prefix_), -1, -1));
  std::error_code ignored;
  std::filesystem::remove_all(prefix_, ignored);
}

void WindowsProcess::Send(const std::string& line) {
  const bool sent = std::fputs((line + "\n").c_str(), to_) >= 0 && std::fflush(to_) == 0;
  if (!sent) std::fprintf(stderr, "the executor under Wine is gone: it cannot be asked '%s'\n", line.c_str());
  REHEAP_CHECK(sent);
  newest_request_ = line;
}

std::string WindowsProcess::Receive() {
  char line[256];
  const bool answered = std::fgets(line, sizeof(line), from_) != nullptr;
  if (!answered) {
    std::fprintf(stderr, "the executor under Wine ended without an answer to '%s'\n", newest_request_.c_str());
  }
  REHEAP_CHECK(answered);
  return line;
}

namespace {

// BASE BYTES ALLOCATION_BASE ALLOCATION_PROTECTION STATE PROTECTION TYPE ERROR
RegionInfo ParseRegion(const std::string& line, uint32_t* error) {
  unsigned long long n[8] = {};
  REHEAP_CHECK_EQ(std::sscanf(line.c_str(), "%llx %llx %llx %llx %llx %llx %llx %llx", &n[0], &n[1], &n[2],
                              &n[3], &n[4], &n[5], &n[6], &n[7]),
                  8);
  RegionInfo region;
  region.base = Addr(n[0]);
  region.region_bytes = n[1];
  region.allocation_base = Addr(n[2]);
  region.allocation_protection = static_cast<uint32_t>(n[3]);
  region.state = static_cast<uint32_t>(n[4]);
  region.protection = static_cast<uint32_t>(n[5]);
  region.type = static_cast<uint32_t>(n[6]);
  *error = static_cast<uint32_t>(n[7]);
  return region;
}

}  // namespace

WindowsAnswer WindowsProcess::Call(const WindowsRequest& r) {
  std::string line = std::string(1, r.call) + " " + Hex(r.addr);
  if (r.call == WindowsRequest::kAlloc) {
    line += " " + Hex(r.bytes) + " " + Hex(r.type) + " " + Hex(r.protection);
  } else if (r.call == WindowsRequest::kFree) {
    line += " " + Hex(r.bytes) + " " + Hex(r.type);
  } else if (r.call == WindowsRequest::kProtect) {
    line += " " + Hex(r.bytes) + " " + Hex(r.protection);
  }
  Send(line);
  WindowsAnswer answer;
  const std::string text = Receive();
  if (r.call == WindowsRequest::kQuery) {
    answer.region = ParseRegion(text, &answer.error);
    if (answer.error != 0) answer.region = RegionInfo();
    return answer;
  }
  unsigned long long value = 0, error = 0;
  REHEAP_CHECK_GE(std::sscanf(text.c_str(), "%llx %llx", &value, &error), 1);
  answer.value = value;
  answer.error = static_cast<uint32_t>(error);
  return answer;
}

std::vector<RegionInfo> WindowsProcess::Regions() {
  Send("m");
  std::vector<RegionInfo> regions;
  for (std::string line = Receive(); line[0] != '.'; line = Receive()) {
    uint32_t error = 0;
    regions.push_back(ParseRegion(line, &error));
  }
  return regions;
}

void WindowsProcess::ReleaseAll() {
  Send("z");
  (void)Receive();
}

std::optional<uint64_t> WindowsProcess::Read(Addr a) {
  Send("R " + Hex(a.value()));
  unsigned long long done = 0, value = 0;
  const int numbers = std::sscanf(Receive().c_str(), "%llx %llx", &done, &value);
  return numbers == 2 ? std::optional<uint64_t>(value) : std::nullopt;
}

bool WindowsProcess::Write(Addr a, uint64_t value) {
  Send("W " + Hex(a.value()) + " " + Hex(value));
  return Receive()[0] == '1';
}

}  // namespace reheap
