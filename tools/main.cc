// `reheap`: the command. Gathers its surroundings, then tools/command.cc finds the verb.
#include <unistd.h>

#include <iostream>

#include "sim/replay/replay_child.h"
#include "tools/command.h"

int main(int argc, char** argv) {
  reheap::MaybeRunReplayWorker(argc, argv);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  std::vector<std::string> typed = arguments;
  typed.insert(typed.begin(), "reheap");
  reheap::Terminal terminal{std::cout, std::cerr, isatty(STDOUT_FILENO) == 1, isatty(STDERR_FILENO) == 1,
                            reheap::ShellQuoted(typed)};
  const int exit_code = reheap::RunReheap(arguments, reheap::Verbs(), terminal);
  std::cout.flush();
  if (!std::cout) {
    std::cerr << "reheap: writing the results failed\n";
    return exit_code == reheap::kAsExpected ? reheap::kExpectationNotMet : exit_code;
  }
  return exit_code;
}
