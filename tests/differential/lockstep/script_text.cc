#include "tests/differential/lockstep/script_text.h"

#include <charconv>
#include <iterator>
#include <sstream>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace reheap {
namespace {

struct Resource {
  const char* name;
  uint64_t number;
};
constexpr Resource kResources[] = {{"as", kResourceAddress},
                                   {"data", kResourceData},
                                   {"stack", kResourceStack},
                                   {"memlock", kResourceLocked}};

// Addresses and lengths in hex, the rest as people write it.
std::string Number(uint64_t value) {
  if (value == ~uint64_t{0}) return "-1";
  return value < 4096 ? absl::StrCat(value) : absl::StrFormat("0x%x", value);
}

bool ParseNumber(std::string_view word, uint64_t* value) {
  if (word == "-1") {
    *value = ~uint64_t{0};
    return true;
  }
  const bool hex = word.substr(0, 2) == "0x";
  if (hex) word.remove_prefix(2);
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), *value, hex ? 16 : 10);
  return error == std::errc() && end == word.data() + word.size() && !word.empty();
}

// One argument: a number, a resource's name, r or w, or an earlier answer.
bool ParseArgument(std::string_view word, size_t answers_before, uint64_t* value, uint32_t* answer) {
  for (const Resource& resource : kResources) {
    if (word == resource.name) return *value = resource.number, true;
  }
  if (word == "r" || word == "w") return *value = word == "w", true;
  if (word[0] != '$') return ParseNumber(word, value);
  const size_t plus = std::min(word.find('+'), word.size());
  uint64_t number = 0;
  if (!ParseNumber(word.substr(1, plus - 1), &number) || number == 0 || number > answers_before) return false;
  *answer = static_cast<uint32_t>(number);
  *value = 0;
  return plus == word.size() || ParseNumber(word.substr(plus + 1), value);
}

// mmap of memory alone needs no descriptor and offset, here as in `reheap os`.
bool IsWithoutFile(const Operation& operation) {
  return operation.kind == OperationKind::kMmap && (operation.arguments[4] & 0xffffffff) == 0xffffffff &&
         operation.arguments[5] == 0;
}

}  // namespace

std::string FormatOperation(const Operation& operation) {
  const OperationInfo& info = InfoOf(operation.kind);
  std::string text = info.name;
  const uint32_t count = IsWithoutFile(operation) ? 4 : info.arguments;
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t value = operation.arguments[i];
    std::string word = Number(value);
    if (operation.kind == OperationKind::kTouch && i == 3) word = value != 0 ? "w" : "r";
    if (operation.kind == OperationKind::kRlimit && i == 0) {
      for (const Resource& resource : kResources) {
        if (resource.number == value) word = resource.name;
      }
    }
    absl::StrAppend(&text, " ", word);
  }
  return text;
}

absl::StatusOr<std::vector<ScriptLine>> ParseScript(std::string_view text, std::string_view source) {
  std::vector<ScriptLine> script;
  std::istringstream lines{std::string(text)};
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string name, word;
    if (!(words >> name)) continue;
    const std::string where = absl::StrCat(std::string(source), ":", number, ": ");
    ScriptLine parsed;
    uint32_t kind = 0;
    while (kind < std::size(kOperations) && name != kOperations[kind].name) ++kind;
    if (kind == std::size(kOperations)) {
      return absl::InvalidArgumentError(where + "expected an operation, found '" + name + "'");
    }
    Operation& operation = parsed.operation;
    operation.kind = static_cast<OperationKind>(kind);
    if (operation.kind == OperationKind::kMmap) operation.arguments[4] = ~uint64_t{0};
    uint32_t count = 0;
    for (; words >> word; ++count) {
      if (count == kMaxArguments ||
          !ParseArgument(word, script.size(), &operation.arguments[count], &parsed.answers[count])) {
        return absl::InvalidArgumentError(where + "expected a number or $LINE+NUMBER, found '" + word + "'");
      }
    }
    const bool complete = count == kOperations[kind].arguments ||
                          (operation.kind == OperationKind::kMmap && count == 4);
    if (!complete) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, name, " takes ", kOperations[kind].arguments, " numbers, found ", count));
    }
    script.push_back(parsed);
  }
  return script;
}

}  // namespace reheap
