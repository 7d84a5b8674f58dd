#include "sim/replay/replay_child.h"

#include <dlfcn.h>
#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <memory_resource>
#include <new>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "alloc/check.h"
#include "alloc/real_os.h"
#include "sim/metrics/cpu_clock.h"
#include "sim/os/host_probe.h"
#include "sim/replay/child_picture.h"
#include "sim/replay/malloc_target.h"
#include "sim/replay/real_foreign_space.h"

namespace reheap {
namespace {

constexpr int kRingBatches = 8;
constexpr char kWorkerArgument[] = "--reheap-replay-worker";
constexpr int kWorkerFd = 200;
// Exit statuses of a child.
constexpr int kNotPreloaded = 124;    // its malloc is not the preloaded one
constexpr int kNoPlaceToSquat = 123;  // a squatter's place is taken, or no address of a process
constexpr int kAboveHardLimit = 122;

struct Batch {
  uint32_t count = 0;  // 0 = the trace has ended
  ReplayOp ops[kOpsPerBatch];
  ForeignOp foreign[kOpsPerBatch];  // written as far as the ops have any
  BatchTimes times;                 // the same
};

// Lives in MAP_SHARED memory; no pointers.
struct SharedState {
  sem_t free_batches;
  sem_t filled_batches;
  sem_t baseline_taken;  // by the child; it then waits for
  sem_t go;              // while the parent reads its mappings
  Batch ring[kRingBatches];
  // The plan's plain part, for the child.
  bool has_address_room = false, has_data_room = false, measure_lookup = false, touch_objects = false;
  uint64_t address_room_bytes = 0, data_room_bytes = 0;
  uint32_t slot_count = 0;
  ForeignPlan foreign;
  // The child's answers.
  volatile bool stopped = false;  // takes no more batches
  ChildBaseline baseline;
  TargetResult result;
  uint64_t final_mapping_count = 0;
  uint64_t refusal_vsize_bytes = 0;
  ForeignStats refusal_foreign;
};

// Behind the state comes the picture, most of whose pages nobody ever touches.
constexpr size_t kSharedBytes = sizeof(SharedState) + sizeof(ChildPicture);
static_assert(sizeof(SharedState) % alignof(ChildPicture) == 0);
ChildPicture* PictureBehind(SharedState* shared) { return reinterpret_cast<ChildPicture*>(shared + 1); }

// Foreign mappings of this process. Their table lies in shared memory mapped before the baseline: whatever it
// grows to is neither the heap's VSIZE nor anonymous RSS.
class ChildForeign {
 public:
  explicit ChildForeign(const ForeignPlan& plan)
      : bytes_(ForeignMappings::TableBytes(plan.calls)),
        room_(mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)),
        room_resource_(room_ == MAP_FAILED ? nullptr : room_, room_ == MAP_FAILED ? 0 : bytes_,
                       std::pmr::null_memory_resource()),
        table_resource_(&room_resource_),
        mappings_(&space_, plan.stack_bytes, &table_resource_) {
    REHEAP_CHECK(room_ != MAP_FAILED);
  }

  ForeignMappings* mappings() { return &mappings_; }

 private:
  const uint64_t bytes_;
  void* const room_;
  std::pmr::monotonic_buffer_resource room_resource_;
  std::pmr::unsynchronized_pool_resource table_resource_;
  RealForeignSpace space_;
  ForeignMappings mappings_;
};

void Wait(sem_t* semaphore) {
  while (sem_wait(semaphore) != 0) {
  }
}

void LimitTo(int resource, uint64_t bytes) {
  rlimit limit;
  getrlimit(resource, &limit);
  if (bytes > limit.rlim_max) _exit(kAboveHardLimit);
  limit.rlim_cur = bytes;
  REHEAP_CHECK(setrlimit(resource, &limit) == 0);
}

// As far as this process may.
void LiftLimit(int resource) {
  rlimit limit;
  getrlimit(resource, &limit);
  limit.rlim_cur = limit.rlim_max;
  REHEAP_CHECK(setrlimit(resource, &limit) == 0);
}

// Somebody else's mapping, before the heap starts.
void SquatInThisProcess(AddrRange range) {
  void* const wanted = reinterpret_cast<void*>(range.start.value());
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
  if (mmap(wanted, range.bytes, PROT_NONE, flags, -1, 0) != wanted) _exit(kNoPlaceToSquat);
}

// The child's whole life after its target exists.
void ReplayFromRing(SharedState* shared, Os* os, ReplayTarget* target) {
  std::optional<ChildForeign> foreign;
  if (shared->foreign.calls != 0) {
    foreign.emplace(shared->foreign);
    target->set_foreign(foreign->mappings());
  }
  target->set_on_refusal([&](const Refusal&) {
    shared->refusal_vsize_bytes = os->Usage().vsize_bytes;
    if (foreign) shared->refusal_foreign = foreign->mappings()->stats();
    TakeChildPicture(foreign ? foreign->mappings() : nullptr, PictureBehind(shared));
  });
  TakeChildBaseline(os, &shared->baseline);
  sem_post(&shared->baseline_taken);
  Wait(&shared->go);
  // What the user set for the shell is no limit of the row.
  LiftLimit(RLIMIT_AS);
  LiftLimit(RLIMIT_DATA);
  if (shared->has_address_room) LimitTo(RLIMIT_AS, PlusRoom(shared->baseline.usage.vsize_bytes, shared->address_room_bytes));
  if (shared->has_data_room) LimitTo(RLIMIT_DATA, PlusRoom(shared->baseline.data_bytes, shared->data_room_bytes));

  bool alive = target->Start();
  uint64_t cpu_ns = 0;
  for (int next = 0; alive; next = (next + 1) % kRingBatches) {
    Wait(&shared->filled_batches);
    const Batch& batch = shared->ring[next];
    if (batch.count == 0) break;
    const uint64_t before_ns = ThreadCpuNs();
    alive = target->ApplyTimed(batch.ops, batch.count, batch.foreign, batch.times) == batch.count;
    cpu_ns += ThreadCpuNs() - before_ns;
    sem_post(&shared->free_batches);
  }
  shared->stopped = true;
  sem_post(&shared->free_batches);
  cpu_ns -= target->result().picture_ns;  // so far: taken between two ops, or not yet
  target->Finish();
  target->result().cpu_ns = cpu_ns;
  shared->final_mapping_count = CountOwnMappings();
  if (!target->result().refused) TakeChildPicture(foreign ? foreign->mappings() : nullptr, PictureBehind(shared));
  if (shared->measure_lookup && alive) {
    LiftLimit(RLIMIT_AS);
    LiftLimit(RLIMIT_DATA);
    target->MeasureLookups();
  }
  shared->result = target->result();
}

[[noreturn]] void RunForkedChild(const ChildPlan& plan, SharedState* shared) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  RealOs os;
  for (AddrRange range : plan.squatters) SquatInThisProcess(range);
  std::unique_ptr<ReplayTarget> target = plan.make_target(&os);
  ReplayFromRing(shared, &os, target.get());
  _exit(0);
}

[[noreturn]] void ExecWorker(const ChildPlan& plan, int fd) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (dup2(fd, kWorkerFd) < 0) _exit(126);
  if (plan.preload.empty()) {
    unsetenv("LD_PRELOAD");
  } else {
    setenv("LD_PRELOAD", plan.preload.c_str(), 1);
  }
  execl("/proc/self/exe", "reheap", kWorkerArgument, static_cast<char*>(nullptr));
  _exit(127);
}

// Waits for `semaphore`; false when the child has ended instead (its status is in `wait_status`).
bool WaitOrChildEnd(sem_t* semaphore, pid_t child, int* wait_status) {
  for (;;) {
    timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 50 * 1000 * 1000;
    if (until.tv_nsec >= 1000000000) {
      until.tv_nsec -= 1000000000;
      ++until.tv_sec;
    }
    if (sem_timedwait(semaphore, &until) == 0) return true;
    if (errno != ETIMEDOUT && errno != EINTR) return false;
    if (waitpid(child, wait_status, WNOHANG) == child) return false;
  }
}

// Reads the child's mappings at its baseline and lets it go on. Sets `ended` when the child ended by itself.
absl::Status ReadBaselineImage(SharedState* shared, pid_t child, bool* ended, int* wait_status,
                               std::vector<ImageMapping>* image) {
  if (!WaitOrChildEnd(&shared->baseline_taken, child, wait_status)) {
    *ended = true;
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<ImageMapping>> mappings = ReadImage(absl::StrCat(child));
  if (!mappings.ok()) return mappings.status();
  *image = *std::move(mappings);
  sem_post(&shared->go);
  return absl::OkStatus();
}

// Feeds the whole stream. Sets `ended` when the child ended by itself.
absl::Status FeedRing(SharedState* shared, pid_t child, OpStream* stream,
                      const std::function<void(uint64_t)>& progress, bool* ended, int* wait_status) {
  uint64_t fed = 0;
  for (int next = 0;; next = (next + 1) % kRingBatches) {
    if (!WaitOrChildEnd(&shared->free_batches, child, wait_status)) {
      *ended = true;
      return absl::OkStatus();
    }
    if (shared->stopped) return absl::OkStatus();
    Batch& batch = shared->ring[next];
    ForeignOp* const foreign = shared->foreign.calls == 0 ? nullptr : batch.foreign;
    absl::StatusOr<size_t> n = stream->Next(batch.ops, kOpsPerBatch, foreign, &batch.times);
    if (!n.ok()) return n.status();
    batch.count = static_cast<uint32_t>(*n);
    sem_post(&shared->filled_batches);
    if (*n == 0) return absl::OkStatus();
    fed += *n;
    if (progress) progress(fed);
  }
}

absl::Status ChildStatus(int wait_status, const ChildPlan& plan, const SharedState& shared) {
  if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) return absl::OkStatus();
  if (WIFSIGNALED(wait_status)) {
    return absl::InternalError(absl::StrFormat("the replay child died of signal %d (%s) after event %d",
                                               WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)),
                                               shared.result.events));
  }
  if (plan.exec_worker && WEXITSTATUS(wait_status) == kNotPreloaded) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: the dynamic linker did not load it, or it has no malloc of its own", plan.preload));
  }
  if (WEXITSTATUS(wait_status) == kNoPlaceToSquat) {
    return absl::InvalidArgumentError("a squatter's range is not free in a process of this kernel, or is no user address");
  }
  if (WEXITSTATUS(wait_status) == kAboveHardLimit) {
    return absl::FailedPreconditionError(
        "the limit asked for is above this process's own hard limit (ulimit -H), which no process may raise");
  }
  return absl::InternalError(absl::StrFormat("the replay child%s ended with status %d",
                                             plan.exec_worker ? " with LD_PRELOAD=" + plan.preload : "",
                                             WEXITSTATUS(wait_status)));
}

}  // namespace

absl::StatusOr<ChildReport> RunInChild(const ChildPlan& plan, OpStream* stream,
                                       const std::function<void(uint64_t)>& progress) {
  const int fd = memfd_create("reheap-replay-ring", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, kSharedBytes) != 0) {
    return absl::ErrnoToStatus(errno, "cannot make the replay ring (memfd)");
  }
  void* p = mmap(nullptr, kSharedBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED) {
    close(fd);
    return absl::ErrnoToStatus(errno, "cannot map the replay ring");
  }
  SharedState* shared = new (p) SharedState();
  sem_init(&shared->free_batches, /*pshared=*/1, kRingBatches);
  sem_init(&shared->filled_batches, /*pshared=*/1, 0);
  sem_init(&shared->baseline_taken, /*pshared=*/1, 0);
  sem_init(&shared->go, /*pshared=*/1, 0);
  shared->has_address_room = plan.address_room_bytes.has_value();
  shared->address_room_bytes = plan.address_room_bytes.value_or(0);
  shared->has_data_room = plan.data_room_bytes.has_value();
  shared->data_room_bytes = plan.data_room_bytes.value_or(0);
  shared->measure_lookup = plan.measure_lookup;
  shared->slot_count = plan.slot_count;
  shared->foreign = plan.foreign;
  shared->touch_objects = plan.touch_objects;

  fflush(nullptr);  // or the child could print what is buffered a second time
  const pid_t child = fork();
  if (child == 0) {
    if (plan.exec_worker) ExecWorker(plan, fd);
    RunForkedChild(plan, shared);
  }
  absl::StatusOr<ChildReport> report = ChildReport();
  if (child < 0) {
    report = absl::ErrnoToStatus(errno, "cannot fork a replay child");
  } else {
    bool ended = false;
    int wait_status = 0;
    absl::Status status = ReadBaselineImage(shared, child, &ended, &wait_status, &report->baseline_image);
    if (status.ok() && !ended) status = FeedRing(shared, child, stream, progress, &ended, &wait_status);
    if (!status.ok()) kill(child, SIGKILL);
    if (!ended) waitpid(child, &wait_status, 0);
    if (status.ok()) status = ChildStatus(wait_status, plan, *shared);
    if (status.ok()) {
      report->result = shared->result;
      report->baseline = shared->baseline.usage;
      report->baseline_data_bytes = shared->baseline.data_bytes;
      report->refusal_vsize_bytes = shared->refusal_vsize_bytes;
      report->refusal_foreign = shared->refusal_foreign;
      report->picture = PictureOfChild(*PictureBehind(shared), report->baseline_image);
      report->added_mappings = shared->final_mapping_count - shared->baseline.mapping_count;
    } else {
      report = status;
    }
  }
  munmap(p, kSharedBytes);
  close(fd);
  return report;
}

namespace {

// Whether malloc is that of the library in LD_PRELOAD: the dynamic linker only warns when it cannot load one.
bool MallocIsPreloaded() {
  const char* const preload = getenv("LD_PRELOAD");
  if (preload == nullptr) return true;
  Dl_info info;
  struct stat wanted, found;
  return dladdr(dlsym(RTLD_DEFAULT, "malloc"), &info) != 0 && stat(preload, &wanted) == 0 &&
         stat(info.dli_fname, &found) == 0 && wanted.st_ino == found.st_ino && wanted.st_dev == found.st_dev;
}

}  // namespace

void MaybeRunReplayWorker(int argc, char** argv) {
  if (argc != 2 || strcmp(argv[1], kWorkerArgument) != 0) return;
  void* p = mmap(nullptr, kSharedBytes, PROT_READ | PROT_WRITE, MAP_SHARED, kWorkerFd, 0);
  if (p == MAP_FAILED) _exit(125);
  if (!MallocIsPreloaded()) _exit(kNotPreloaded);
  SharedState* shared = static_cast<SharedState*>(p);
  RealOs os;
  MallocTarget target(&os, shared->slot_count, shared->touch_objects);
  ReplayFromRing(shared, &os, &target);
  _exit(0);
}

}  // namespace reheap
