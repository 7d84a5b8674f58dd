// A lane: one thread's stream of records into its own segment (row 2 of the walk).
//
// Append() is the hot path: a few loads and compares, a 16-byte store and the store of `used`. Everything else
// (no segment, segment full, the collector's clock ticked, this is a forked child, recording stopped, another
// thread's address) is AppendSlow(), out of line.
//
// Order between threads (README.md has the proof): a record's time is the last kClock record before it in its
// lane. A record whose address was last handled by another thread reads the clock itself; a table of
// last owners, hashed by address, says so. It is only read as long as addresses stay with their threads, and not
// even read until a second thread records.
//
// Ownership: segments belong to the spool, a lane borrows one. Threads: a lane is one thread's; Prepare takes no
// lock that another thread's event waits for. No libc allocation, no cancellation point, errno kept.
#ifndef REHEAP_TRACES_RECORDER_LANE_H_
#define REHEAP_TRACES_RECORDER_LANE_H_

#include <stdint.h>

#include <atomic>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "traces/recorder/spool.h"

namespace reheap::recorder {

using spool::Op;
using spool::Record;
using spool::Segment;

// The hot path is a straight line in each hook: as a call it cost 2 ns more.
#define REHEAP_HOT inline __attribute__((always_inline))
#define REHEAP_LIKELY(x) __builtin_expect(!!(x), 1)
#define REHEAP_UNLIKELY(x) __builtin_expect(!!(x), 0)

struct ThreadState {
  Segment* segment = nullptr;   // null: Prepare finds one
  std::atomic<uint32_t> epoch{0};  // the tick this thread has seen, salted; kBusy while a record is being stored
  uint16_t owner = kNoOwner;    // this thread's name in the table of last owners
  bool has_lane = false;
  bool exit_unarmed = false;    // ArmThreadExit() is still to be called
  uint32_t lane = 0;
  uint32_t next_sequence = 0;   // of segments
  uint32_t fork_number = 0;     // of the last fork that this thread began
  uint32_t refused_epoch = 0;   // no segment was to be had in this tick: do not ask again before the next

  static constexpr uint16_t kNoOwner = 0xffff;  // never in the table, so never equal
};

// A signal handler that allocates may interrupt a thread that is storing a record. The handler finds this value,
// which is no current tick, and so comes to AppendSlow(), which leaves its event out and counts it.
inline constexpr uint32_t kBusy = 0xffffffff;

// In a page of its own that the kernel clears in a forked child (MADV_WIPEONFORK), so that a child is recognised
// however it was made, before it writes into its parent's segments.
struct ForkGuard {
  uint32_t salt;                // added to the epoch; never 0 while recording
  std::atomic<uint32_t> mode;   // Mode
  std::atomic<uint32_t> growing;  // a thread is adding a segment to the pool
  std::atomic<uint32_t> patience_over;  // a thread waited its longest for a segment: nobody waits again
};

enum Mode : uint32_t { kUnset = 0, kStartingUp, kOn, kOff };

// The table of last owners: 2^16 entries of 2 bytes, untouched (no memory) in single-threaded programs.
inline constexpr int kOwnerBits = 16;
inline constexpr uint16_t kNobody = 0;
inline constexpr uint16_t kClaiming = 0x8000;  // | the claimer's name

// Hidden by name: -fvisibility does not reach extern declarations, and each would cost a load from the GOT.
#pragma GCC visibility push(hidden)
extern __thread ThreadState t_state __attribute__((tls_model("initial-exec"), visibility("hidden")));
extern spool::ControlPage* g_control;
extern ForkGuard* g_guard;
extern std::atomic<bool> g_many_threads;
extern std::atomic<uint16_t> g_owners[1 << kOwnerBits];
#pragma GCC visibility pop

// The tick's clock + an extended event's own + a claim's + extra + event.
inline constexpr uint32_t kSlackRecords = 5;

// Ordered against every earlier and later load and store of this thread: the proof needs both fences.
inline uint64_t ReadClock() {
#if defined(__x86_64__)
  if (REHEAP_LIKELY(g_control->clock_kind == spool::kTsc)) {
    _mm_lfence();
    const uint64_t ticks = __rdtsc();
    _mm_lfence();
    return ticks;
  }
#endif
  return g_control->shared_clock.fetch_add(1, std::memory_order_seq_cst) + 1;
}

REHEAP_HOT void Store(Segment* segment, uint64_t head, uint64_t value) {
  const uint32_t used = segment->used.load(std::memory_order_relaxed);
  segment->records[used] = {head, value};
  segment->used.store(used + 1, std::memory_order_release);
}

inline std::atomic<uint16_t>& OwnerOf(uint64_t address) {
  // A word per 256 bytes: a heap of 1 MiB has 8 KiB of words, and neighbours mostly belong to one thread. Each
  // 64 MiB (glibc's arenas start on multiples of it) is moved by 40,503 words = 2^16 / the golden ratio, so that two
  // arenas that are both filled from their start do not fall on the same words.
  return g_owners[((address >> 8) + (address >> 26) * 40'503) & ((1 << kOwnerBits) - 1)];
}

// Whether the clock must be read for this address: another thread may have handled it last. Null is nobody's.
REHEAP_HOT bool MustClaim(const ThreadState& thread, uint64_t address) {
  return REHEAP_UNLIKELY(g_many_threads.load(std::memory_order_acquire)) && address != 0 &&
         REHEAP_UNLIKELY(OwnerOf(address).load(std::memory_order_acquire) != thread.owner);
}

// All that Append() does not do in line (lane.cc). `seen` is what thread.epoch was before kBusy.
void AppendSlow(ThreadState& thread, uint32_t seen, uint64_t head, uint64_t value);

// An event that always carries its own clock and two more operands (address-space calls, odd alignments).
void AppendExtended(uint8_t op, uint8_t flags, uint64_t address, uint64_t value, uint64_t extra_value,
                    uint64_t extra_address);

// `address` is an object's, or null. One tail call out of line: the hooks have no registers to save for it.
REHEAP_HOT void Append(uint8_t op, uint8_t flags, uint64_t address, uint64_t value) {
  ThreadState& thread = t_state;
  const uint64_t head = spool::Head(op, address, flags);
  const uint32_t seen = thread.epoch.load(std::memory_order_relaxed);
  thread.epoch.store(kBusy, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  Segment* segment = thread.segment;
  if (REHEAP_UNLIKELY(segment == nullptr ||
                      segment->used.load(std::memory_order_relaxed) > spool::kSegmentRecords - kSlackRecords ||
                      g_control->epoch.load(std::memory_order_relaxed) + g_guard->salt != seen ||
                      MustClaim(thread, address))) {
    AppendSlow(thread, seen, head, value);
    return;
  }
  Store(segment, head, value);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  thread.epoch.store(seen, std::memory_order_relaxed);
}

// Looks for a spool directory and starts recording; harmless when called again.
void StartRecorder();

}  // namespace reheap::recorder

#endif  // REHEAP_TRACES_RECORDER_LANE_H_
