// The words between the lockstep test and the process that really makes the calls: one request, one answer,
// over pipes.
//
// Plain bytes: both ends are the same build. Values only.
#ifndef REHEAP_TESTS_DIFFERENTIAL_OS_PROTOCOL_H_
#define REHEAP_TESTS_DIFFERENTIAL_OS_PROTOCOL_H_

#include <cstdint>
#include <type_traits>

#include "sim/os/virtual_os.h"

namespace reheap {

enum class Call : uint32_t {
  // The Os interface.
  kReserve,
  kMapReady,
  kMapReadyAt,
  kCommitMapFixed,
  kCommitProtect,
  kDiscard,
  kReuse,
  kDecommit,
  kRelease,
  // The kernel's own.
  kMmap,
  kMunmap,
  kMprotect,
  kMadvise,
  // One access to each of `bytes` / 4096 pages from `addr` on.
  kTouchWrite,
  kTouchRead,
  // brk to `addr`; answers the break that results.
  kBrk,
  // setrlimit to `bytes`; all ones = unlimited.
  kLimitAddress,
  kLimitData,
  kQuit,
};

struct CallRequest {
  Call call = Call::kQuit;
  int32_t protection = 0;
  int32_t flags = 0;
  uint64_t addr = 0;
  uint64_t bytes = 0;

  friend bool operator==(const CallRequest&, const CallRequest&) = default;
};

struct CallAnswer {
  uint64_t value = 0;  // address, or 0; touches: pages accessed before one faulted
  int32_t error = 0;   // errno
  uint32_t taken = 0;  // 1: Rule::kAddressTaken
  uint64_t obtained = 0;
  uint64_t vsize_bytes = 0;
  uint64_t rss_anonymous_bytes = 0;

  friend bool operator==(const CallAnswer&, const CallAnswer&) = default;
};

static_assert(std::is_trivially_copyable_v<CallRequest> && std::is_trivially_copyable_v<CallAnswer> &&
              std::is_trivially_copyable_v<HostSwitches>);

// One of the Os interface's requests on either world.
inline CallAnswer CallOs(Os& os, const CallRequest& request) {
  const AddrRange range{Addr(request.addr), request.bytes};
  const Access access = request.protection & kProtExecute ? Access::kReadWriteExecute : Access::kReadWrite;
  CallAnswer answer;
  const auto note = [&answer](const auto& result) {
    if (result.ok()) return;
    answer.error = result.refusal().os_error;
    answer.taken = result.refusal().rule == Rule::kAddressTaken;
    answer.obtained = result.refusal().obtained.value();
  };
  const auto note_range = [&](const OsResult<AddrRange>& result) {
    if (result.ok()) answer.value = result.value().start.value();
    note(result);
  };
  switch (request.call) {
    case Call::kReserve:
      note_range(os.Reserve(range.bytes, range.start));
      break;
    case Call::kMapReady:
      note_range(os.MapReady(range.bytes, access, range.start));
      break;
    case Call::kMapReadyAt:
      note(os.MapReadyAt(range, access));
      break;
    case Call::kCommitMapFixed:
      note(os.Commit(range, access, CommitMethod::kMapFixed));
      break;
    case Call::kCommitProtect:
      note(os.Commit(range, access, CommitMethod::kProtect));
      break;
    case Call::kDiscard:
      note(os.Discard(range));
      break;
    case Call::kReuse:
      note(os.Reuse(range));
      break;
    case Call::kDecommit:
      note(os.Decommit(range));
      break;
    case Call::kRelease:
      note(os.Release(range));
      break;
    default:
      REHEAP_CHECK(false);
  }
  return answer;
}

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_OS_PROTOCOL_H_
