#include "traces/recorder/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// Linux 5.14; Debian 12's headers have it, older ones may not.
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace reheap::recorder {
namespace {

// What the pointers show before the spool exists: no tick ever, mode kUnset.
spool::ControlPage g_no_control;
ForkGuard g_no_guard;

std::atomic<uint32_t>* g_states;
uint8_t* g_segments;
char g_spool_path[PATH_MAX];
char g_lock_path[PATH_MAX];
bool g_has_collector;
bool g_atfork_registered;
bool g_exit_key_made;
pthread_key_t g_exit_key;

constexpr uint32_t kMaxImages = 100'000;
constexpr int kGrowAttempts = 10'000;

uint64_t ClockNs(clockid_t id) {
  timespec now;
  clock_gettime(id, &now);
  return uint64_t(now.tv_sec) * 1'000'000'000 + uint64_t(now.tv_nsec);
}

void* MapPages(uint64_t bytes, int flags, int fd) {
  const long mapped = syscall(SYS_mmap, nullptr, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
  return mapped == -1 ? nullptr : reinterpret_cast<void*>(mapped);
}

// Reads a whole file of /proc into [to, to + capacity); the bytes read.
uint32_t ReadFile(const char* path, char* to, uint64_t capacity) {
  const int fd = static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC));
  if (fd < 0) return 0;
  uint64_t bytes = 0;
  while (bytes < capacity) {
    const long got = syscall(SYS_read, fd, to + bytes, capacity - bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    bytes += static_cast<uint64_t>(got);
  }
  syscall(SYS_close, fd);
  return static_cast<uint32_t>(bytes);
}

// Gives [start, start + bytes) of the spool real pages now: a full disk is an error here and never a SIGBUS later.
bool Populate(void* start, uint64_t bytes) {
  if (syscall(SYS_madvise, start, bytes, MADV_POPULATE_WRITE) == 0) return true;
  if (errno != EINVAL) return false;
  // Before Linux 5.14: reserve the blocks through the file, which may be gone from our view (chroot).
  const int fd = static_cast<int>(syscall(SYS_openat, AT_FDCWD, g_spool_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (fd < 0) return false;
  const uint64_t offset = static_cast<uint64_t>(static_cast<uint8_t*>(start) - reinterpret_cast<uint8_t*>(g_control));
  const bool reserved = syscall(SYS_fallocate, fd, 0, offset, bytes) == 0;
  syscall(SYS_close, fd);
  return reserved;
}

uint64_t SoftLimit(int resource) {
  rlimit limit;
  return getrlimit(static_cast<__rlimit_resource>(resource), &limit) == 0 && limit.rlim_cur != RLIM_INFINITY
             ? limit.rlim_cur
             : ~uint64_t{0};
}

// As many segments as asked for, less where the program lives under limits that the spool would push it over:
// a 16th of its address space, and no file larger than it may write (that would be a SIGXFSZ).
uint32_t AffordableSegments(uint64_t pool_bytes) {
  const uint64_t address_limit = SoftLimit(RLIMIT_AS);
  if (address_limit != ~uint64_t{0} && pool_bytes > address_limit / 16) pool_bytes = address_limit / 16;
  uint64_t segments = pool_bytes / spool::kSegmentBytes;
  if (segments == 0) segments = 1;
  const uint64_t file_limit = SoftLimit(RLIMIT_FSIZE);
  while (segments > 0 && spool::FileBytes(static_cast<uint32_t>(segments)) > file_limit) segments /= 2;
  return static_cast<uint32_t>(segments);
}

// The TSC orders threads when the kernel itself uses it as (or under) its clock: then it is invariant and
// synchronised (arch/x86/kernel/tsc.c marks it unstable and leaves it otherwise).
spool::ClockKind ChooseClock(bool force_counter) {
#if defined(__x86_64__)
  char source[32] = {};
  ReadFile("/sys/devices/system/clocksource/clocksource0/current_clocksource", source, sizeof(source) - 1);
  if (!force_counter && strncmp(source, "tsc", 3) == 0) return spool::kTsc;
#endif
  (void)force_counter;
  return spool::kCounter;
}

// Field 22 of /proc/self/stat; the program's name (field 2) may hold spaces and parentheses.
uint64_t ProcessStartTicks() {
  char text[1024] = {};
  ReadFile("/proc/self/stat", text, sizeof(text) - 1);
  const char* at = strrchr(text, ')');
  if (at == nullptr) return 0;
  for (int field = 2; field < 22 && at != nullptr; ++field) at = strchr(at + 1, ' ');
  return at == nullptr ? 0 : strtoull(at + 1, nullptr, 10);
}

// Creates PID.IMAGE.spool for the first image number that is free. -1: cannot.
int CreateSpoolFile(const char* directory, uint32_t* image) {
  const long pid = syscall(SYS_getpid);
  for (*image = 0; *image < kMaxImages; ++*image) {
    const int length = snprintf(g_spool_path, sizeof(g_spool_path), "%s/%ld.%u.spool", directory, pid, *image);
    if (length < 0 || length >= static_cast<int>(sizeof(g_spool_path))) return -1;
    const int fd = static_cast<int>(syscall(SYS_openat, AT_FDCWD, g_spool_path,
                                            O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (fd >= 0 || errno != EEXIST) return fd;
  }
  return -1;
}

// Whether the collector's lock can be had: then it is gone.
CollectorSight LookForCollector() {
  const int fd = static_cast<int>(syscall(SYS_openat, AT_FDCWD, g_lock_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (fd < 0) return kNotVisible;
  const bool free = syscall(SYS_flock, fd, LOCK_SH | LOCK_NB) == 0;
  syscall(SYS_close, fd);
  return free ? kGone : kThere;
}

// A spool that nobody would ever drain or remove is not made.
bool CollectorIsThere(const RecorderConfig& config) {
  const int length = snprintf(g_lock_path, sizeof(g_lock_path), "%s/%s", config.spool_dir, kLockName);
  return length > 0 && length < static_cast<int>(sizeof(g_lock_path)) && LookForCollector() != kGone;
}

void FillFacts(spool::ControlPage* control) {
  char* facts = reinterpret_cast<char*>(control) + control->facts_offset;
  control->maps_bytes = ReadFile("/proc/self/maps", facts, spool::kFactsBytes);
  facts += control->maps_bytes;
  uint64_t room = spool::kFactsBytes - control->maps_bytes;
  control->arguments_bytes = ReadFile("/proc/self/cmdline", facts, room);
  facts += control->arguments_bytes;
  room -= control->arguments_bytes;
  const long length = syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", facts, room);
  control->program_bytes = length < 0 ? 0 : static_cast<uint32_t>(length);
}

void FillControl(spool::ControlPage* control, uint32_t segments, uint32_t image, bool force_counter) {
  control->version = spool::kVersion;
  control->max_segments = segments;
  control->file_bytes = spool::FileBytes(segments);
  control->facts_offset = spool::FactsOffset(segments);
  control->segments_offset = spool::SegmentsOffset(segments);
  control->pid = static_cast<int32_t>(syscall(SYS_getpid));
  control->parent_pid = static_cast<int32_t>(syscall(SYS_getppid));
  control->image = image;
  control->start_time_unix_ns = ClockNs(CLOCK_REALTIME);
  control->process_start_ticks = ProcessStartTicks();
  control->rlimit_as_bytes = SoftLimit(RLIMIT_AS);
  control->rlimit_data_bytes = SoftLimit(RLIMIT_DATA);
  control->rlimit_stack_bytes = SoftLimit(RLIMIT_STACK);
  control->clock_kind = ChooseClock(force_counter);
  FillFacts(control);
  control->monotonic_ns_at_start = ClockNs(CLOCK_MONOTONIC);
#if defined(__x86_64__)
  if (control->clock_kind == spool::kTsc) control->clock_at_start = __rdtsc();
#endif
  control->clock_later.store(control->clock_at_start);
  control->monotonic_ns_later.store(control->monotonic_ns_at_start);
  // What came before there was a page to count it in.
  control->dropped_events.store(g_no_control.dropped_events.load());
  control->magic = spool::kMagic;
}

bool MapSpool(const RecorderConfig& config, spool::ControlPage** out, uint32_t* segments, uint32_t* image) {
  *segments = AffordableSegments(config.pool_bytes);
  if (*segments == 0) return false;
  const int fd = CreateSpoolFile(config.spool_dir, image);
  if (fd < 0) return false;
  void* base = nullptr;
  if (syscall(SYS_ftruncate, fd, spool::FileBytes(*segments)) == 0) {
    base = MapPages(spool::FileBytes(*segments), MAP_SHARED, fd);
  }
  syscall(SYS_close, fd);
  *out = static_cast<spool::ControlPage*>(base);
  if (base == nullptr || !Populate(base, spool::SegmentsOffset(*segments))) {
    syscall(SYS_unlinkat, AT_FDCWD, g_spool_path, 0);
    if (base != nullptr) syscall(SYS_munmap, base, spool::FileBytes(*segments));
    return false;
  }
  return true;
}

// The page that a fork clears. Made once, inherited (cleared) by children.
bool MakeGuard() {
  if (g_guard != &g_no_guard) return true;
  void* page = MapPages(4096, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  if (page == nullptr) return false;
  if (syscall(SYS_madvise, page, 4096, MADV_WIPEONFORK) != 0) {
    syscall(SYS_munmap, page, 4096);
    return false;
  }
  g_guard = static_cast<ForkGuard*>(page);
  return true;
}

// fork(2) is about to be called by this thread: the collector needs to know what is alive at this point.
void BeforeFork() {
  if (g_guard->mode.load(std::memory_order_relaxed) != kOn) return;
  ThreadState& thread = t_state;
  thread.fork_number = g_control->forks.fetch_add(1, std::memory_order_relaxed) + 1;
  AppendExtended(static_cast<uint8_t>(Op::kFork), 0, 0, thread.fork_number, 0, 0);
}

// Rounds are counted in the key's value: glibc calls destructors again, PTHREAD_DESTRUCTOR_ITERATIONS times at
// most, as long as they set values. The last round sees the frees of the other keys' destructors.
void OnThreadExit(void* value) {
  const uintptr_t round = reinterpret_cast<uintptr_t>(value);
  if (round < PTHREAD_DESTRUCTOR_ITERATIONS) {
    pthread_setspecific(g_exit_key, reinterpret_cast<void*>(round + 1));
  } else {
    EndLane(t_state);
  }
}

bool StartSpool(ThreadState& thread) {
  const RecorderConfig config = ReadRecorderConfig();
  if (config.spool_dir == nullptr || (config.has_collector && !CollectorIsThere(config))) return false;
  spool::ControlPage* const parent = g_control == &g_no_control ? nullptr : g_control;
  spool::ControlPage* control = nullptr;
  uint32_t segments = 0;
  uint32_t image = 0;
  if (!MapSpool(config, &control, &segments, &image)) return false;
  if (parent != nullptr) {
    control->forked_from_pid = parent->pid;
    control->forked_from_image = parent->image;
    control->fork_number = thread.fork_number;
    syscall(SYS_munmap, parent, parent->file_bytes);
  }
  ForgetLanesAfterFork(thread);
  thread.fork_number = 0;
  g_control = control;
  FillControl(control, segments, image, config.force_counter);
  g_states = reinterpret_cast<std::atomic<uint32_t>*>(reinterpret_cast<uint8_t*>(control) + spool::kControlBytes);
  g_segments = reinterpret_cast<uint8_t*>(control) + control->segments_offset;
  g_has_collector = config.has_collector;
  // Both never fail in practice; without them forks lose their snapshot and threads their end, nothing else.
  if (!g_atfork_registered) g_atfork_registered = pthread_atfork(BeforeFork, nullptr, nullptr) == 0;
  if (!g_exit_key_made) g_exit_key_made = pthread_key_create(&g_exit_key, OnThreadExit) == 0;
  control->phase.store(spool::kRecording, std::memory_order_release);
  return true;
}

}  // namespace

spool::ControlPage* g_control = &g_no_control;
ForkGuard* g_guard = &g_no_guard;

bool HasCollector() { return g_has_collector; }

CollectorSight SeeCollector() { return LookForCollector(); }

void GiveUp() {
  g_control->phase.store(spool::kStopped, std::memory_order_relaxed);
  g_guard->mode.store(kOff, std::memory_order_relaxed);
}

bool BeginProcess(ThreadState& thread) {
  // Before libc has its environment (the loader's own first calls) nothing can be decided yet.
  if (environ == nullptr || !MakeGuard()) return false;
  uint32_t mode = g_guard->mode.load(std::memory_order_acquire);
  if (mode == kOn || mode == kOff) return mode == kOn;
  mode = kUnset;
  if (!g_guard->mode.compare_exchange_strong(mode, kStartingUp)) return mode == kOn;
  const bool started = StartSpool(thread);
  g_guard->salt = static_cast<uint32_t>(syscall(SYS_getpid)) | 0x80000000;
  g_guard->mode.store(started ? kOn : kOff, std::memory_order_release);
  return started;
}

void SetSegmentState(Segment* segment, spool::SegmentState state) {
  const uint64_t index = static_cast<uint64_t>(reinterpret_cast<uint8_t*>(segment) - g_segments) / spool::kSegmentBytes;
  g_states[index].store(state, std::memory_order_release);
}

namespace {

Segment* SegmentAt(uint32_t index) {
  return reinterpret_cast<Segment*>(g_segments + uint64_t{index} * spool::kSegmentBytes);
}

// Adds one segment to the pool. Null: the pool has its size, or another thread is at it, or there are no pages.
Segment* GrowPool() {
  const uint32_t made = g_control->segments_made.load(std::memory_order_acquire);
  if (made >= g_control->max_segments || g_control->map_failures.load(std::memory_order_relaxed) != 0) return nullptr;
  if (!Populate(SegmentAt(made), spool::kSegmentBytes)) {
    g_control->map_failures.fetch_add(1, std::memory_order_relaxed);
    return nullptr;
  }
  g_states[made].store(spool::kClaimed, std::memory_order_relaxed);
  g_control->segments_made.store(made + 1, std::memory_order_release);
  return SegmentAt(made);
}

}  // namespace

Segment* TakeFreeSegment() {
  // Bounded: a signal handler that allocates may have interrupted the very thread that is adding a segment.
  for (int attempt = 0; attempt < kGrowAttempts; ++attempt) {
    // From the lowest: the collector returns low ones first, and those are the warm ones.
    const uint32_t made = g_control->segments_made.load(std::memory_order_acquire);
    for (uint32_t index = 0; index < made; ++index) {
      uint32_t state = g_states[index].load(std::memory_order_relaxed);
      if (state == spool::kFree &&
          g_states[index].compare_exchange_strong(state, spool::kClaimed, std::memory_order_acquire)) {
        return SegmentAt(index);
      }
    }
    if (g_guard->growing.exchange(1, std::memory_order_acquire) == 0) {
      Segment* segment = GrowPool();
      g_guard->growing.store(0, std::memory_order_release);
      return segment;
    }
    syscall(SYS_sched_yield);
  }
  return nullptr;
}

void NoteClockAgain() {
#if defined(__x86_64__)
  if (g_control->clock_kind != spool::kTsc) return;
  g_control->clock_later.store(__rdtsc(), std::memory_order_relaxed);
  g_control->monotonic_ns_later.store(ClockNs(CLOCK_MONOTONIC), std::memory_order_relaxed);
#endif
}

void ArmThreadExit() {
  if (g_exit_key_made) pthread_setspecific(g_exit_key, reinterpret_cast<void*>(uintptr_t{1}));
}

}  // namespace reheap::recorder
