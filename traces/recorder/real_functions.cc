#include "traces/recorder/real_functions.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <string.h>

namespace reheap::recorder {

RealFunctions g_real;
std::atomic<bool> g_resolved{false};
std::atomic<bool> g_resolving{false};

namespace {

template <typename Function>
void Resolve(Function*& slot, const char* name) {
  slot = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

const void* ObjectOf(const void* address) {
  Dl_info info;
  return address != nullptr && dladdr(address, &info) != 0 ? info.dli_fbase : nullptr;
}

int NoteAllocatorRange(dl_phdr_info* info, size_t, void*) {
  const uintptr_t malloc_address = reinterpret_cast<uintptr_t>(g_real.malloc);
  uintptr_t start = ~uintptr_t{0};
  uintptr_t end = 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD) continue;
    const uintptr_t segment = info->dlpi_addr + header.p_vaddr;
    if (segment < start) start = segment;
    if (segment + header.p_memsz > end) end = segment + header.p_memsz;
  }
  if (malloc_address < start || malloc_address >= end) return 0;
  g_real.allocator_start = start;
  g_real.allocator_end = end;
  return 1;
}

void ResolveAll() {
  Resolve(g_real.malloc, "malloc");
  Resolve(g_real.calloc, "calloc");
  Resolve(g_real.realloc, "realloc");
  Resolve(g_real.free, "free");
  Resolve(g_real.posix_memalign, "posix_memalign");
  Resolve(g_real.aligned_alloc, "aligned_alloc");
  Resolve(g_real.memalign, "memalign");
  Resolve(g_real.valloc, "valloc");
  Resolve(g_real.pvalloc, "pvalloc");
  Resolve(g_real.mmap, "mmap");
  Resolve(g_real.munmap, "munmap");
  Resolve(g_real.mprotect, "mprotect");
  Resolve(g_real.madvise, "madvise");
  Resolve(g_real.mremap, "mremap");
  Resolve(g_real.brk, "brk");
  Resolve(g_real.sbrk, "sbrk");
  // gnu_get_libc_version is libc's whoever owns malloc.
  const void* libc = ObjectOf(dlsym(RTLD_NEXT, "gnu_get_libc_version"));
  if (ObjectOf(reinterpret_cast<void*>(g_real.malloc)) != libc) dl_iterate_phdr(NoteAllocatorRange, nullptr);
}

// One name of each of the four families; a program that replaces any of them is found by it.
constexpr const char* kOperators[] = {"_Znwm", "_Znam", "_ZdlPv", "_ZdaPv",
                                      "_ZnwmSt11align_val_t", "_ZnamSt11align_val_t",
                                      "_ZdlPvSt11align_val_t", "_ZdaPvSt11align_val_t"};

CppOperators ClassifyOperators() {
  const void* mine = ObjectOf(reinterpret_cast<const void*>(&ClassifyOperators));
  bool all_absent = true;
  for (const char* name : kOperators) {
    if (ObjectOf(dlsym(RTLD_DEFAULT, name)) != mine) return CppOperators::kReplaced;
    if (dlsym(RTLD_NEXT, name) != nullptr) all_absent = false;
  }
  if (all_absent) return CppOperators::kStock;
  const void* next = ObjectOf(dlsym(RTLD_NEXT, "_Znwm"));
  if (next == ObjectOf(reinterpret_cast<void*>(g_real.malloc))) return CppOperators::kAllocators;
  for (const char* name : kOperators) {
    if (ObjectOf(dlsym(RTLD_NEXT, name)) != next) return CppOperators::kReplaced;
  }
  // libstdc++ alone exports this; the operators beside it are its own.
  return ObjectOf(dlsym(RTLD_NEXT, "_ZSt17__throw_bad_allocv")) == next ? CppOperators::kStock
                                                                        : CppOperators::kReplaced;
}

}  // namespace

__attribute__((noinline)) void ResolveRealFunctions() {
  const int saved_errno = errno;
  if (!g_resolved.load(std::memory_order_acquire) && !g_resolving.exchange(true)) {
    ResolveAll();
    g_resolved.store(true, std::memory_order_release);
    g_resolving.store(false);
  }
  errno = saved_errno;
}

CppOperators WhoseOperators() {
  static std::atomic<int> known{-1};
  int whose = known.load(std::memory_order_relaxed);
  if (__builtin_expect(whose < 0, 0)) {
    const int saved_errno = errno;
    whose = static_cast<int>(ClassifyOperators());
    known.store(whose, std::memory_order_relaxed);
    errno = saved_errno;
  }
  return static_cast<CppOperators>(whose);
}

void* FindNextGlobal(const char* name) { return dlsym(RTLD_NEXT, name); }

void* FindNext(const char* name, const void* caller) {
  if (void* found = FindNextGlobal(name)) return found;
  Dl_info info;
  if (dladdr(caller, &info) == 0 || info.dli_fname == nullptr) return nullptr;
  void* object = dlopen(info.dli_fname, RTLD_NOLOAD | RTLD_LAZY);
  if (object == nullptr) return nullptr;
  void* found = dlsym(object, name);
  // The object is the caller's own: it stays loaded without our reference.
  dlclose(object);
  return found;
}

}  // namespace reheap::recorder
