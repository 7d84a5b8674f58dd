#include "tests/differential/lockstep/minimiser.h"

#include <sys/utsname.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_format.h"
#include "tests/differential/lockstep/image_guard.h"
#include "tests/differential/lockstep/script_text.h"

namespace reheap {
namespace {

// One operation of a candidate. Its place is kept relative to the mapping that it lies in, so that it moves along
// when what came before is left out.
struct Step {
  Operation operation;
  size_t id = 0;     // in the whole script
  size_t base = 0;   // id of the mmap whose answer arguments[0] is relative to; its own = none
};

// Which argument says where: an address that an earlier mmap answered.
bool HasPlace(const Operation& operation) {
  switch (operation.kind) {
    case OperationKind::kMmap:
    case OperationKind::kMunmap:
    case OperationKind::kMprotect:
    case OperationKind::kMadvise:
    case OperationKind::kMremap:
    case OperationKind::kTouch:
    case OperationKind::kMlock:
    case OperationKind::kMunlock:
    case OperationKind::kMseal:
      return operation.arguments[0] != 0;
    default:
      return false;
  }
}

// Carries `steps` out on a fresh pair until the two part; `*script` = the operations with their places filled in.
absl::StatusOr<std::optional<Mismatch>> Replay(const LockstepSetup& setup, const std::vector<Step>& steps,
                                               Script* script, std::vector<Answer>* answers) {
  auto pair = LockstepPair::Start(setup);
  if (!pair.ok()) return pair.status();
  const ImageGuard guard((*pair)->model());
  std::map<size_t, uint64_t> places;
  for (const Step& step : steps) {
    Operation operation = step.operation;
    if (step.base != step.id) {
      const auto place = places.find(step.base);
      if (place == places.end()) return std::optional<Mismatch>();
      operation.arguments[0] += place->second;
    }
    if (guard.Harms(operation)) return std::optional<Mismatch>();
    script->push_back(operation);
    answers->push_back((*pair)->Queue(operation));
    places[step.id] = answers->back().value;
    std::optional<Mismatch> mismatch = (*pair)->Flush();
    if (!mismatch.has_value()) mismatch = (*pair)->Checkpoint();
    if (mismatch.has_value()) return mismatch;
  }
  return std::optional<Mismatch>();
}

std::vector<Step> Absolute(const Script& script) {
  std::vector<Step> steps;
  for (const Operation& operation : script) steps.push_back({operation, steps.size(), steps.size()});
  return steps;
}

class Reducer {
 public:
  Reducer(const LockstepSetup& setup, const Script& script)
      : setup_(setup), script_(script), steps_(Absolute(script)) {}

  // Whether `candidate` fails as the whole script did; then it takes that one's place, cut behind the failure.
  bool Try(const std::vector<Step>& candidate) {
    ++runs_;
    Script script;
    std::vector<Answer> answers;
    const auto mismatch = Replay(setup_, candidate, &script, &answers);
    if (!mismatch.ok() || !mismatch->has_value()) return false;
    if (!wanted_.has_value()) wanted_ = **mismatch;
    if (!(*mismatch)->IsLike(*wanted_)) return false;
    steps_.assign(candidate.begin(), candidate.begin() + static_cast<ptrdiff_t>(script.size()));
    script_ = std::move(script);
    answers_ = std::move(answers);
    return true;
  }
  bool TryWhole() { return Try(steps_); }

  void MakeAbsolute() { Try(Absolute(script_)); }
  // Places inside what an earlier mmap answered follow that mapping from here on.
  void MakeRelative() {
    std::vector<Step> relative = steps_;
    for (size_t i = 0; i < relative.size(); ++i) {
      if (!HasPlace(script_[i])) continue;
      for (size_t j = i; j-- > 0;) {
        const uint64_t start = answers_[j].value, offset = script_[i].arguments[0] - start;
        const bool is_map = script_[j].kind == OperationKind::kMmap && answers_[j].error == 0;
        if (!is_map || script_[i].arguments[0] < start || offset > script_[j].arguments[1]) continue;
        relative[i].base = relative[j].id;
        relative[i].operation.arguments[0] = offset;
        break;
      }
    }
    Try(relative);
  }

  // Delta debugging: leaves out pieces of half the script, a quarter, ... one operation.
  void LeaveOut() {
    for (size_t piece = std::max<size_t>(1, steps_.size() / 2);; piece /= 2) {
      // The last operation is the one that fails.
      for (size_t end = steps_.size() - 1; end > 0;) {
        const size_t begin = end > piece ? end - piece : 0;
        std::vector<Step> candidate = steps_;
        candidate.erase(candidate.begin() + static_cast<ptrdiff_t>(begin),
                        candidate.begin() + static_cast<ptrdiff_t>(end));
        Try(candidate);
        end = std::min(begin, steps_.size() - 1);
      }
      if (piece == 1) break;
    }
  }

  // Arguments become 0, one OS page, half, or lose their odd bytes, as long as it still fails.
  void Simplify() {
    for (size_t i = 0; i < steps_.size(); ++i) {
      for (uint32_t j = 0; i < steps_.size() && j < InfoOf(steps_[i].operation.kind).arguments; ++j) {
        // Another resource would be another operation.
        if (steps_[i].operation.kind != OperationKind::kRlimit || j != 0) SimplifyArgument(i, j);
      }
    }
  }

  const Script& script() const { return script_; }
  int runs() const { return runs_; }

 private:
  static constexpr uint64_t kOsPage = 4096;

  bool TryArgument(size_t i, uint32_t j, uint64_t value) {
    if (i >= steps_.size() || steps_[i].operation.arguments[j] <= value) return false;
    std::vector<Step> candidate = steps_;
    candidate[i].operation.arguments[j] = value;
    return Try(candidate);
  }

  void SimplifyArgument(size_t i, uint32_t j) {
    const uint64_t value = steps_[i].operation.arguments[j];
    if (value == 0 || value == ~uint64_t{0}) return;
    if (TryArgument(i, j, 0) || TryArgument(i, j, kOsPage)) return;
    TryArgument(i, j, value & ~(kOsPage - 1));
    while (i < steps_.size() && steps_[i].operation.arguments[j] > 2 * kOsPage &&
           TryArgument(i, j, steps_[i].operation.arguments[j] / 2 & ~(kOsPage - 1))) {
    }
    // Flags, one by one; an address has too many bits to be worth it.
    if (value >= uint64_t{1} << 24) return;
    for (uint64_t bit = 1; bit <= value; bit <<= 1) {
      if (i < steps_.size() && (steps_[i].operation.arguments[j] & bit)) {
        TryArgument(i, j, steps_[i].operation.arguments[j] & ~bit);
      }
    }
  }

  const LockstepSetup& setup_;
  Script script_;            // steps_ with their places filled in
  std::vector<Step> steps_;  // the best so far
  std::vector<Answer> answers_;
  std::optional<Mismatch> wanted_;  // what the whole script showed
  int runs_ = 0;
};

// The lines of `text` that `other` does not have.
std::string OnlyIn(const std::string& text, const std::string& other) {
  std::string lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size() - 1);
    // Names and inodes are not compared: a line is what stands before the offset.
    const std::string line = text.substr(at, end - at);
    const bool missing = other.find(line.substr(0, line.find(' ') + 5)) == std::string::npos;
    if (missing && line.find("[vsyscall]") == std::string::npos) lines += "    " + line + "\n";
    at = end + 1;
  }
  return lines;
}

}  // namespace

absl::StatusOr<std::optional<Mismatch>> ReplayScript(const LockstepSetup& setup, const Script& script) {
  Script carried;
  std::vector<Answer> answers;
  return Replay(setup, Absolute(script), &carried, &answers);
}

Script Minimise(const LockstepSetup& setup, const Script& script, int* runs) {
  Reducer reducer(setup, script);
  if (reducer.TryWhole()) {
    Script before;
    do {
      before = reducer.script();
      // Either way may leave out what the other cannot.
      reducer.MakeAbsolute();
      reducer.LeaveOut();
      reducer.MakeRelative();
      reducer.LeaveOut();
      reducer.Simplify();
    } while (reducer.script() != before);
  }
  if (runs != nullptr) *runs = reducer.runs();
  return reducer.script();
}

std::string DescribeFailure(const LockstepSetup& setup, const Script& script) {
  utsname system;
  uname(&system);
  std::string text = absl::StrFormat("process kind %s, kernel %s, model %s\nscript (for `reheap os`):\n",
                                     setup.kind.name, system.release, setup.platform.name);
  for (const Operation& operation : script) text += "  " + FormatOperation(operation) + "\n";
  auto pair = LockstepPair::Start(setup);
  if (!pair.ok()) return text + std::string(pair.status().message());
  for (const Operation& operation : script) {
    (*pair)->Queue(operation);
    std::optional<Mismatch> mismatch = (*pair)->Flush();
    if (!mismatch.has_value()) mismatch = (*pair)->Checkpoint();
    if (!mismatch.has_value()) continue;
    const std::string kernel = (*pair)->executor().MapsText(), model = (*pair)->model().MapsText();
    return text + "they part at: " + FormatOperation(mismatch->operation) + "\n" + mismatch->ToString() +
           "\n  mappings of the kernel only:\n" + OnlyIn(kernel, model) + "  mappings of the model only:\n" +
           OnlyIn(model, kernel);
  }
  return text + "they agree when it is repeated\n";
}

}  // namespace reheap
