// The process that makes the calls on the running kernel: reads a CallRequest from standard input, carries it
// out through RealOs or the system call itself, answers, again. Its first answer is what ProbeHost found.
//
// It must not move its own layout: static, nothing allocated once it answers, every path walked once before.
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc/real_os.h"
#include "sim/os/host_probe.h"
#include "tests/differential/os_protocol.h"

namespace reheap {
namespace {

sigjmp_buf fault;
void OnFault(int) { siglongjmp(fault, 1); }

volatile uint64_t touched_pages;

void TouchUntilFault(uint64_t addr, uint64_t bytes, bool write) {
  for (uint64_t at = addr; at < addr + bytes; at += 4096) {
    auto* p = reinterpret_cast<volatile unsigned char*>(at);
    if (write) {
      *p = 1;
    } else {
      (void)*p;
    }
    touched_pages = touched_pages + 1;
  }
}

// Accesses the pages one after the other; answers how many before one faulted.
uint64_t TouchPages(const CallRequest& r) {
  touched_pages = 0;
  if (sigsetjmp(fault, 1) == 0) TouchUntilFault(r.addr, r.bytes, r.call == Call::kTouchWrite);
  return touched_pages;
}

void SetLimit(int resource, uint64_t bytes) {
  rlimit limit;
  getrlimit(static_cast<__rlimit_resource>(resource), &limit);
  limit.rlim_cur = bytes == ~uint64_t{0} ? limit.rlim_max : bytes;
  setrlimit(static_cast<__rlimit_resource>(resource), &limit);
}

CallAnswer Carry(RealOs& os, const CallRequest& r) {
  CallAnswer answer;
  void* const p = reinterpret_cast<void*>(r.addr);
  const auto done = [&answer](int result) { answer.error = result == 0 ? 0 : errno; };
  switch (r.call) {
    case Call::kMmap: {
      void* const got = mmap(p, r.bytes, r.protection, r.flags, -1, 0);
      if (got == MAP_FAILED) {
        answer.error = errno;
      } else {
        answer.value = reinterpret_cast<uint64_t>(got);
      }
      break;
    }
    case Call::kMunmap:
      done(munmap(p, r.bytes));
      break;
    case Call::kMprotect:
      done(mprotect(p, r.bytes, r.protection));
      break;
    case Call::kMadvise:
      done(madvise(p, r.bytes, r.flags));
      break;
    case Call::kTouchWrite:
    case Call::kTouchRead:
      answer.value = TouchPages(r);
      break;
    case Call::kBrk:
      answer.value = static_cast<uint64_t>(syscall(SYS_brk, r.addr));
      break;
    case Call::kLimitAddress:
      SetLimit(RLIMIT_AS, r.bytes);
      break;
    case Call::kLimitData:
      SetLimit(RLIMIT_DATA, r.bytes);
      break;
    default:
      answer = CallOs(os, r);
      break;
  }
  const OsUsage usage = os.Usage();
  answer.vsize_bytes = usage.vsize_bytes;
  answer.rss_anonymous_bytes = usage.rss_anonymous_bytes;
  return answer;
}

// Every page of code and stack that a call needs is there before the first comparison.
void WalkOnce(RealOs& os) {
  const uint64_t at = Carry(os, {Call::kReserve, 0, 0, 0, 1 << 20}).value;
  for (const Call call : {Call::kCommitMapFixed, Call::kCommitProtect, Call::kTouchWrite, Call::kTouchRead,
                          Call::kMprotect, Call::kTouchWrite, Call::kDiscard, Call::kReuse, Call::kDecommit,
                          Call::kMapReadyAt, Call::kMadvise, Call::kMunmap, Call::kRelease}) {
    Carry(os, {call, call == Call::kMprotect ? 0 : 3, MADV_DONTNEED, at, 1 << 20});
  }
  const uint64_t ready = Carry(os, {Call::kMapReady, 3, 0, 0, 1 << 20}).value;
  Carry(os, {Call::kRelease, 0, 0, ready, 1 << 20});
  const uint64_t raw = Carry(os, {Call::kMmap, 3, MAP_PRIVATE | MAP_ANONYMOUS, 0, 4096}).value;
  Carry(os, {Call::kMunmap, 0, 0, raw, 4096});
  Carry(os, {Call::kBrk, 0, 0, Carry(os, {Call::kBrk, 0, 0, 0, 0}).value, 0});
  Carry(os, {Call::kLimitAddress, 0, 0, 0, ~uint64_t{0}});
  Carry(os, {Call::kLimitData, 0, 0, 0, ~uint64_t{0}});
}

bool Transfer(ssize_t (*move)(int, void*, size_t), int fd, void* data, size_t size) {
  return move(fd, data, size) == static_cast<ssize_t>(size);
}
ssize_t Write(int fd, void* data, size_t size) { return write(fd, data, size); }

int Main() {
  // Huge pages would make one written byte 512 resident pages.
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_handler = OnFault;
  sigaction(SIGSEGV, &action, nullptr);
  sigaction(SIGBUS, &action, nullptr);

  static RealOs os;
  WalkOnce(os);
  static absl::StatusOr<HostSwitches> probed = ProbeHost();
  if (!probed.ok()) return 3;
  static HostSwitches switches = *probed;
  static CallRequest request;
  static CallAnswer answer;
  if (!Transfer(Write, 1, &switches, sizeof(switches))) return 3;
  // The first request is answered before the other end looks at the layout: reading and writing are walked,
  // too.
  while (Transfer(read, 0, &request, sizeof(request)) && request.call != Call::kQuit) {
    answer = Carry(os, request);
    if (!Transfer(Write, 1, &answer, sizeof(answer))) return 3;
  }
  return 0;
}

}  // namespace
}  // namespace reheap

int main() { return reheap::Main(); }
