// Os: the only way to get address space from, and give it back to, the operating system (row 9 of the walk).
//
// Two worlds implement it: RealOs (alloc/real_os.h, this kernel) and VirtualOs (sim/os/virtual_os.h, a
// modelled kernel with limits). Both pass one contract suite, tests/contract.
//
// An address range is in one of four states; each method is a transition between them:
//
//   None      not ours; a touch faults
//   Reserved  ours, not usable; a touch faults; costs address space (what an OS charges for it differs)
//   Prepared  ours, contents discarded; must be reused before use; may still be charged as committed
//   Ready     usable, zero when it became Ready
//
//   Reserve       None            -> Reserved     MapReady    None            -> Ready, where the OS likes
//   Commit        Reserved        -> Ready        MapReadyAt  None            -> Ready, exactly there
//   Discard       Ready           -> Prepared     Reuse       Prepared        -> Ready
//   Decommit      Ready, Prepared -> Reserved     Release     any             -> None
// Where the system has one memory that only grows (only_grows(), wasm32), three clauses do not hold: a touch of
// Reserved or Prepared memory does not fault, Release is refused and the range stays what it was, and nothing
// brings RSS back. Zeroes are the program's own doing there.
//
// The public methods check arguments and count calls; the private Do* methods are the worlds. Sizes and
// addresses are multiples of os_page_bytes() unless said otherwise; violating that is our own mistake and a
// CHECK. A "no" from the OS is a value, Refusal, that names the rule.
//
// Ownership: the caller owns ranges; Os keeps none alive. Threads: one (the counters are plain). Cost: an OS
// call takes 0.3 us or more, the virtual dispatch beside it less than 0.5 ns.
#ifndef REHEAP_ALLOC_OS_H_
#define REHEAP_ALLOC_OS_H_

#include <cstdint>
#include <optional>
#include <utility>

#include "alloc/addr.h"
#include "alloc/check.h"

namespace reheap {

// Why an OS says no. RealOs can often not tell and says kUnknown with the errno.
enum class Rule : uint8_t {
  kNone = 0,
  kUnknown,               // the real kernel gave no reason beyond its error number
  kAddressLimit,          // RLIMIT_AS, `ulimit -v`
  kDataLimit,             // RLIMIT_DATA, `ulimit -d`
  kStackLimit,            // RLIMIT_STACK
  kOvercommitHeuristic,   // linux mode 0: one request larger than RAM + swap
  kCommitLimit,           // linux mode 2, windows commit limit
  kMappingCount,          // vm.max_map_count
  kAddressSpaceExhausted, // no gap that fits
  kAddressTaken,          // somebody is already there
  kOutOfUserRange,        // beyond the highest user address
  kInvalidArgument,
  kNotReserved,           // no reservation there, or not its base, or more than one (windows)
  kNotCommitted,          // reserved only, where the call wants committed memory (windows)
  kPrivilege,             // the process may not ask for that at all
  kOnlyGrows,             // only_grows(): nothing is taken back
  kJobLimit,              // windows job object: committed memory of one process
  kMemoryCgroup,          // cgroup memory.max: no answer but a kill, at a touch
  kLockedLimit,           // RLIMIT_MEMLOCK, `ulimit -l`
  kMemoryMaximum,         // only_grows(): the memory's declared maximum, or its embedder's cap
  kWriteExecute,          // memory is writable or executable, never both (W^X, OpenBSD)
};
// "RLIMIT_AS", "address taken", ...; never null.
const char* RuleName(Rule rule);

enum class OsOperation : uint8_t {
  kReserve = 0, kMapReady, kMapReadyAt, kCommit, kDiscard, kReuse, kDecommit, kRelease,
};
inline constexpr int kOsOperationCount = 8;
// "reserve", "map", "map at", "commit", ...; never null.
const char* OsOperationName(OsOperation operation);

struct Refusal {
  Rule rule = Rule::kNone;
  OsOperation operation = OsOperation::kReserve;
  int os_error = 0;            // errno, or GetLastError on windows platforms; 0 = none
  uint64_t asked_bytes = 0;    // of this request
  uint64_t in_use_bytes = 0;   // of what the rule counts, before this request; 0 when unknown
  uint64_t allowed_bytes = 0;  // the limit; 0 when unknown or when the rule has none
  Addr wanted;                 // where it was asked for; zero = anywhere
  Addr obtained;               // kAddressTaken: where the OS put it instead (given back since); zero = nowhere
};

// A value or the Refusal that stands in its place.
template <class T>
class [[nodiscard]] OsResult {
 public:
  OsResult(T value) : value_(std::move(value)) {}           // NOLINT: implicit by intent
  OsResult(const Refusal& refusal) : refusal_(refusal) {    // NOLINT: implicit by intent
    REHEAP_CHECK(refusal.rule != Rule::kNone);
  }
  bool ok() const { return refusal_.rule == Rule::kNone; }
  const T& value() const {
    REHEAP_CHECK(ok());
    return value_;
  }
  // Preconditions: !ok().
  const Refusal& refusal() const {
    REHEAP_CHECK(!ok());
    return refusal_;
  }

 private:
  T value_{};
  Refusal refusal_;
};
struct Done {};

enum class Access : uint8_t { kReadWrite, kReadWriteExecute };

// How Reserved memory becomes Ready. An OS with a commit call of its own (windows) uses that for each.
enum class CommitMethod : uint8_t {
  kMapFixed,  // mmap MAP_FIXED over the reservation: the 2011 Go runtime's way
  kProtect,   // mprotect: the page keeps its mapping
};

// What Os::Map may ask for beside a size and a place. An OS without a word for one of them goes on without it.
struct MapTraits {
  bool ready = true;        // usable at once; else Reserved
  Access access = Access::kReadWrite;
  bool no_reserve = false;  // not to be charged as committed before it is written (MAP_NORESERVE)
  bool low = false;         // where 32 bits reach (MAP_32BIT)
  bool over = false;        // exactly at the hint, over whatever is there (MAP_FIXED): the harm is the caller's
};

// What the process holds, as its OS counts it. Bytes.
struct OsUsage {
  uint64_t vsize_bytes = 0;          // whole process: sum of all mappings as this OS reports it
  uint64_t rss_anonymous_bytes = 0;  // whole process: resident anonymous memory
  uint64_t commit_bytes = 0;         // charged; 0 when not known cheaply (RealOs)
  uint64_t mapping_count = 0;        // VMAs; 0 when not known cheaply (RealOs)
};

class Os {
 public:
  virtual ~Os() = default;
  Os(const Os&) = delete;
  Os& operator=(const Os&) = delete;

  // None -> Reserved. `bytes` > 0 of contiguous address space, inaccessible. `hint` zero = anywhere; else the
  // OS prefers that place, and may answer another: the caller compares. Linux: mmap PROT_NONE, no MAP_FIXED,
  // no MAP_NORESERVE.
  OsResult<AddrRange> Reserve(uint64_t bytes, Addr hint);

  // None -> Ready, anywhere or near `hint`, zeroed. Linux: mmap private anonymous.
  OsResult<AddrRange> MapReady(uint64_t bytes, Access access, Addr hint = Addr());

  // None -> Ready, exactly `range` and never over anything: when the OS answers another place that place is
  // given back and the Refusal says kAddressTaken with both addresses. Linux: mmap with hint, no MAP_FIXED.
  OsResult<Done> MapReadyAt(AddrRange range, Access access);

  // None -> Reserved or Ready, by `traits`. Counted and observed as Reserve or MapReady. Preconditions: with
  // traits.over a hint.
  OsResult<AddrRange> Map(uint64_t bytes, Addr hint, const MapTraits& traits);

  // None -> Ready, zeroed: `bytes` more at the end of the data segment (brk), counted as MapReady. RealOs and
  // systems without it refuse with kInvalidArgument: the break of this process is its C library's.
  OsResult<AddrRange> GrowBreak(uint64_t bytes);

  // Whether every OS page of `range` belongs to some mapping, anybody's (mincore without ENOMEM).
  virtual bool IsWhollyMapped(AddrRange) { return false; }

  // Reserved -> Ready, zeroed. `range` lies in one reservation.
  OsResult<Done> Commit(AddrRange range, Access access, CommitMethod method);

  // Ready -> Prepared: contents gone, RSS back, address kept. Linux: madvise MADV_DONTNEED.
  OsResult<Done> Discard(AddrRange range);

  // Prepared -> Ready, zeroed. Nothing to do but on windows (commit again).
  OsResult<Done> Reuse(AddrRange range);

  // Ready or Prepared -> Reserved: also the commit charge goes back. Linux: mmap PROT_NONE MAP_FIXED.
  OsResult<Done> Decommit(AddrRange range);

  // Any state -> None; refused where only_grows(). On systems where release_is_whole(), `range` is a whole reservation.
  OsResult<Done> Release(AddrRange range);

  // Memory in the process image (BSS) set aside for the allocator's tables, `bytes` long and zero, when the
  // image has that much; it is Ready and charged since exec. RealOs and images without it answer nullopt, and
  // the caller maps instead. The same bytes are given out once.
  virtual std::optional<AddrRange> TakeImageBss(uint64_t bytes) = 0;

  // The end of the executable's data and BSS (where brk starts); zero when unknown.
  virtual Addr image_end() const = 0;

  virtual uint64_t os_page_bytes() const = 0;
  virtual uint64_t granularity_bytes() const = 0;  // Reserve answers multiples of it
  virtual bool release_is_whole() const = 0;
  // The system can neither take memory back nor make it inaccessible; each range begins where the last ended,
  // and a hint elsewhere is never met.
  virtual bool only_grows() const { return false; }

  // As of now. RealOs: one read of /proc/self/statm, about 0.4 us.
  virtual OsUsage Usage() = 0;

  // Requests so far, refused ones included.
  uint64_t calls(OsOperation operation) const { return calls_[static_cast<int>(operation)]; }
  uint64_t total_calls() const;

  // Told about each request, before it is carried out (`refusal` null) and after (else). For metrics: a
  // sampler must see RSS before it shrinks and VSIZE after it grows.
  class Observer {
   public:
    virtual ~Observer() = default;
    virtual void BeforeRequest(OsOperation operation, AddrRange range) = 0;
    // `refusal` is null on success.
    virtual void AfterRequest(OsOperation operation, AddrRange range, const Refusal* refusal) = 0;
  };
  // Not owned; null = nobody.
  void set_observer(Observer* observer) { observer_ = observer; }

 protected:
  Os() = default;

 private:
  virtual OsResult<AddrRange> DoReserve(uint64_t bytes, Addr hint) = 0;
  virtual OsResult<AddrRange> DoMapReady(uint64_t bytes, Access access, Addr hint) = 0;
  virtual OsResult<Done> DoMapReadyAt(AddrRange range, Access access) = 0;
  virtual OsResult<AddrRange> DoMap(uint64_t bytes, Addr hint, const MapTraits& traits);
  virtual OsResult<AddrRange> DoGrowBreak(uint64_t bytes);
  virtual OsResult<Done> DoCommit(AddrRange range, Access access, CommitMethod method) = 0;
  virtual OsResult<Done> DoDiscard(AddrRange range) = 0;
  virtual OsResult<Done> DoReuse(AddrRange range) = 0;
  virtual OsResult<Done> DoDecommit(AddrRange range) = 0;
  virtual OsResult<Done> DoRelease(AddrRange range) = 0;

  void CheckRange(AddrRange range) const;
  template <class T, class Call>
  OsResult<T> Counted(OsOperation operation, AddrRange range, Call call);

  uint64_t calls_[kOsOperationCount] = {};
  Observer* observer_ = nullptr;
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_OS_H_
