// The spool: the file that a recorded process and the collector share (row 2 of the walk).
//
// One file per process image, mapped MAP_SHARED by both sides, so that what a thread has stored survives the
// death of the process. All integers are little-endian; README.md draws the same table with the reasons.
//
//   offset               bytes              what
//   0                    4096               ControlPage
//   4096                 4 x max_segments   segment states (SegmentState), padded to a 4 KiB page
//   facts_offset         kFactsBytes        text the recorder copied at start: maps, arguments, program
//   segments_offset      kSegmentBytes x n  segments: a 64-byte header, then 16-byte records
//
// A segment belongs to one thread at a time. Only that thread writes records and `used`; the collector reads
// up to `used` (acquire) at any time. kFree -> kClaimed -> kActive -> kClosed are the recorder's steps,
// kClosed -> kFree is the collector's. What the other side wrote is never trusted: the collector
// checks every index it reads.
//
// Ownership: none, this is a layout. Threads: the fields say who writes. Limits: 64-bit little-endian Linux; addresses
// below 2^48.
#ifndef REHEAP_TRACES_RECORDER_SPOOL_H_
#define REHEAP_TRACES_RECORDER_SPOOL_H_

#include <stdint.h>

#include <atomic>

namespace reheap::spool {

inline constexpr uint64_t kMagic = 0x316c6f6f70536852;  // "RhSpool1" read as a little-endian integer
inline constexpr uint32_t kVersion = 1;

inline constexpr uint64_t kControlBytes = 4096;
inline constexpr uint64_t kFactsBytes = 256 << 10;
// 2 044 records: long enough that a clock and a claim per segment vanish (10 ns / 2 044), short enough that the
// recycled ones stay in a 2 MB L2 cache and that 2 000 threads fit the default pool.
inline constexpr uint64_t kSegmentBytes = 32 << 10;
inline constexpr uint64_t kSegmentHeaderBytes = 64;

// What a record says. Allocation calls are kCall + CallKind (traces/trace_event.h).
enum class Op : uint8_t {
  kNone = 0,
  kClock = 1,         // value = clock; applies to this record and those after it. address = coarse
                      // microseconds since start when clock_kind is kCounter, else 0
  kExtra = 2,         // value, address = two more operands of the record after it
  kThreadStart = 3,
  kThreadEnd = 4,     // the thread's own code is over; a few frees by libc may follow
  kFork = 5,          // value = fork number within this process image; written just before the fork
  kResizeBegin = 6,   // a realloc is about to give `address` back; value = bytes asked for
  kMap = 8,           // address, value = bytes; extra.value = prot | flags << 32
  kUnmap = 9,
  kProtect = 10,      // extra.value = prot
  kAdvise = 11,       // extra.value = advice
  kRemap = 12,        // address = old, value = new bytes; extra.value = new address, extra.address = old bytes
  kBreak = 13,        // address = the new break, value = by how many bytes it moved, modulo 2^64
  kCall = 64,
};

// head: bits 0-47 address, 48-55 op, 56-63 flags.
struct Record {
  uint64_t head;
  uint64_t value;
};
static_assert(sizeof(Record) == 16);

inline constexpr uint64_t kAddressMask = (uint64_t{1} << 48) - 1;
inline constexpr int kOpShift = 48;
inline constexpr int kFlagsShift = 56;
// Bits 0-5: log2(alignment) + 1 (0 = the function's default; 63 = not a power of two, in extra.value).
inline constexpr uint8_t kAlignmentMask = 0x3f;
inline constexpr uint8_t kOddAlignment = 0x3f;
// A realloc, which has no alignment: a kResizeBegin went before (it may have been dropped, or be another's).
inline constexpr uint8_t kResizes = 0x01;
inline constexpr uint8_t kExtended = 0x40;  // the record before this one is its kExtra
inline constexpr uint8_t kFailed = 0x80;

constexpr uint64_t Head(uint8_t op, uint64_t address, uint8_t flags) {
  return (address & kAddressMask) | uint64_t{op} << kOpShift | uint64_t{flags} << kFlagsShift;
}

enum SegmentState : uint32_t { kFree = 0, kClaimed = 1, kActive = 2, kClosed = 3 };

struct Segment {
  std::atomic<uint32_t> used;  // records stored, in order; written by the owner thread only
  uint32_t lane;               // the thread's number within the process image, from 0, never used again
  uint32_t sequence;           // number of this segment within its lane, from 0
  int32_t tid;                 // kernel thread id
  uint8_t reserved[kSegmentHeaderBytes - 16];
  Record records[(kSegmentBytes - kSegmentHeaderBytes) / sizeof(Record)];
};
static_assert(sizeof(Segment) == kSegmentBytes);
inline constexpr uint32_t kSegmentRecords = (kSegmentBytes - kSegmentHeaderBytes) / sizeof(Record);

enum ClockKind : uint32_t {
  kTsc = 1,      // the processor's invariant time stamp counter
  kCounter = 2,  // a counter shared by all threads: always right, slower
};

enum PhaseKind : uint32_t { kStarting = 0, kRecording = 1, kStopped = 2 };

struct ControlPage {
  uint64_t magic;
  uint32_t version;
  uint32_t max_segments;
  uint64_t file_bytes;
  uint64_t facts_offset;
  uint64_t segments_offset;
  uint32_t maps_bytes;       // of the facts: text of /proc/self/maps
  uint32_t arguments_bytes;  // then /proc/self/cmdline
  uint32_t program_bytes;    // then the target of /proc/self/exe
  uint32_t reserved2;

  int32_t pid;
  int32_t parent_pid;
  uint32_t image;            // the file is PID.IMAGE.spool; exec makes the next image of the same pid
  // The spool of the process that this one was forked from without exec: 0 = none.
  int32_t forked_from_pid;
  uint32_t forked_from_image;
  uint32_t fork_number;      // which kFork of that spool; 0 = fork was not seen (a raw system call)
  uint64_t start_time_unix_ns;
  uint64_t process_start_ticks;  // field 22 of /proc/PID/stat: tells a process from a later one with its pid

  ClockKind clock_kind;
  uint32_t reserved0;
  // Two readings of both clocks; the second is renewed at every segment. kCounter: unused.
  uint64_t clock_at_start;
  uint64_t monotonic_ns_at_start;
  std::atomic<uint64_t> clock_later;
  std::atomic<uint64_t> monotonic_ns_later;

  uint64_t rlimit_as_bytes;    // ~0 = unlimited
  uint64_t rlimit_data_bytes;
  uint64_t rlimit_stack_bytes;

  // Written last by the recorder's start: the fields above are complete.
  std::atomic<uint32_t> phase;
  uint32_t reserved1;

  // Counters of the recorder.
  alignas(64) std::atomic<uint32_t> segments_made;  // segments that ever had pages; states beyond are kFree
  std::atomic<uint32_t> lanes;                      // next lane number
  std::atomic<uint32_t> forks;
  std::atomic<uint32_t> map_failures;               // the pool could not grow: disk full, limits
  std::atomic<uint64_t> dropped_events;             // not recorded, for whatever reason
  std::atomic<uint64_t> waits;                      // times a thread waited for a free segment
  std::atomic<uint64_t> shared_clock;               // kCounter

  // Written by the collector.
  alignas(64) std::atomic<uint32_t> epoch;          // ticks about every millisecond
  std::atomic<uint32_t> stop;                       // 1: record no more (then tick the epoch)
  std::atomic<uint32_t> collector_attached;
};
static_assert(sizeof(ControlPage) <= kControlBytes);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

constexpr uint64_t StatesBytes(uint32_t max_segments) { return (uint64_t{max_segments} * 4 + 4095) / 4096 * 4096; }
constexpr uint64_t FactsOffset(uint32_t max_segments) { return kControlBytes + StatesBytes(max_segments); }
constexpr uint64_t SegmentsOffset(uint32_t max_segments) { return FactsOffset(max_segments) + kFactsBytes; }
constexpr uint64_t FileBytes(uint32_t max_segments) {
  return SegmentsOffset(max_segments) + uint64_t{max_segments} * kSegmentBytes;
}

}  // namespace reheap::spool

#endif  // REHEAP_TRACES_RECORDER_SPOOL_H_
