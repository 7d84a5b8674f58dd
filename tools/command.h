// Command: what every verb of `reheap` has in common: its surroundings, its exit codes, its way to fail.
//
// A verb is a function of its arguments and a Terminal; it touches no global stream and never calls exit, so
// that tests can run it in their own process.
//
// Ownership: a Terminal refers to streams that outlive it. Threads: one.
#ifndef REHEAP_TOOLS_COMMAND_H_
#define REHEAP_TOOLS_COMMAND_H_

#include <cstddef>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "tools/verb_description.h"

namespace reheap {

// What scripts rely on. A traced program's own status (`reheap record`) is the one exception.
enum ExitCode : int {
  kAsExpected = 0,
  kExpectationNotMet = 1,  // it ran, and the answer is no
  kUsage = 2,              // the command line asks for something that does not exist or contradicts itself
  kUnreadableInput = 3,    // a file is missing, damaged or not what it should be
};

struct Terminal {
  std::ostream& out;  // tables and data
  std::ostream& err;  // progress and messages
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  std::string command_line;  // as it was typed, quoted for a shell
  // Standard input: waits until there is some, puts up to `bytes` of it at `to`, answers how many; 0 = the
  // end. Null: there is none.
  std::function<size_t(char* to, size_t bytes)> read_input = nullptr;
  bool in_is_terminal = false;
  bool no_color = false;  // the user's wish (no-color.org): NO_COLOR is set and not empty
  // When set, --help fills this instead of printing.
  VerbDescription* description = nullptr;
};

// Colour is for people who watch and did not ask for none.
inline bool WantsColor(const Terminal& terminal) { return terminal.out_is_terminal && !terminal.no_color; }

struct Verb {
  const char* name;     // "replay", "trace info"
  const char* summary;  // one line
  int (*run)(const std::vector<std::string>& arguments, Terminal& terminal);
};

// In the order of the walk.
absl::Span<const Verb> Verbs();

// The whole command: finds the verb in `arguments` (without the program's name), runs it, returns the exit
// code.
int RunReheap(const std::vector<std::string>& arguments, absl::Span<const Verb> verbs, Terminal& terminal);

// "reheap VERB: message" and where to read more; kUsage.
int FailUsage(const char* verb, const absl::Status& status, Terminal& terminal);
// "reheap VERB: message"; kUnreadableInput.
int FailUnreadable(const char* verb, const absl::Status& status, Terminal& terminal);

// Arguments joined so that a shell reads them back: it's -> 'it'\''s'.
std::string ShellQuoted(const std::vector<std::string>& arguments);

}  // namespace reheap

#endif  // REHEAP_TOOLS_COMMAND_H_
