#include "traces/recorder/lane.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "traces/recorder/process.h"

namespace reheap::recorder {

__thread ThreadState t_state __attribute__((tls_model("initial-exec"), visibility("hidden")));
std::atomic<bool> g_many_threads{false};
std::atomic<uint16_t> g_owners[1 << kOwnerBits];

namespace {

// Names for the table of last owners: 1 .. 0x7ffe. A thread without one claims at every event.
std::atomic<uint64_t> g_owner_names[(kClaiming - 1) / 64 + 1];

uint16_t TakeOwnerName() {
  for (uint32_t word = 0; word < sizeof(g_owner_names) / sizeof(g_owner_names[0]); ++word) {
    uint64_t taken = g_owner_names[word].load(std::memory_order_relaxed);
    while (taken != ~uint64_t{0}) {
      const int bit = __builtin_ctzll(~taken);
      const uint32_t name = word * 64 + bit + 1;
      if (name >= kClaiming - 1u) return ThreadState::kNoOwner;
      if (g_owner_names[word].compare_exchange_weak(taken, taken | uint64_t{1} << bit, std::memory_order_seq_cst)) {
        return static_cast<uint16_t>(name);
      }
    }
  }
  return ThreadState::kNoOwner;
}

void GiveOwnerNameBack(uint16_t name) {
  if (name == ThreadState::kNoOwner) return;
  g_owner_names[(name - 1) / 64].fetch_and(~(uint64_t{1} << (name - 1) % 64), std::memory_order_seq_cst);
}

uint64_t CoarseMicroseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  const uint64_t ns = uint64_t(now.tv_sec) * 1'000'000'000 + uint64_t(now.tv_nsec);
  const uint64_t start = g_control->monotonic_ns_at_start;
  return ns < start ? 0 : (ns - start) / 1000;
}

int64_t MonotonicNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// Waits for the collector to recycle a segment. False: it does not tick, or not fast enough.
bool WaitForCollector(int64_t wait_start_ns, uint32_t* last_epoch, int64_t* last_tick_ns) {
  const int64_t now = MonotonicNs();
  const uint32_t epoch = g_control->epoch.load(std::memory_order_relaxed);
  if (epoch != *last_epoch) {
    *last_epoch = epoch;
    *last_tick_ns = now;
  }
  if (g_control->stop.load(std::memory_order_relaxed) != 0) return false;
  if (now - *last_tick_ns > kDeadCollectorNs || now - wait_start_ns > kLongestWaitNs) return false;
  // Not nanosleep(): that is a cancellation point, and malloc is none.
  const timespec pause = {0, 100'000};
  syscall(SYS_nanosleep, &pause, nullptr);
  return true;
}

Segment* AcquireSegment() {
  if (Segment* segment = TakeFreeSegment()) return segment;
  if (!HasCollector()) return nullptr;
  g_control->waits.fetch_add(1, std::memory_order_relaxed);
  const int64_t wait_start_ns = MonotonicNs();
  uint32_t last_epoch = g_control->epoch.load(std::memory_order_relaxed);
  int64_t last_tick_ns = wait_start_ns;
  while (WaitForCollector(wait_start_ns, &last_epoch, &last_tick_ns)) {
    if (Segment* segment = TakeFreeSegment()) return segment;
  }
  return nullptr;
}

void BeginLane(ThreadState& thread) {
  thread.has_lane = true;
  thread.next_sequence = 0;
  thread.lane = g_control->lanes.fetch_add(1, std::memory_order_seq_cst);
  thread.owner = TakeOwnerName();
  // Before this thread's first clock: whoever still reads false has an earlier one (README.md, "one thread").
  if (thread.lane > 0) g_many_threads.exchange(true, std::memory_order_seq_cst);
}

bool OpenSegment(ThreadState& thread) {
  Segment* segment = AcquireSegment();
  if (segment == nullptr) return false;
  segment->used.store(0, std::memory_order_relaxed);
  segment->lane = thread.lane;
  segment->sequence = thread.next_sequence++;
  segment->tid = static_cast<int32_t>(syscall(SYS_gettid));
  SetSegmentState(segment, spool::kActive);
  thread.segment = segment;
  return true;
}

Segment* PrepareWithErrnoAtRisk(ThreadState& thread) {
  // A segment that is left behind here is a parent's (this is a forked child that could not get its own spool) or
  // one that nobody collects any more: never to be written again.
  if ((g_guard->mode.load(std::memory_order_acquire) != kOn && !BeginProcess(thread)) ||
      g_control->stop.load(std::memory_order_relaxed) != 0) {
    thread.segment = nullptr;
    return nullptr;
  }
  const uint32_t epoch = g_control->epoch.load(std::memory_order_relaxed) + g_guard->salt;
  bool clock_due = thread.epoch != epoch;
  if (thread.segment != nullptr &&
      thread.segment->used.load(std::memory_order_relaxed) > spool::kSegmentRecords - kSlackRecords) {
    SetSegmentState(thread.segment, spool::kClosed);
    thread.segment = nullptr;
  }
  const bool new_lane = !thread.has_lane;
  if (thread.segment == nullptr) {
    if (thread.refused_epoch == epoch) return nullptr;
    if (new_lane) BeginLane(thread);
    if (!OpenSegment(thread)) {
      thread.refused_epoch = g_control->epoch.load(std::memory_order_relaxed) + g_guard->salt;
      return nullptr;
    }
    clock_due = true;
    NoteClockAgain();
  }
  thread.epoch = epoch;
  if (clock_due) StoreClock(thread.segment);
  if (thread.next_sequence == 1 && thread.segment->used.load(std::memory_order_relaxed) == 1) {
    Store(thread.segment, spool::Head(static_cast<uint8_t>(Op::kThreadStart), 0, 0), 0);
    // Last, because it may call calloc, which is recorded like any other.
    ArmThreadExit();
  }
  return thread.segment;
}

}  // namespace

void StoreClock(Segment* segment) {
  const uint64_t coarse = g_control->clock_kind == spool::kTsc ? 0 : CoarseMicroseconds();
  Store(segment, spool::Head(static_cast<uint8_t>(Op::kClock), coarse, 0), ReadClock());
}

// README.md, "the proof": claiming -> clock -> owner, and nobody if someone else came between.
__attribute__((noinline)) void ClaimOwnership(ThreadState& thread, Segment* segment,
                                              std::atomic<uint16_t>& owner) {
  uint16_t mine = static_cast<uint16_t>(kClaiming | thread.owner);
  owner.exchange(mine, std::memory_order_seq_cst);
  StoreClock(segment);
  const uint16_t next = thread.owner == ThreadState::kNoOwner ? kNobody : thread.owner;
  if (!owner.compare_exchange_strong(mine, next, std::memory_order_seq_cst)) {
    owner.exchange(kNobody, std::memory_order_seq_cst);
  }
}

__attribute__((noinline)) Segment* Prepare(ThreadState& thread) {
  const int saved_errno = errno;
  Segment* segment = PrepareWithErrnoAtRisk(thread);
  if (segment == nullptr && g_guard->mode.load(std::memory_order_relaxed) != kOff) {
    g_control->dropped_events.fetch_add(1, std::memory_order_relaxed);
  }
  errno = saved_errno;
  return segment;
}

void EndLane(ThreadState& thread) {
  if (!thread.has_lane) return;
  // libc frees blocks of the thread after its last destructor: the lane stays open for them, and the collector
  // ends it when the kernel has no such thread any more. Without a name every late event reads the clock.
  Append(static_cast<uint8_t>(Op::kThreadEnd), 0, 0, 0);
  GiveOwnerNameBack(thread.owner);
  thread.owner = ThreadState::kNoOwner;
}

void ForgetLanesAfterFork(ThreadState& thread) {
  thread = ThreadState{};
  for (auto& word : g_owner_names) word.store(0, std::memory_order_relaxed);
  g_many_threads.store(false, std::memory_order_relaxed);
}

}  // namespace reheap::recorder
