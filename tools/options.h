// VerbOptions: the options and operands of one verb, and its --help (Boost.Program_options behind a narrow
// door).
//
// A verb declares its options once, in the order of the walk; the help text is made of the same declarations.
// What Boost throws becomes a Status here, so that no exception crosses a folder. Boost guesses no prefixes
// for us: a misspelt option is answered with the nearest one.
//
// Ownership: owns what it parsed. Threads: one.
#ifndef REHEAP_TOOLS_OPTIONS_H_
#define REHEAP_TOOLS_OPTIONS_H_

#include <boost/program_options.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/command.h"
#include "tools/verb_description.h"

namespace reheap {

class VerbOptions {
 public:
  // `usage` is what follows "reheap " on the usage line: "trace info T"; `example` a whole command.
  VerbOptions(std::string verb, std::string usage, std::string purpose, std::string example);

  // Options declared from here on stand under this title in the help.
  void Group(const std::string& title);
  void Flag(const std::string& name, const std::string& help);
  // `fallback` empty: no default. `placeholder` names what is expected: "S,...".
  void Value(const std::string& name, const std::string& placeholder, const std::string& fallback,
             const std::string& help);

  // Options in any place, the rest are operands, `operand_names` in order, all required; a last name that ends in
  // "..." stands for one or more.
  absl::Status Parse(const std::vector<std::string>& arguments,
                     const std::vector<std::string>& operand_names);

  // When --help was asked for: prints it (or describes itself, Terminal::description) and answers the exit code.
  std::optional<int> AnswerHelp(Terminal& terminal) const;

  const std::string& operand(size_t index) const { return operands_[index]; }
  const std::vector<std::string>& operands() const { return operands_; }
  // True when the user said it, false when the default did.
  bool Given(const std::string& name) const;
  bool IsSet(const std::string& flag) const { return values_.count(flag) != 0; }
  // The value or the default; empty without either.
  std::string Get(const std::string& name) const;
  // Split at commas; an empty element is an error that names the option.
  absl::StatusOr<std::vector<std::string>> List(const std::string& name) const;
  // A list of which each element is one of `known`; else the nearest is named.
  absl::StatusOr<std::vector<std::string>> WordList(const std::string& name,
                                                    const std::vector<std::string>& known) const;
  absl::StatusOr<std::string> Word(const std::string& name, const std::vector<std::string>& known) const;
  // A whole decimal number.
  absl::StatusOr<uint64_t> Number(const std::string& name) const;
  absl::StatusOr<std::vector<std::optional<uint64_t>>> LimitList(const std::string& name) const;

  std::string Help() const;

 private:
  boost::program_options::options_description AllOptions() const;
  std::vector<std::string> OptionNames() const;

  VerbDescription description_;
  std::vector<boost::program_options::options_description> groups_;
  boost::program_options::variables_map values_;
  std::vector<std::string> operands_;
};

// "--a contradicts --b: why"
absl::Status Contradiction(const std::string& a, const std::string& b, const std::string& why);

}  // namespace reheap

#endif  // REHEAP_TOOLS_OPTIONS_H_
