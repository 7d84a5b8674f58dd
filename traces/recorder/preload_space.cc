// The program's own address-space calls, as LD_PRELOAD exports them (row 1 of the walk).
//
// Not the allocator's: glibc's malloc calls the kernel behind these symbols, and calls that come from the object
// that holds another allocator's malloc are recognised by their return address. These calls cost microseconds, so
// each event carries its own clock: unmapping is recorded before the call, mapping after it. Failed calls
// are left out, since they change nothing.
//
// Threads: any. errno is what the real function left.
#include <errno.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "traces/recorder/hooks.h"
#include "traces/recorder/lane.h"
#include "traces/recorder/real_functions.h"

#define REHEAP_EXPORT extern "C" __attribute__((visibility("default")))

namespace reheap::recorder {
namespace {

constexpr uintptr_t kSmallestOsPageBytes = 4096;

bool IsAllocators(const void* caller) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(caller);
  return address >= g_real.allocator_start && address < g_real.allocator_end;
}

// While the real functions are being looked up the loader's calls go straight to the kernel, unrecorded.
bool Ready() {
  if (!g_resolved.load(std::memory_order_acquire)) ResolveRealFunctions();
  return g_resolved.load(std::memory_order_acquire);
}

void RecordSpace(Op op, const void* address, uint64_t bytes, uint64_t extra_value, uint64_t extra_address) {
  AppendExtended(static_cast<uint8_t>(op), 0, reinterpret_cast<uint64_t>(address), bytes, extra_value,
                 extra_address);
}

// `forward` makes the call; recorded after it when it succeeded.
void* Map(void* hint, size_t bytes, int protection, int flags, int fd, off_t offset, const void* caller) {
  if (!Ready()) return reinterpret_cast<void*>(syscall(SYS_mmap, hint, bytes, protection, flags, fd, offset));
  void* mapped = g_real.mmap(hint, bytes, protection, flags, fd, offset);
  if (mapped != MAP_FAILED && !IsAllocators(caller)) {
    RecordSpace(Op::kMap, mapped, bytes, uint32_t(protection) | uint64_t(uint32_t(flags)) << 32, 0);
  }
  return mapped;
}

}  // namespace
}  // namespace reheap::recorder

using namespace reheap::recorder;  // NOLINT: this file is the outside of that namespace

REHEAP_EXPORT void* mmap(void* hint, size_t bytes, int protection, int flags, int fd, off_t offset) {
  return Map(hint, bytes, protection, flags, fd, offset, __builtin_return_address(0));
}

// The same function on 64-bit systems, under the name that -D_FILE_OFFSET_BITS=64 gives it.
REHEAP_EXPORT void* mmap64(void* hint, size_t bytes, int protection, int flags, int fd, off_t offset) {
  return Map(hint, bytes, protection, flags, fd, offset, __builtin_return_address(0));
}

REHEAP_EXPORT int munmap(void* address, size_t bytes) {
  if (!Ready()) return static_cast<int>(syscall(SYS_munmap, address, bytes));
  // The two mistakes that munmap(2) refuses are known before the call.
  const bool refused = bytes == 0 || reinterpret_cast<uintptr_t>(address) % kSmallestOsPageBytes != 0;
  if (!refused && !IsAllocators(__builtin_return_address(0))) RecordSpace(Op::kUnmap, address, bytes, 0, 0);
  return g_real.munmap(address, bytes);
}

REHEAP_EXPORT int mprotect(void* address, size_t bytes, int protection) {
  if (!Ready()) return static_cast<int>(syscall(SYS_mprotect, address, bytes, protection));
  const int result = g_real.mprotect(address, bytes, protection);
  if (result == 0 && !IsAllocators(__builtin_return_address(0))) {
    RecordSpace(Op::kProtect, address, bytes, uint32_t(protection), 0);
  }
  return result;
}

REHEAP_EXPORT int madvise(void* address, size_t bytes, int advice) {
  if (!Ready()) return static_cast<int>(syscall(SYS_madvise, address, bytes, advice));
  const int result = g_real.madvise(address, bytes, advice);
  if (result == 0 && !IsAllocators(__builtin_return_address(0))) {
    RecordSpace(Op::kAdvise, address, bytes, uint32_t(advice), 0);
  }
  return result;
}

REHEAP_EXPORT void* mremap(void* address, size_t old_bytes, size_t new_bytes, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  void* target = (flags & MREMAP_FIXED) != 0 ? va_arg(arguments, void*) : nullptr;
  va_end(arguments);
  if (!Ready()) {
    return reinterpret_cast<void*>(syscall(SYS_mremap, address, old_bytes, new_bytes, flags, target));
  }
  void* moved = g_real.mremap(address, old_bytes, new_bytes, flags, target);
  if (moved != MAP_FAILED && !IsAllocators(__builtin_return_address(0))) {
    RecordSpace(Op::kRemap, address, new_bytes, reinterpret_cast<uint64_t>(moved), old_bytes);
  }
  return moved;
}

REHEAP_EXPORT int brk(void* address) {
  if (!Ready()) {
    errno = ENOMEM;
    return -1;
  }
  const uint64_t old_break = reinterpret_cast<uint64_t>(g_real.sbrk(0));
  const int result = g_real.brk(address);
  if (result == 0 && !IsAllocators(__builtin_return_address(0))) {
    RecordSpace(Op::kBreak, address, reinterpret_cast<uint64_t>(address) - old_break, 0, 0);
  }
  return result;
}

REHEAP_EXPORT void* sbrk(intptr_t increment) {
  if (!Ready()) {
    errno = ENOMEM;
    return reinterpret_cast<void*>(-1);
  }
  void* old_break = g_real.sbrk(increment);
  // sbrk(0) is a question.
  if (old_break != reinterpret_cast<void*>(-1) && increment != 0 && !IsAllocators(__builtin_return_address(0))) {
    RecordSpace(Op::kBreak, static_cast<uint8_t*>(old_break) + increment, static_cast<uint64_t>(increment), 0, 0);
  }
  return old_break;
}
