// libown_malloc.so: an allocator that a user preloads: malloc, free and the C++ operators of its own.
//
// Counts calls in the MAP_SHARED file OWN_MALLOC_COUNTS: bytes 0-7 allocations, 8-15 frees, whoever made them. Blocks
// are never used again and every call may be interrupted by another one (signal handlers): one atomic cursor.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <new>

namespace {

constexpr uint64_t kArenaBytes = uint64_t{64} << 30;  // reserved; touched as it is used
constexpr uint64_t kHeaderBytes = 16;

std::atomic<uint8_t*> g_arena{nullptr};
std::atomic<uint64_t> g_used{0};
std::atomic<uint64_t> g_before_the_file[2];
std::atomic<uint64_t>* g_counts = g_before_the_file;

__attribute__((constructor(101))) void OpenCounts() {
  const char* path = getenv("OWN_MALLOC_COUNTS");
  const int fd = path == nullptr ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || ftruncate(fd, 4096) != 0) return;
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (page == MAP_FAILED) return;
  auto* counts = static_cast<std::atomic<uint64_t>*>(page);
  for (int i = 0; i < 2; ++i) counts[i] += g_before_the_file[i].load();
  g_counts = counts;
}

uint8_t* Arena() {
  uint8_t* arena = g_arena.load();
  if (arena != nullptr) return arena;
  void* made = mmap(nullptr, kArenaBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (made == MAP_FAILED) abort();
  if (g_arena.compare_exchange_strong(arena, static_cast<uint8_t*>(made))) return static_cast<uint8_t*>(made);
  munmap(made, kArenaBytes);
  return arena;
}

void* Take(uint64_t bytes, uint64_t alignment) {
  ++g_counts[0];
  if (bytes > kArenaBytes) {
    errno = ENOMEM;
    return nullptr;
  }
  const uint64_t need = (bytes + alignment + kHeaderBytes + 15) / 16 * 16;
  const uint64_t offset = g_used.fetch_add(need);
  if (offset + need > kArenaBytes) abort();
  const uintptr_t start = reinterpret_cast<uintptr_t>(Arena()) + offset + kHeaderBytes;
  auto* block = reinterpret_cast<uint8_t*>((start + alignment - 1) / alignment * alignment);
  memcpy(block - kHeaderBytes, &bytes, sizeof(bytes));
  return block;
}

void GiveBack(void*) { ++g_counts[1]; }

}  // namespace

extern "C" {
void* malloc(size_t bytes) noexcept { return Take(bytes, 16); }
void free(void* block) noexcept { GiveBack(block); }
void* calloc(size_t count, size_t bytes) noexcept { return Take(count * bytes, 16); }  // pages of mmap are zero
void* memalign(size_t alignment, size_t bytes) noexcept { return Take(bytes, alignment); }
void* aligned_alloc(size_t alignment, size_t bytes) noexcept { return Take(bytes, alignment); }
int posix_memalign(void** out, size_t alignment, size_t bytes) noexcept {
  *out = Take(bytes, alignment);
  return 0;
}
void* realloc(void* old_block, size_t bytes) noexcept {
  void* block = Take(bytes, 16);
  if (old_block == nullptr) return block;
  uint64_t old_bytes = 0;
  memcpy(&old_bytes, static_cast<uint8_t*>(old_block) - kHeaderBytes, sizeof(old_bytes));
  return memcpy(block, old_block, old_bytes < bytes ? old_bytes : bytes);
}
}

void* operator new(size_t bytes) { return Take(bytes, 16); }
void* operator new[](size_t bytes) { return Take(bytes, 16); }
void operator delete(void* block) noexcept { GiveBack(block); }
void operator delete[](void* block) noexcept { GiveBack(block); }
void operator delete(void* block, size_t) noexcept { GiveBack(block); }
void operator delete[](void* block, size_t) noexcept { GiveBack(block); }
