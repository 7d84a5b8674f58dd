#include "sim/strategies/size_expression.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace reheap {
namespace {

constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
constexpr int kMostDepth = 100;

// Reads and evaluates at once, by precedence. After a fault everything is 0 and nothing more is read. In a
// branch that is not taken (live_ false) arithmetic cannot fail, but words must exist.
class Evaluator {
 public:
  Evaluator(absl::string_view text, const SizeNames* names, std::set<std::string>* seen)
      : text_(text), names_(names), seen_(seen) {}

  SizeAnswer Run() {
    SizeAnswer answer;
    answer.value = Or();
    SkipSpace();
    if (!fault_ && at_ < text_.size())
      Fail(at_, absl::StrCat("cannot read '", text_.substr(at_, 10), "' here"));
    answer.fault = fault_;
    if (fault_) answer.value = 0;
    return answer;
  }

 private:
  void Fail(size_t offset, std::string message) {
    if (!fault_) fault_ = SizeFault{offset, std::move(message)};
    at_ = text_.size();
  }
  // Only where the value counts.
  uint64_t Impossible(size_t offset, std::string message) {
    if (live_) Fail(offset, std::move(message));
    return 0;
  }

  void SkipSpace() {
    while (at_ < text_.size() && absl::ascii_isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  bool Takes(absl::string_view token) {
    SkipSpace();
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }

  uint64_t Or() {
    uint64_t left = And();
    while (Takes("||")) left = Lazily(left == 0, [this] { return And(); }) != 0 || left != 0;
    return left;
  }
  uint64_t And() {
    uint64_t left = Comparison();
    while (Takes("&&")) {
      const uint64_t right = Lazily(left != 0, [this] { return Comparison(); });
      left = left != 0 && right != 0;
    }
    return left;
  }
  uint64_t Comparison() {
    const uint64_t left = Sum();
    if (Takes("<=")) return left <= Sum();
    if (Takes(">=")) return left >= Sum();
    if (Takes("==")) return left == Sum();
    if (Takes("!=")) return left != Sum();
    if (Takes("<")) return left < Sum();
    if (Takes(">")) return left > Sum();
    return left;
  }
  uint64_t Sum() {
    uint64_t left = Product();
    for (;;) {
      SkipSpace();
      const size_t offset = at_;
      if (Takes("+")) {
        const uint64_t right = Product();
        left = right > kMost - left ? Impossible(offset, absl::StrCat(left, " + ", right, " exceeds 64 bits"))
                                    : left + right;
      } else if (Takes("-")) {
        const uint64_t right = Product();
        left =
            right > left ? Impossible(offset, absl::StrCat(left, " - ", right, " is below 0")) : left - right;
      } else {
        return left;
      }
    }
  }
  uint64_t Product() {
    uint64_t left = Primary();
    for (;;) {
      SkipSpace();
      const size_t offset = at_;
      const char operation = at_ < text_.size() ? text_[at_] : '\0';
      if (operation != '*' && operation != '/' && operation != '%') return left;
      ++at_;
      const uint64_t right = Primary();
      if (operation == '*') {
        const bool fits = right == 0 || left <= kMost / right;
        left = fits ? left * right : Impossible(offset, absl::StrCat(left, " * ", right, " exceeds 64 bits"));
      } else if (right == 0) {
        left = Impossible(offset, "division by 0");
      } else {
        left = operation == '/' ? left / right : left % right;
      }
    }
  }

  uint64_t Primary() {
    SkipSpace();
    const size_t offset = at_;
    if (++depth_ > kMostDepth) Fail(offset, "more than 100 levels deep");
    uint64_t value = 0;
    if (at_ >= text_.size()) {
      Fail(offset, "a number, a name or '(' is missing");
    } else if (Takes("(")) {
      value = Or();
      Close();
    } else if (absl::ascii_isdigit(static_cast<unsigned char>(text_[at_]))) {
      value = Number();
    } else {
      value = NameOrCall(offset);
    }
    --depth_;
    return value;
  }
  void Close() {
    if (!Takes(")")) Fail(at_, "')' is missing");
  }

  absl::string_view Word() {
    const size_t start = at_;
    while (at_ < text_.size() &&
           (absl::ascii_isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_')) {
      ++at_;
    }
    return text_.substr(start, at_ - start);
  }
  uint64_t Number() {
    const size_t offset = at_;
    size_t digits = at_;
    const bool hex = text_.substr(at_, 2) == "0x";
    if (hex) digits += 2;
    while (digits < text_.size() && (hex ? absl::ascii_isxdigit(static_cast<unsigned char>(text_[digits]))
                                         : absl::ascii_isdigit(static_cast<unsigned char>(text_[digits])))) {
      ++digits;
    }
    uint64_t value = 0;
    const absl::string_view number = text_.substr(at_, digits - at_);
    at_ = digits;
    if (hex ? !absl::SimpleHexAtoi(number, &value) : !absl::SimpleAtoi(number, &value)) {
      Fail(offset, absl::StrCat("'", number, "' is not a 64-bit number"));
      return 0;
    }
    SkipSpace();
    const size_t unit_at = at_;
    if (at_ >= text_.size() || !absl::ascii_isalpha(static_cast<unsigned char>(text_[at_]))) return value;
    const absl::string_view unit = Word();
    constexpr std::pair<absl::string_view, int> kUnits[] = {
        {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
    for (const auto& [name, shift] : kUnits) {
      if (unit != name) continue;
      if (value > kMost >> shift)
        return Impossible(offset, absl::StrCat(number, " ", unit, " exceeds 64 bits"));
      return value << shift;
    }
    Fail(unit_at, absl::StrCat("'", unit, "' is no unit: KiB, MiB, GiB or TiB"));
    return 0;
  }

  uint64_t NameOrCall(size_t offset) {
    const std::string word(Word());
    if (word.empty()) {
      Fail(offset, absl::StrCat("cannot read '", text_.substr(offset, 10), "' here"));
      return 0;
    }
    if (Takes("(")) return Call(offset, word);
    if (seen_ != nullptr) seen_->insert(word);
    if (names_ == nullptr) return 0;
    const auto name = names_->find(word);
    if (name != names_->end()) return name->second;
    std::string known;
    for (const auto& [each, value] : *names_) absl::StrAppend(&known, known.empty() ? "" : ", ", each);
    Fail(offset, absl::StrCat("'", word, "' has no value here; names: ", known));
    return 0;
  }

  template <class Read>
  uint64_t Lazily(bool live, Read read) {
    const bool before = live_;
    live_ = live_ && live;
    const uint64_t value = read();
    live_ = before;
    return value;
  }
  uint64_t Call(size_t offset, const std::string& function) {
    if (function == "if") return If();
    std::vector<uint64_t> arguments{Or()};
    while (Takes(",")) arguments.push_back(Or());
    Close();
    if (function == "min") return *std::min_element(arguments.begin(), arguments.end());
    if (function == "max") return *std::max_element(arguments.begin(), arguments.end());
    if (function != "wrapping_sub" && function != "round_up" && function != "round_down") {
      Fail(offset,
           absl::StrCat("'", function, "' is no function: if, min, max, round_up, round_down, wrapping_sub"));
      return 0;
    }
    if (arguments.size() != 2) {
      Fail(offset, absl::StrCat(function, " has 2 arguments, here are ", arguments.size()));
      return 0;
    }
    const uint64_t a = arguments[0], b = arguments[1];
    if (function == "wrapping_sub") return a - b;
    if (b == 0) return Impossible(offset, absl::StrCat(function, " to a multiple of 0"));
    if (function == "round_down" || a % b == 0) return a - a % b;
    if (b - a % b > kMost - a) return Impossible(offset, absl::StrCat(function, " exceeds 64 bits"));
    return a + (b - a % b);
  }
  uint64_t If() {
    const bool condition = Or() != 0;
    if (!Takes(",")) Fail(at_, "if has 3 arguments: ',' is missing");
    const uint64_t then = Lazily(condition, [this] { return Or(); });
    if (!Takes(",")) Fail(at_, "if has 3 arguments: ',' is missing");
    const uint64_t otherwise = Lazily(!condition, [this] { return Or(); });
    Close();
    return condition ? then : otherwise;
  }

  absl::string_view text_;
  const SizeNames* names_;       // null: every name is 0
  std::set<std::string>* seen_;  // null: nobody asks
  size_t at_ = 0;
  int depth_ = 0;
  bool live_ = true;
  std::optional<SizeFault> fault_;
};

}  // namespace

SizeAnswer EvaluateSize(absl::string_view text, const SizeNames& names) {
  return Evaluator(text, &names, nullptr).Run();
}

std::set<std::string> NamesIn(absl::string_view text) {
  std::set<std::string> seen;
  Evaluator(text, nullptr, &seen).Run();
  return seen;
}

}  // namespace reheap
