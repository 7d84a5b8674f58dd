// `reheap`: the command. Gathers its surroundings, then tools/command.cc finds the verb.
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <iostream>

#include "sim/replay/replay_child.h"
#include "tools/command.h"

namespace {

// An input that cannot be read is one that has ended.
size_t ReadInput(char* to, size_t bytes) {
  ssize_t got = 0;
  do {
    got = read(STDIN_FILENO, to, bytes);
  } while (got < 0 && errno == EINTR);
  return got < 0 ? 0 : static_cast<size_t>(got);
}

}  // namespace

int main(int argc, char** argv) {
  reheap::MaybeRunReplayWorker(argc, argv);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  std::vector<std::string> typed = arguments;
  typed.insert(typed.begin(), "reheap");
  reheap::Terminal terminal{std::cout, std::cerr, isatty(STDOUT_FILENO) == 1, isatty(STDERR_FILENO) == 1,
                            reheap::ShellQuoted(typed), ReadInput, isatty(STDIN_FILENO) == 1};
  const char* const no_color = getenv("NO_COLOR");
  terminal.no_color = no_color != nullptr && *no_color != '\0';
  const int exit_code = reheap::RunReheap(arguments, reheap::Verbs(), terminal);
  std::cout.flush();
  if (!std::cout) {
    std::cerr << "reheap: writing the results failed\n";
    return exit_code == reheap::kAsExpected ? reheap::kExpectationNotMet : exit_code;
  }
  return exit_code;
}
