#include "alloc/real_os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

// The linker's end of BSS.
extern "C" char end;

namespace reheap {
namespace {

constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;

int Protection(Access access) {
  return access == Access::kReadWriteExecute ? PROT_READ | PROT_WRITE | PROT_EXEC : PROT_READ | PROT_WRITE;
}

Refusal KernelSaidNo(OsOperation operation, int error, AddrRange range) {
  Refusal refusal;
  refusal.rule = error == EINVAL ? Rule::kInvalidArgument : Rule::kUnknown;
  refusal.operation = operation;
  refusal.os_error = error;
  refusal.asked_bytes = range.bytes;
  refusal.wanted = range.start;
  return refusal;
}

void* Pointer(Addr a) { return reinterpret_cast<void*>(a.value()); }

OsResult<AddrRange> MapNear(OsOperation operation, AddrRange wanted, int protection) {
  void* p = mmap(Pointer(wanted.start), wanted.bytes, protection, kAnonymous, -1, 0);
  if (p == MAP_FAILED) return KernelSaidNo(operation, errno, wanted);
  return AddrRange{Addr(reinterpret_cast<uint64_t>(p)), wanted.bytes};
}

OsResult<Done> MapFixed(OsOperation operation, AddrRange range, int protection) {
  if (mmap(Pointer(range.start), range.bytes, protection, kAnonymous | MAP_FIXED, -1, 0) == MAP_FAILED) {
    return KernelSaidNo(operation, errno, range);
  }
  return Done();
}

}  // namespace

RealOs::RealOs()
    : os_page_bytes_(static_cast<uint64_t>(sysconf(_SC_PAGESIZE))),
      statm_fd_(open("/proc/self/statm", O_RDONLY | O_CLOEXEC)) {}

RealOs::~RealOs() {
  if (statm_fd_ >= 0) close(statm_fd_);
}

// This process's BSS is the simulator's, not the simulated program's.
std::optional<AddrRange> RealOs::TakeImageBss(uint64_t) { return std::nullopt; }

Addr RealOs::image_end() const { return Addr(reinterpret_cast<uint64_t>(&end)); }

OsUsage RealOs::Usage() {
  OsUsage usage;
  char text[128];
  const ssize_t n = pread(statm_fd_, text, sizeof(text) - 1, 0);
  if (n <= 0) return usage;
  text[n] = '\0';
  unsigned long long size = 0, resident = 0, shared = 0;  // in OS pages
  if (sscanf(text, "%llu %llu %llu", &size, &resident, &shared) != 3) return usage;
  usage.vsize_bytes = size * os_page_bytes_;
  usage.rss_anonymous_bytes = (resident - shared) * os_page_bytes_;
  return usage;
}

OsResult<AddrRange> RealOs::DoReserve(uint64_t bytes, Addr hint) {
  return MapNear(OsOperation::kReserve, {hint, bytes}, PROT_NONE);
}

OsResult<AddrRange> RealOs::DoMapReady(uint64_t bytes, Access access, Addr hint) {
  return MapNear(OsOperation::kMapReady, {hint, bytes}, Protection(access));
}

OsResult<Done> RealOs::DoMapReadyAt(AddrRange range, Access access) {
  const OsResult<AddrRange> got = MapNear(OsOperation::kMapReadyAt, range, Protection(access));
  if (!got.ok()) return got.refusal();
  if (got.value().start == range.start) return Done();
  munmap(Pointer(got.value().start), got.value().bytes);
  Refusal refusal = KernelSaidNo(OsOperation::kMapReadyAt, 0, range);
  refusal.rule = Rule::kAddressTaken;
  refusal.obtained = got.value().start;
  return refusal;
}

OsResult<AddrRange> RealOs::DoMap(uint64_t bytes, Addr hint, const MapTraits& traits) {
  int flags = kAnonymous;
  if (traits.no_reserve) flags |= MAP_NORESERVE;
#ifdef MAP_32BIT
  if (traits.low) flags |= MAP_32BIT;
#endif
  if (traits.over) flags |= MAP_FIXED;
  void* p = mmap(Pointer(hint), bytes, traits.ready ? Protection(traits.access) : PROT_NONE, flags, -1, 0);
  if (p == MAP_FAILED) {
    return KernelSaidNo(traits.ready ? OsOperation::kMapReady : OsOperation::kReserve, errno, {hint, bytes});
  }
  return AddrRange{Addr(reinterpret_cast<uint64_t>(p)), bytes};
}

// mincore answers ENOMEM when any page of the range is in no mapping.
bool RealOs::IsWhollyMapped(AddrRange range) {
  for (Addr a = range.start; a < range.end(); a = a + os_page_bytes_) {
    unsigned char in_core;
    if (mincore(Pointer(a), os_page_bytes_, &in_core) != 0) return false;
  }
  return true;
}

OsResult<Done> RealOs::DoCommit(AddrRange range, Access access, CommitMethod method) {
  if (method == CommitMethod::kMapFixed) return MapFixed(OsOperation::kCommit, range, Protection(access));
  if (mprotect(Pointer(range.start), range.bytes, Protection(access)) != 0) {
    return KernelSaidNo(OsOperation::kCommit, errno, range);
  }
  return Done();
}

OsResult<Done> RealOs::DoDiscard(AddrRange range) {
  if (madvise(Pointer(range.start), range.bytes, MADV_DONTNEED) != 0) {
    return KernelSaidNo(OsOperation::kDiscard, errno, range);
  }
  return Done();
}

OsResult<Done> RealOs::DoReuse(AddrRange) { return Done(); }

OsResult<Done> RealOs::DoDecommit(AddrRange range) { return MapFixed(OsOperation::kDecommit, range, PROT_NONE); }

OsResult<Done> RealOs::DoRelease(AddrRange range) {
  if (munmap(Pointer(range.start), range.bytes) != 0) return KernelSaidNo(OsOperation::kRelease, errno, range);
  return Done();
}

}  // namespace reheap
