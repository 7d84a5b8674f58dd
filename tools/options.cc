#include "tools/options.h"

#include <algorithm>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "sim/report/human_units.h"
#include "tools/nearest_name.h"

namespace reheap {

namespace po = boost::program_options;

namespace {

// Boost's own name for what is not an option; no user can type it, since it is not declared with dashes.
constexpr char kOperands[] = "operands";
constexpr char kHelpOfHelp[] = "this text";
constexpr unsigned kHelpColumns = 110;
constexpr unsigned kHelpTextColumns = 70;

// Breaks lines between words; '\n' in the text stays a line's end.
std::string Wrapped(const std::string& text, size_t columns) {
  std::string wrapped;
  for (const std::string& paragraph : std::vector<std::string>(absl::StrSplit(text, '\n'))) {
    size_t line_start = wrapped.size();
    bool first = true;
    for (const std::string& word : std::vector<std::string>(absl::StrSplit(paragraph, ' '))) {
      const bool fits = wrapped.size() - line_start + 1 + word.size() <= columns;
      if (!first) wrapped += fits ? ' ' : '\n';
      if (!first && !fits) line_start = wrapped.size();
      wrapped += word;
      first = false;
    }
    wrapped += '\n';
  }
  return wrapped;
}

}  // namespace

VerbOptions::VerbOptions(std::string verb, std::string usage, std::string purpose, std::string example) {
  description_.verb = std::move(verb);
  description_.usage = std::move(usage);
  description_.purpose = std::move(purpose);
  description_.example = std::move(example);
}

void VerbOptions::Group(const std::string& title) {
  groups_.emplace_back(title, kHelpColumns, kHelpTextColumns);
  description_.groups.push_back({title, {}});
}

void VerbOptions::Flag(const std::string& name, const std::string& help) {
  groups_.back().add_options()(name.c_str(), help.c_str());
  description_.groups.back().options.push_back({name, "", "", help});
}

void VerbOptions::Value(const std::string& name, const std::string& placeholder, const std::string& fallback,
                        const std::string& help) {
  auto* value = po::value<std::string>()->value_name(placeholder);
  if (!fallback.empty()) value->default_value(fallback);
  groups_.back().add_options()(name.c_str(), value, help.c_str());
  description_.groups.back().options.push_back({name, placeholder, fallback, help});
}

po::options_description VerbOptions::AllOptions() const {
  po::options_description all(kHelpColumns, kHelpTextColumns);
  for (const po::options_description& group : groups_) all.add(group);
  po::options_description general("General", kHelpColumns, kHelpTextColumns);
  general.add_options()("help,h", kHelpOfHelp);
  all.add(general);
  return all;
}

std::vector<std::string> VerbOptions::OptionNames() const {
  std::vector<std::string> names;
  const po::options_description all = AllOptions();
  for (const auto& option : all.options()) names.push_back(absl::StrCat("--", option->long_name()));
  return names;
}

absl::Status VerbOptions::Parse(const std::vector<std::string>& arguments,
                                const std::vector<std::string>& operand_names) {
  po::options_description declared = AllOptions();
  declared.add_options()(kOperands, po::value<std::vector<std::string>>());
  po::positional_options_description positions;
  positions.add(kOperands, -1);
  try {
    po::store(po::command_line_parser(arguments)
                  .options(declared)
                  .positional(positions)
                  .style(po::command_line_style::unix_style & ~po::command_line_style::allow_guessing)
                  .run(),
              values_);
    po::notify(values_);
  } catch (const po::unknown_option& unknown) {
    return absl::InvalidArgumentError(UnknownName("option", unknown.get_option_name(), OptionNames(),
                                                  absl::StrCat("reheap ", description_.verb, " --help")));
  } catch (const po::error& error) {
    return absl::InvalidArgumentError(error.what());
  }
  if (values_.count(kOperands) != 0) operands_ = values_[kOperands].as<std::vector<std::string>>();
  if (values_.count("help") != 0) return absl::OkStatus();
  if (operands_.size() < operand_names.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(operand_names[operands_.size()], " is missing: reheap ", description_.usage));
  }
  const bool repeats = !operand_names.empty() && absl::EndsWith(operand_names.back(), "...");
  if (operands_.size() > operand_names.size() && !repeats) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", operands_[operand_names.size()], "' is one argument too many: reheap ", description_.usage));
  }
  return absl::OkStatus();
}

std::optional<int> VerbOptions::AnswerHelp(Terminal& terminal) const {
  if (values_.count("help") == 0) return std::nullopt;
  if (terminal.description != nullptr) {
    *terminal.description = description_;
    terminal.description->groups.push_back({"General", {{"help", "", "", kHelpOfHelp}}});
    return kAsExpected;
  }
  terminal.out << Help();
  return kAsExpected;
}

bool VerbOptions::Given(const std::string& name) const {
  return values_.count(name) != 0 && !values_[name].defaulted();
}

std::string VerbOptions::Get(const std::string& name) const {
  return values_.count(name) == 0 ? std::string() : values_[name].as<std::string>();
}

absl::StatusOr<std::vector<std::string>> VerbOptions::List(const std::string& name) const {
  if (values_.count(name) == 0) return std::vector<std::string>();
  const std::vector<std::string> elements = absl::StrSplit(Get(name), ',');
  for (const std::string& element : elements) {
    if (element.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", name, " ", Get(name), ": an element of the list is empty"));
    }
  }
  return elements;
}

absl::StatusOr<std::vector<std::string>> VerbOptions::WordList(const std::string& name,
                                                               const std::vector<std::string>& known) const {
  absl::StatusOr<std::vector<std::string>> elements = List(name);
  if (!elements.ok()) return elements;
  for (const std::string& element : *elements) {
    if (std::find(known.begin(), known.end(), element) == known.end()) {
      return absl::InvalidArgumentError(absl::StrCat("--", name, ": '", element, "' is not one of ",
                                                     absl::StrJoin(known, ", "), "; the nearest is '",
                                                     NearestName(element, known), "'"));
    }
  }
  return elements;
}

absl::StatusOr<std::string> VerbOptions::Word(const std::string& name,
                                              const std::vector<std::string>& known) const {
  absl::StatusOr<std::vector<std::string>> words = WordList(name, known);
  if (!words.ok()) return words.status();
  if (words->size() != 1)
    return absl::InvalidArgumentError(absl::StrCat("--", name, " takes one word, not a list"));
  return words->front();
}

absl::StatusOr<uint64_t> VerbOptions::Number(const std::string& name) const {
  uint64_t number = 0;
  if (absl::SimpleAtoi(Get(name), &number)) return number;
  return absl::InvalidArgumentError(absl::StrCat("--", name, ": '", Get(name), "' is not a whole number"));
}

absl::StatusOr<std::vector<std::optional<uint64_t>>> VerbOptions::LimitList(const std::string& name) const {
  absl::StatusOr<std::vector<std::string>> elements = List(name);
  if (!elements.ok()) return elements.status();
  std::vector<std::optional<uint64_t>> limits;
  for (const std::string& element : *elements) {
    absl::StatusOr<std::optional<uint64_t>> limit = ParseLimit(element);
    if (!limit.ok())
      return absl::InvalidArgumentError(absl::StrCat("--", name, ": ", limit.status().message()));
    limits.push_back(*limit);
  }
  return limits;
}

std::string VerbOptions::Help() const {
  std::ostringstream text;
  text << "usage: reheap " << description_.usage << "\n\n"
       << Wrapped(description_.purpose, kHelpColumns) << AllOptions() << "\nexample:\n  " << description_.example << "\n";
  return text.str();
}

absl::Status Contradiction(const std::string& a, const std::string& b, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat("--", a, " contradicts --", b, ": ", why));
}

}  // namespace reheap
