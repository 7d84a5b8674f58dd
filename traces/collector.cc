#include "traces/collector.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "traces/image_collector.h"
#include "traces/process_facts.h"

namespace reheap {
namespace {

constexpr int64_t kCheckNs = 10'000'000;  // memory samples, and looking who is gone
// A snapshot is needed until the child has started its spool; children that exec at once never ask.
constexpr uint64_t kMaxSnapshotObjects = 16 << 20;

int64_t MonotonicNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// In one step, so that the name is never free; a process that still maps the old file keeps it whole.
void PutPlaceholder(const std::string& path) {
  const std::string empty = path + ".done";
  const int fd = open(empty.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;  // the directory is gone or full: then no new spool can be made in it either
  close(fd);
  if (rename(empty.c_str(), path.c_str()) != 0) unlink(empty.c_str());
}

}  // namespace

Collector::Collector(CollectorOptions options) : options_(std::move(options)) {}
Collector::~Collector() = default;

absl::Status Collector::FindSpools() {
  std::error_code error;
  for (std::filesystem::directory_iterator it(options_.directory, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    int pid = 0;
    unsigned image = 0;
    int length = 0;
    if (std::sscanf(name.c_str(), "%d.%u.spool%n", &pid, &image, &length) != 2 ||
        length != static_cast<int>(name.size())) {
      continue;
    }
    const ImageId id(pid, image);
    if (!active_.contains(id) && !finished_ids_.contains(id)) waiting_[id] = it->path().string();
  }
  if (error) return absl::UnavailableError(absl::StrCat(options_.directory, ": ", error.message()));
  // A forked child waits for its parent's snapshot, so one pass may open only some.
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    const absl::Status status = OpenSpool(it->first, it->second);
    // Not set up yet; when its process is gone, that is for ever, and nothing was recorded.
    const bool hopeless = absl::IsUnavailable(status) && !ProcessIsAlive(it->first.first, 0);
    const bool waits = (absl::IsUnavailable(status) && !hopeless) || absl::IsFailedPrecondition(status);
    if (!status.ok() && !waits && !hopeless) return status;
    it = waits ? std::next(it) : waiting_.erase(it);
  }
  return absl::OkStatus();
}

absl::Status Collector::OpenSpool(const ImageId& id, const std::string& path) {
  absl::StatusOr<std::unique_ptr<SpoolReader>> spool = SpoolReader::Open(path, options_.live);
  if (!spool.ok()) return spool.status();
  const spool::ControlPage& control = (*spool)->control();
  ImageCollector::Options options;
  options.zstd_level = options_.zstd_level;
  options.trace_path = absl::StrFormat("%s.%d.%d", options_.output, id.first, id.second);
  if (control.forked_from_pid != 0 && control.fork_number != 0) {
    const ImageId parent(control.forked_from_pid, control.forked_from_image);
    const auto snapshot = snapshots_.find({parent, control.fork_number});
    if (snapshot != snapshots_.end()) {
      options.inherited = snapshot->second;
    } else if (active_.contains(parent) || waiting_.contains(parent)) {
      return absl::FailedPreconditionError(path + ": its parent is not merged up to the fork");
    }
  }
  options.on_fork = [this, id](uint32_t fork_number, HeapSnapshot snapshot) {
    snapshots_[{id, fork_number}] = std::move(snapshot);
    uint64_t objects = 0;
    for (const auto& [key, kept] : snapshots_) objects += kept->size();
    if (objects > kMaxSnapshotObjects) snapshots_.erase(snapshots_.begin());
  };
  absl::StatusOr<std::unique_ptr<ImageCollector>> image = ImageCollector::Create(*std::move(spool), std::move(options));
  if (!image.ok()) return image.status();
  active_[id] = *std::move(image);
  return absl::OkStatus();
}

bool Collector::IsOver(const ImageId& id) const {
  // exec: the same process has made a later image.
  const auto next = active_.upper_bound(id);
  if (next != active_.end() && next->first.first == id.first) return true;
  const spool::ControlPage& control = active_.at(id)->control();
  return !ProcessIsAlive(id.first, control.process_start_ticks);
}

absl::Status Collector::Step() {
  // Who is gone is asked before the sweep, so that the sweep of a finished image is complete.
  std::vector<ImageId> over;
  const int64_t now = MonotonicNs();
  const bool check = now >= next_check_ns_;
  if (check) {
    next_check_ns_ = now + kCheckNs;
    for (const auto& [id, image] : active_) {
      if (IsOver(id)) over.push_back(id);
    }
  }
  for (const auto& [id, image] : active_) {
    if (check) {
      image->SampleMemory();
      image->NoteGoneThreads();
    }
    absl::Status status = image->Step();
    if (!status.ok()) return status;
  }
  for (const ImageId& id : over) {
    absl::Status status = FinishImage(id, /*in_order=*/true);
    if (!status.ok()) return status;
  }
  return FindSpools();
}

absl::Status Collector::FinishImage(const ImageId& id, bool in_order) {
  const std::unique_ptr<ImageCollector> image = std::move(active_.at(id));
  active_.erase(id);
  absl::Status status = image->Finish(in_order);
  if (!status.ok()) {
    image->spool().StopRecording();
    return status;
  }
  if (options_.live) PutPlaceholder(image->spool().path());
  finished_ids_.insert(id);
  FinishedImage finished;
  finished.id = id;
  finished.spool_path = image->spool().path();
  finished.start_time_unix_ns = image->control().start_time_unix_ns;
  finished.process = {.path = image->trace_path(),
                      .pid = id.first,
                      .program = std::string(image->spool().program()),
                      .events = image->events(),
                      .dropped_events = image->dropped_events()};
  finished_.push_back(std::move(finished));
  return absl::OkStatus();
}

void Collector::Abandon() {
  for (const auto& [id, image] : active_) image->spool().StopRecording();
  // Spools that were found but not opened: their recorders wait for a collector, too.
  for (const auto& [id, path] : waiting_) {
    absl::StatusOr<std::unique_ptr<SpoolReader>> spool = SpoolReader::Open(path, /*recycle=*/false);
    if (spool.ok()) (*spool)->StopRecording();
  }
}

absl::Status Collector::Finish() {
  // Until no spool is left: finishing a parent may let its child's start.
  while (true) {
    absl::Status status = FindSpools();
    if (!status.ok()) return status;
    if (active_.empty()) break;
    bool stopped_any = false;
    for (const auto& [id, image] : active_) {
      if (IsOver(id)) continue;
      image->spool().StopRecording();
      stopped_any = true;
    }
    // Threads that were in the middle of an event finish it; later ones see the stop.
    const timespec pause = {0, kCheckNs};
    if (stopped_any) nanosleep(&pause, nullptr);
    while (!active_.empty()) {
      const ImageId id = active_.begin()->first;
      const bool over = IsOver(id);
      status = FinishImage(id, over);
      if (!status.ok()) return status;
    }
  }
  return NameFiles();
}

absl::Status Collector::NameFiles() {
  if (finished_.empty()) return absl::OkStatus();
  std::stable_sort(finished_.begin(), finished_.end(), [](const FinishedImage& a, const FinishedImage& b) {
    return a.start_time_unix_ns < b.start_time_unix_ns;
  });
  int32_t root_pid = options_.root_pid == 0 ? finished_.front().id.first : options_.root_pid;
  // The last image is what the user asked for: wrappers (env, sh -c, version switchers) exec it.
  const auto root = std::find_if(finished_.rbegin(), finished_.rend(),
                                 [&](const FinishedImage& image) { return image.id.first == root_pid; });
  const ImageId root_id = root == finished_.rend() ? ImageId(0, 0) : root->id;
  for (FinishedImage& image : finished_) {
    const std::string name = image.id == root_id       ? options_.output
                             : image.id.second == 0 ? absl::StrCat(options_.output, ".", image.id.first)
                                                    : image.process.path;
    if (name != image.process.path && rename(image.process.path.c_str(), name.c_str()) != 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat(image.process.path, " -> ", name));
    }
    image.process.path = name;
    if (!options_.live) unlink(image.spool_path.c_str());
    if (image.id == root_id) {
      processes_.insert(processes_.begin(), image.process);
    } else {
      processes_.push_back(image.process);
    }
  }
  return absl::OkStatus();
}

absl::Status CollectSpool(const std::string& directory, const std::string& output) {
  Collector collector({.directory = directory, .output = output, .live = false});
  absl::Status status = collector.Step();
  if (status.ok()) status = collector.Finish();
  if (!status.ok()) return status;
  if (collector.processes().empty()) {
    return absl::NotFoundError(absl::StrCat(directory, ": no spool files (PID.N.spool)"));
  }
  return absl::OkStatus();
}

}  // namespace reheap
