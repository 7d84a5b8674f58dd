// libreheap_recorder.so: the symbols that LD_PRELOAD puts in front of the program's own (row 1 of the walk).
//
// Only the table of exported functions and the guard for the first calls are here; what is recorded, and
// when, is hooks.h. malloc_usable_size, mallinfo and the like stay untouched: blocks are exactly the real allocator's.
//
// Guard: the first call of all looks up the real functions, and dlsym may itself allocate. Those calls, and only
// those, are served by unhooked_memory.h and not recorded.
//
// Threads: any. Depends on libc alone; no exception handling, no static constructors but StartEarly.
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "traces/recorder/hooks.h"
#include "traces/recorder/lane.h"
#include "traces/recorder/real_functions.h"
#include "traces/recorder/unhooked_memory.h"

#define REHEAP_EXPORT extern "C" __attribute__((visibility("default")))

namespace reheap::recorder {
namespace {

UnhookedMemory g_unhooked;

inline bool Ready() {
  if (REHEAP_LIKELY(g_resolved.load(std::memory_order_acquire))) return true;
  ResolveRealFunctions();
  return g_resolved.load(std::memory_order_acquire);
}

void* UnhookedAllocate(size_t bytes, size_t alignment) {
  void* block = g_unhooked.Allocate(bytes, alignment);
  if (block == nullptr) errno = ENOMEM;
  return block;
}

// realloc of a block made before the real functions were known: it moves to the real allocator.
void* MoveFromUnhooked(void* block, size_t bytes) {
  void* moved = Ready() ? g_real.malloc(bytes) : UnhookedAllocate(bytes, 16);
  if (moved == nullptr) return nullptr;
  const size_t old_bytes = g_unhooked.SizeOf(block);
  memcpy(moved, block, old_bytes < bytes ? old_bytes : bytes);
  if (Ready()) RecordAllocation(CallKind::kRealloc, moved, bytes, 0);
  return moved;
}

void* AlignedAllocation(CallKind call, size_t alignment, size_t bytes, void* (*RealFunctions::*real)(size_t, size_t)) {
  if (!Ready()) return UnhookedAllocate(bytes, alignment);
  void* pointer = (g_real.*real)(alignment, bytes);
  RecordAllocation(call, pointer, bytes, alignment);
  return pointer;
}

void* PageAllocation(CallKind call, size_t bytes, void* (*RealFunctions::*real)(size_t)) {
  if (!Ready()) return UnhookedAllocate(bytes, 4096);
  void* pointer = (g_real.*real)(bytes);
  RecordAllocation(call, pointer, bytes, 0);
  return pointer;
}

__attribute__((constructor(101))) void StartEarly() {
  if (Ready()) StartRecorder();
}

}  // namespace
}  // namespace reheap::recorder

using reheap::CallKind;
using namespace reheap::recorder;  // NOLINT: this file is the outside of that namespace

REHEAP_EXPORT void* malloc(size_t bytes) {
  if (REHEAP_UNLIKELY(!Ready())) return UnhookedAllocate(bytes, 16);
  void* pointer = g_real.malloc(bytes);
  RecordAllocation(CallKind::kMalloc, pointer, bytes, 0);
  return pointer;
}

REHEAP_EXPORT void free(void* pointer) {
  if (REHEAP_UNLIKELY(g_unhooked.Owns(pointer)) || REHEAP_UNLIKELY(!Ready())) return;
  RecordFree(CallKind::kFree, pointer, 0, 0);
  g_real.free(pointer);
}

REHEAP_EXPORT void* calloc(size_t count, size_t bytes) {
  if (REHEAP_UNLIKELY(!Ready())) return UnhookedAllocate(Product(count, bytes), 16);
  void* pointer = g_real.calloc(count, bytes);
  RecordAllocation(CallKind::kCalloc, pointer, Product(count, bytes), 0);
  return pointer;
}

REHEAP_EXPORT void* realloc(void* pointer, size_t bytes) {
  if (REHEAP_UNLIKELY(g_unhooked.Owns(pointer))) return MoveFromUnhooked(pointer, bytes);
  if (REHEAP_UNLIKELY(!Ready())) return UnhookedAllocate(bytes, 16);
  return RecordResize(CallKind::kRealloc, pointer, bytes, [=] { return g_real.realloc(pointer, bytes); });
}

REHEAP_EXPORT void* reallocarray(void* pointer, size_t count, size_t bytes) {
  const uint64_t product = Product(count, bytes);
  if (REHEAP_UNLIKELY(g_unhooked.Owns(pointer))) return MoveFromUnhooked(pointer, product);
  if (REHEAP_UNLIKELY(!Ready())) return UnhookedAllocate(product, 16);
  // What glibc's own does (malloc/reallocarray.c), without its call of realloc coming back here as a second event.
  return RecordResize(CallKind::kReallocarray, pointer, product, [=]() -> void* {
    size_t whole;
    if (!__builtin_mul_overflow(count, bytes, &whole)) return g_real.realloc(pointer, whole);
    errno = ENOMEM;
    return nullptr;
  });
}

REHEAP_EXPORT int posix_memalign(void** out, size_t alignment, size_t bytes) {
  if (REHEAP_UNLIKELY(!Ready())) {
    *out = g_unhooked.Allocate(bytes, alignment);
    return *out == nullptr ? ENOMEM : 0;
  }
  const int error = g_real.posix_memalign(out, alignment, bytes);
  RecordAllocation(CallKind::kPosixMemalign, error == 0 ? *out : nullptr, bytes, alignment);
  return error;
}

REHEAP_EXPORT void* aligned_alloc(size_t alignment, size_t bytes) {
  return AlignedAllocation(CallKind::kAlignedAlloc, alignment, bytes, &RealFunctions::aligned_alloc);
}

REHEAP_EXPORT void* memalign(size_t alignment, size_t bytes) {
  return AlignedAllocation(CallKind::kMemalign, alignment, bytes, &RealFunctions::memalign);
}

REHEAP_EXPORT void* valloc(size_t bytes) { return PageAllocation(CallKind::kValloc, bytes, &RealFunctions::valloc); }

REHEAP_EXPORT void* pvalloc(size_t bytes) { return PageAllocation(CallKind::kPvalloc, bytes, &RealFunctions::pvalloc); }
