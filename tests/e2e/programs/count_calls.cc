// libcount_calls.so: an independent count of allocator calls, for comparing traces with.
//
// Preloaded in front of the recorder; it adds one per call, by function, in a MAP_SHARED file COUNT_DIR/PID.N of
// its own, and forwards. It shares no code with the recorder. Counts survive SIGKILL; a forked child adds to its
// parent's file, so only the sum over all files means something.
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>

namespace {

enum Call { kMalloc, kCalloc, kRealloc, kReallocarray, kFree, kPosixMemalign, kAlignedAlloc, kMemalign, kCalls };

std::atomic<uint64_t> g_before_the_file[kCalls];
std::atomic<uint64_t>* g_counts = g_before_the_file;

void Open() {
  const char* directory = getenv("COUNT_DIR");
  if (directory == nullptr) return;
  int fd = -1;
  for (int image = 0; fd < 0 && image < 1000; ++image) {
    char path[512];
    snprintf(path, sizeof(path), "%s/%d.%d", directory, getpid(), image);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  }
  if (fd < 0 || ftruncate(fd, 4096) != 0) return;
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (page == MAP_FAILED) return;
  auto* counts = static_cast<std::atomic<uint64_t>*>(page);
  for (int i = 0; i < kCalls; ++i) counts[i] += g_before_the_file[i].load();
  g_counts = counts;
}

// Second to run of all constructors is early enough: what came before is added.
__attribute__((constructor(101))) void OpenEarly() { Open(); }

template <typename Function>
Function Next(std::atomic<Function>& slot, const char* name) {
  Function next = slot.load(std::memory_order_relaxed);
  if (next == nullptr) {
    next = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
    slot.store(next, std::memory_order_relaxed);
  }
  return next;
}

}  // namespace

#define FORWARD(call, name, result, parameters, arguments)       \
  extern "C" result name parameters noexcept {                   \
    static std::atomic<result(*) parameters> next{nullptr};      \
    g_counts[call].fetch_add(1, std::memory_order_relaxed);      \
    return Next(next, #name) arguments;                          \
  }

FORWARD(kMalloc, malloc, void*, (size_t bytes), (bytes))
FORWARD(kCalloc, calloc, void*, (size_t count, size_t bytes), (count, bytes))
FORWARD(kRealloc, realloc, void*, (void* pointer, size_t bytes), (pointer, bytes))
FORWARD(kReallocarray, reallocarray, void*, (void* pointer, size_t count, size_t bytes), (pointer, count, bytes))
FORWARD(kFree, free, void, (void* pointer), (pointer))
FORWARD(kPosixMemalign, posix_memalign, int, (void** out, size_t alignment, size_t bytes), (out, alignment, bytes))
FORWARD(kAlignedAlloc, aligned_alloc, void*, (size_t alignment, size_t bytes), (alignment, bytes))
FORWARD(kMemalign, memalign, void*, (size_t alignment, size_t bytes), (alignment, bytes))
