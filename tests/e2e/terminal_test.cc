// Colour is for terminals: the command itself on a pseudoterminal and on a pipe, with and without NO_COLOR.
#include <errno.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace reheap {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kRed[] = "\033[31mLATE_ABORT\033[0m";

std::string Result() {
  const std::string path = testing::TempDir() + "/terminal.json";
  std::ofstream(path)
      << R"({"tool": "reheap 0.1.0", "runs": [{"strategy": "s", "platform": "p", "outcome": "LATE_ABORT"}]})";
  return path;
}

std::string ReadToEnd(int fd) {
  std::string text;
  char piece[4096];
  while (true) {
    const ssize_t got = read(fd, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;  // a pseudoterminal whose other end has closed answers EIO
    text.append(piece, static_cast<size_t>(got));
  }
}

// What `reheap report` prints on a terminal or a pipe; `no_color` null: the variable is not set.
std::string Printed(bool on_terminal, const char* no_color) {
  const std::string result = Result();
  int ends[2] = {-1, -1};
  pid_t child = -1;
  if (on_terminal) {
    child = forkpty(&ends[0], nullptr, nullptr, nullptr);
  } else {
    EXPECT_EQ(pipe(ends), 0);
    child = fork();
    if (child == 0) dup2(ends[1], STDOUT_FILENO);
    close(child == 0 ? ends[0] : ends[1]);
  }
  if (child == 0) {
    unsetenv("NO_COLOR");
    if (no_color != nullptr) setenv("NO_COLOR", no_color, 1);
    execl("tools/reheap", "reheap", "report", result.c_str(), nullptr);
    _exit(127);
  }
  const std::string text = ReadToEnd(ends[0]);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << text;
  return text;
}

TEST(TerminalTest, ColourIsForTerminals) {
  EXPECT_THAT(Printed(true, nullptr), HasSubstr(kRed));
  const std::string piped = Printed(false, nullptr);
  EXPECT_THAT(piped, HasSubstr("LATE_ABORT"));
  EXPECT_THAT(piped, Not(HasSubstr("\033")));
}

TEST(TerminalTest, NoColourWhenTheUserSaysSo) {
  const std::string plain = Printed(true, "1");
  EXPECT_THAT(plain, HasSubstr("LATE_ABORT"));
  EXPECT_THAT(plain, Not(HasSubstr("\033")));
  // Set and empty is not set, as no-color.org has it.
  EXPECT_THAT(Printed(true, ""), HasSubstr(kRed));
}

}  // namespace
}  // namespace reheap
