#include "sim/studies/study_runner.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sim/replay/event_words.h"
#include "sim/studies/cell_question.h"
#include "sim/studies/probe_runner.h"

namespace reheap {
namespace {

// So many groups per thread at least, so that threads end at about the same time.
constexpr size_t kGroupsPerThread = 3;

struct Group {
  std::vector<const PlannedCell*> cells;
  uint64_t expected_events = 0;
};

std::vector<Group> GroupsOf(const StudyPlan& plan, const std::vector<uint64_t>& cells, int threads) {
  const size_t parts = static_cast<size_t>(threads) * kGroupsPerThread;
  const size_t most = std::clamp<size_t>((cells.size() + parts - 1) / parts, 1, ProbeRunner::kRunsAtOnce);
  std::vector<Group> groups;
  for (uint64_t number : cells) {
    const PlannedCell* cell = &plan.cells[number];
    const bool joins = !groups.empty() && groups.back().cells.size() < most &&
                       groups.back().cells.front()->question == cell->question &&
                       &groups.back().cells.front()->source() == &cell->source();
    if (!joins) groups.emplace_back();
    groups.back().cells.push_back(cell);
    groups.back().expected_events += ExpectedProbes(*cell) * cell->source().setup().facts.event_count;
  }
  return groups;
}

class Pool {
 public:
  Pool(const StudyRunOptions& options, std::vector<Group> groups, size_t cells)
      : options_(options), groups_(std::move(groups)), cells_(cells) {
    for (const Group& group : groups_) expected_events_ += group.expected_events;
    for (int i = 0; i < options.threads; ++i) at_hand_.push_back(std::make_unique<AtHand>());
  }

  absl::Status Run() {
    std::vector<std::thread> threads;
    for (int i = 1; i < options_.threads; ++i) threads.emplace_back([this, i] { Work(*at_hand_[static_cast<size_t>(i)]); });
    Work(*at_hand_[0]);
    for (std::thread& thread : threads) thread.join();
    return status_;
  }

 private:
  // What one thread is at, for the others' view of how far all are.
  struct AtHand {
    std::atomic<uint64_t> events{0};    // replayed of its group
    std::atomic<uint64_t> expected{0};  // of its group
  };

  void Work(AtHand& at_hand) {
    ProbeRunner runner([this] { return Stops(); },
                       [this, &at_hand](uint64_t events) {
                         at_hand.events.fetch_add(events, std::memory_order_relaxed);
                         ShowProgress();
                       });
    for (;;) {
      const size_t i = next_group_.fetch_add(1);
      if (i >= groups_.size()) return;
      at_hand.expected = groups_[i].expected_events;
      const absl::Status status = Stops() ? absl::CancelledError("interrupted") : RunGroup(groups_[i], &runner);
      done_events_ += at_hand.expected;
      at_hand.expected = 0;
      at_hand.events = 0;
      if (status.ok()) continue;
      End(status);
      return;
    }
  }

  absl::Status RunGroup(const Group& group, ProbeRunner* runner) {
    std::vector<std::unique_ptr<CellQuestion>> questions;
    for (const PlannedCell* cell : group.cells) questions.push_back(MakeCellQuestion(*cell));
    std::vector<size_t> open(questions.size());
    for (size_t i = 0; i < open.size(); ++i) open[i] = i;
    while (!open.empty()) {
      std::vector<Probe> probes;
      std::vector<std::pair<size_t, size_t>> shares;  // question, number of its probes
      std::vector<size_t> answered;
      for (size_t i : open) {
        std::vector<Probe> mine = questions[i]->Next();
        if (mine.empty()) answered.push_back(i);
        if (!mine.empty()) shares.push_back({i, mine.size()});
        std::move(mine.begin(), mine.end(), std::back_inserter(probes));
      }
      for (size_t i : answered) {
        if (absl::Status status = Answer(*group.cells[i], questions[i].get()); !status.ok()) return status;
        questions[i].reset();
      }
      open.clear();
      if (probes.empty()) break;
      std::vector<proto::Run> runs;
      const absl::Status status = runner->Run(group.cells.front()->source(), probes, &runs);
      if (!status.ok()) return status;
      if (absl::Status words = FillWords(*group.cells.front(), &runs); !words.ok()) return words;
      auto run = runs.begin();
      for (const auto& [i, count] : shares) {
        const auto end = run + static_cast<std::ptrdiff_t>(count);
        questions[i]->Take({std::make_move_iterator(run), std::make_move_iterator(end)});
        run = end;
        open.push_back(i);
      }
    }
    return absl::OkStatus();
  }

  // What the program called when things came to a peak or to an end: told of a grid's runs.
  static absl::Status FillWords(const PlannedCell& first, std::vector<proto::Run>* runs) {
    if (!first.question->text->has_grid()) return absl::OkStatus();
    std::vector<proto::Run*> rows;
    for (proto::Run& run : *runs) rows.push_back(&run);
    return FillCalls(first.trace->path, rows);
  }

  absl::Status Answer(const PlannedCell& cell, CellQuestion* question) {
    proto::Report answer;
    question->Answer(&answer);
    const std::lock_guard<std::mutex> lock(mu_);
    ++finished_cells_;
    return options_.finished(cell.number, answer);
  }

  bool Stops() {
    if (ended_.load(std::memory_order_relaxed)) return true;
    return options_.stop != nullptr && options_.stop();
  }

  // The first to end says why.
  void End(const absl::Status& status) {
    const std::lock_guard<std::mutex> lock(mu_);
    if (!ended_.exchange(true)) status_ = status;
  }

  // Who finds another at it goes on with its work.
  void ShowProgress() {
    if (options_.progress == nullptr) return;
    const std::unique_lock<std::mutex> lock(mu_, std::try_to_lock);
    if (!lock.owns_lock()) return;
    uint64_t done = done_events_;
    for (const std::unique_ptr<AtHand>& at_hand : at_hand_) {
      done += std::min(at_hand->events.load(), at_hand->expected.load());
    }
    options_.progress->Progress(absl::StrCat(finished_cells_, " of ", cells_, " cells"), done, expected_events_);
  }

  const StudyRunOptions& options_;
  const std::vector<Group> groups_;
  const size_t cells_;
  uint64_t expected_events_ = 0;
  std::vector<std::unique_ptr<AtHand>> at_hand_;
  std::atomic<size_t> next_group_{0};
  std::atomic<uint64_t> done_events_{0};
  std::atomic<bool> ended_{false};
  std::mutex mu_;               // guards what follows, and the options' calls
  absl::Status status_;
  size_t finished_cells_ = 0;
};

}  // namespace

absl::Status RunCells(const StudyPlan& plan, const std::vector<uint64_t>& cells, const StudyRunOptions& options) {
  StudyRunOptions checked = options;
  checked.threads = std::max(1, options.threads);
  std::vector<Group> groups = GroupsOf(plan, cells, checked.threads);
  checked.threads = static_cast<int>(std::min<size_t>(static_cast<size_t>(checked.threads), std::max<size_t>(groups.size(), 1)));
  return Pool(checked, std::move(groups), cells.size()).Run();
}

}  // namespace reheap
