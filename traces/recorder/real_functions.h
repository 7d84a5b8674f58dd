// The functions that the recorder stands in front of, and how C++ operators reach them (row 1 of the walk).
//
// Found with dlsym(RTLD_NEXT) at the first call, whoever makes it: glibc's, or those of another preloaded or linked
// allocator. Ownership: none. Threads: resolving is idempotent; the first call happens before main has threads.
#ifndef REHEAP_TRACES_RECORDER_REAL_FUNCTIONS_H_
#define REHEAP_TRACES_RECORDER_REAL_FUNCTIONS_H_

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <atomic>

namespace reheap::recorder {

// Whose operator new and delete the hooks stand in front of.
enum class CppOperators {
  // libstdc++'s own, none replaced by the program: they are malloc plus a handler loop, which the hook does
  // itself, so that nothing nests. Also programs that load libstdc++ later, privately (RTLD_LOCAL).
  kStock,
  // The allocator's own (tcmalloc, jemalloc): they do not come back through malloc. Forwarded and recorded.
  kAllocators,
  // The program replaced some: forwarded only, and what they ask of malloc is recorded as malloc.
  kReplaced,
};

struct RealFunctions {
  void* (*malloc)(size_t);
  void* (*calloc)(size_t, size_t);
  void* (*realloc)(void*, size_t);
  void (*free)(void*);
  int (*posix_memalign)(void**, size_t, size_t);
  void* (*aligned_alloc)(size_t, size_t);
  void* (*memalign)(size_t, size_t);
  void* (*valloc)(size_t);
  void* (*pvalloc)(size_t);

  void* (*mmap)(void*, size_t, int, int, int, off_t);
  int (*munmap)(void*, size_t);
  int (*mprotect)(void*, size_t, int);
  int (*madvise)(void*, size_t, int);
  void* (*mremap)(void*, size_t, size_t, int, ...);
  int (*brk)(void*);
  void* (*sbrk)(intptr_t);

  // The object that holds `malloc`, when it is not libc: its own mmap calls are not the program's.
  uintptr_t allocator_start;
  uintptr_t allocator_end;
};

#pragma GCC visibility push(hidden)  // see lane.h
extern RealFunctions g_real;
extern std::atomic<bool> g_resolved;
extern std::atomic<bool> g_resolving;
#pragma GCC visibility pop

// After this returns g_real is complete, or (on the thread that is resolving, from inside dlsym) g_resolving is set.
void ResolveRealFunctions();

CppOperators WhoseOperators();

// The next definition of a mangled name behind the recorder; if there is none in the global scope, the one that the
// object around `caller` sees (a plugin with its own libstdc++). Null: nobody has it.
void* FindNext(const char* name, const void* caller);
void* FindNextGlobal(const char* name);  // the first half of it

}  // namespace reheap::recorder

#endif  // REHEAP_TRACES_RECORDER_REAL_FUNCTIONS_H_
