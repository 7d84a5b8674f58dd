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

__thread constinit ThreadState t_state __attribute__((tls_model("initial-exec"), visibility("hidden")));
// .data, beside the pointers that the hot path reads: one cache line instead of two.
__attribute__((section(".data"))) std::atomic<bool> g_many_threads{false};
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

// How long a thread has waited for the collector to recycle a segment, and what it heard of it meanwhile.
struct Wait {
  int64_t start_ns;
  int64_t last_tick_ns;
  int64_t last_look_ns;
  uint32_t last_epoch;
};

// False: no use in waiting on. One thread finds out for all, so that a program of many threads is held up once.
bool WaitForCollector(Wait& wait) {
  if (g_control->stop.load(std::memory_order_relaxed) != 0) return false;
  if (g_guard->mode.load(std::memory_order_relaxed) != kOn) return false;
  if (g_guard->patience_over.load(std::memory_order_relaxed) != 0) return false;
  const int64_t now = MonotonicNs();
  const uint32_t epoch = g_control->epoch.load(std::memory_order_relaxed);
  if (epoch != wait.last_epoch) {
    wait.last_epoch = epoch;
    wait.last_tick_ns = now;
  }
  if (now - wait.last_look_ns > kLookForCollectorNs) {
    wait.last_look_ns = now;
    const CollectorSight sight = SeeCollector();
    // One that holds its lock may be starved for seconds (seen with 300 busy threads on two processors): not dead.
    if (sight == kGone || (sight == kNotVisible && now - wait.last_tick_ns > kDeadCollectorNs)) {
      g_control->dropped_events.fetch_add(1, std::memory_order_relaxed);
      GiveUp();
      return false;
    }
  }
  if (now - wait.start_ns > kLongestWaitNs) {
    g_guard->patience_over.store(1, std::memory_order_relaxed);
    return false;
  }
  // Not nanosleep(): that is a cancellation point, and malloc is none.
  const timespec pause = {0, 100'000};
  syscall(SYS_nanosleep, &pause, nullptr);
  return true;
}

Segment* AcquireSegment() {
  if (Segment* segment = TakeFreeSegment()) return segment;
  if (!HasCollector()) return nullptr;
  g_control->waits.fetch_add(1, std::memory_order_relaxed);
  const int64_t now = MonotonicNs();
  Wait wait = {now, now, now, g_control->epoch.load(std::memory_order_relaxed)};
  while (WaitForCollector(wait)) {
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

void StoreClock(Segment* segment) {
  const uint64_t coarse = g_control->clock_kind == spool::kTsc ? 0 : CoarseMicroseconds();
  Store(segment, spool::Head(static_cast<uint8_t>(Op::kClock), coarse, 0), ReadClock());
}

// A record's worth of room and, where due, the tick's clock; null: the event is not recorded. `seen` becomes the tick
// that the clock is of.
Segment* Prepare(ThreadState& thread, uint32_t* seen) {
  // A segment that is left behind here is a parent's (this is a forked child that could not get its own spool) or
  // one that nobody collects any more: never to be written again.
  if (g_guard->mode.load(std::memory_order_acquire) != kOn && !BeginProcess(thread)) {
    thread.segment = nullptr;
    return nullptr;
  }
  if (g_control->stop.load(std::memory_order_relaxed) != 0) {
    thread.segment = nullptr;
    GiveUp();
    return nullptr;
  }
  const uint32_t epoch = g_control->epoch.load(std::memory_order_relaxed) + g_guard->salt;
  bool clock_due = *seen != epoch;
  if (thread.segment != nullptr &&
      thread.segment->used.load(std::memory_order_relaxed) > spool::kSegmentRecords - kSlackRecords) {
    SetSegmentState(thread.segment, spool::kClosed);
    thread.segment = nullptr;
  }
  if (thread.segment == nullptr) {
    if (thread.refused_epoch == epoch) return nullptr;
    if (!thread.has_lane) BeginLane(thread);
    if (!OpenSegment(thread)) {
      thread.refused_epoch = g_control->epoch.load(std::memory_order_relaxed) + g_guard->salt;
      return nullptr;
    }
    clock_due = true;
    NoteClockAgain();
  }
  if (clock_due) StoreClock(thread.segment);
  *seen = epoch;
  if (thread.next_sequence == 1 && thread.segment->used.load(std::memory_order_relaxed) == 1) {
    Store(thread.segment, spool::Head(static_cast<uint8_t>(Op::kThreadStart), 0, 0), 0);
    thread.exit_unarmed = true;
  }
  return thread.segment;
}

// README.md, "the proof": claiming -> clock -> owner, and nobody if someone else came between.
void ClaimOwnership(const ThreadState& thread, Segment* segment, std::atomic<uint16_t>& owner) {
  const bool nameless = thread.owner == ThreadState::kNoOwner;
  // A nameless thread's mark is in nobody's name, not in kNoOwner: it must never look like a hit to another one.
  const uint16_t name = nameless ? kNobody : thread.owner;
  uint16_t mine = static_cast<uint16_t>(kClaiming | name);
  owner.exchange(mine, std::memory_order_seq_cst);
  StoreClock(segment);
  if (!owner.compare_exchange_strong(mine, name, std::memory_order_seq_cst)) {
    owner.exchange(kNobody, std::memory_order_seq_cst);
  }
}

// The begin of an append out of line; Leave() must follow. Null: the event is left out.
Segment* Enter(ThreadState& thread, uint32_t* seen) {
  if (*seen != kBusy) {
    Segment* segment = thread.segment;
    if (segment != nullptr && segment->used.load(std::memory_order_relaxed) <= spool::kSegmentRecords - kSlackRecords &&
        g_control->epoch.load(std::memory_order_relaxed) + g_guard->salt == *seen) {
      return segment;
    }
    // Without a single write to memory that threads share: the program has to live with this for long.
    if (g_guard->mode.load(std::memory_order_acquire) == kOff) return nullptr;
    const int saved_errno = errno;
    segment = Prepare(thread, seen);
    errno = saved_errno;
    if (segment != nullptr) return segment;
  }
  if (g_guard->mode.load(std::memory_order_relaxed) != kOff) {
    g_control->dropped_events.fetch_add(1, std::memory_order_relaxed);
  }
  return nullptr;
}

void Leave(ThreadState& thread, uint32_t seen) {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  thread.epoch.store(seen, std::memory_order_relaxed);
  if (REHEAP_LIKELY(!thread.exit_unarmed) || seen == kBusy) return;
  // Last, because it may call calloc, which is recorded like any other.
  const int saved_errno = errno;
  thread.exit_unarmed = false;
  ArmThreadExit();
  errno = saved_errno;
}

void ClaimIfNeeded(const ThreadState& thread, Segment* segment, uint64_t address) {
  if (MustClaim(thread, address)) ClaimOwnership(thread, segment, OwnerOf(address));
}

}  // namespace

__attribute__((noinline)) void AppendSlow(ThreadState& thread, uint32_t seen, uint64_t head, uint64_t value) {
  if (Segment* segment = Enter(thread, &seen)) {
    ClaimIfNeeded(thread, segment, head & spool::kAddressMask);
    Store(segment, head, value);
  }
  Leave(thread, seen);
}

__attribute__((noinline)) void AppendExtended(uint8_t op, uint8_t flags, uint64_t address, uint64_t value,
                                              uint64_t extra_value, uint64_t extra_address) {
  ThreadState& thread = t_state;
  uint32_t seen = thread.epoch.load(std::memory_order_relaxed);
  thread.epoch.store(kBusy, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (Segment* segment = Enter(thread, &seen)) {
    // The clock first: what the owner table says must be read after the event's time (README.md, "e was a hit").
    StoreClock(segment);
    if (op >= static_cast<uint8_t>(Op::kCall)) ClaimIfNeeded(thread, segment, address);
    Store(segment, spool::Head(static_cast<uint8_t>(Op::kExtra), extra_address, 0), extra_value);
    Store(segment, spool::Head(op, address, flags | spool::kExtended), value);
  }
  Leave(thread, seen);
}

void StartRecorder() {
  ThreadState& thread = t_state;
  if (thread.segment != nullptr) return;
  uint32_t seen = thread.epoch.load(std::memory_order_relaxed);
  thread.epoch.store(kBusy, std::memory_order_relaxed);
  const int saved_errno = errno;
  if (seen != kBusy) Prepare(thread, &seen);
  errno = saved_errno;
  Leave(thread, seen);
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
  thread.segment = nullptr;
  thread.owner = ThreadState::kNoOwner;
  thread.has_lane = false;
  thread.exit_unarmed = false;
  thread.lane = 0;
  thread.next_sequence = 0;
  thread.fork_number = 0;
  thread.refused_epoch = 0;
  for (auto& word : g_owner_names) word.store(0, std::memory_order_relaxed);
  g_many_threads.store(false, std::memory_order_relaxed);
}

}  // namespace reheap::recorder
