// Does with its address space what programs do beside malloc: maps, unmaps, protects, discards, moves, grows and
// fixes mappings, moves the break, starts threads, loads a library, maps a file; and allocates, also by mmap inside
// malloc. Every call of its own is counted and printed: "map 7 unmap 3 ...".
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vector>

namespace {

constexpr size_t kPage = 4096;
int g_maps = 0, g_unmaps = 0, g_protects = 0, g_advices = 0, g_remaps = 0, g_breaks = 0, g_threads = 0;

char* Map(size_t bytes, int protection, int flags, int fd = -1, void* at = nullptr) {
  ++g_maps;
  void* p = mmap(at, bytes, protection, flags, fd, 0);
  if (p == MAP_FAILED) exit(1);
  return static_cast<char*>(p);
}

void Unmap(void* p, size_t bytes) {
  ++g_unmaps;
  if (munmap(p, bytes) != 0) exit(2);
}

void Protect(void* p, size_t bytes, int protection) {
  ++g_protects;
  if (mprotect(p, bytes, protection) != 0) exit(3);
}

void* Thread(void*) {
  free(malloc(100));
  // A mapping of its own: a second allocator's arena, as cgo brings one along.
  char* arena = Map(1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
  arena[0] = 1;
  return nullptr;
}

// Another allocator: reserves, makes usable piece by piece, gives the end back.
void SecondAllocator() {
  char* arena = Map(64 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
  Protect(arena, 8 << 20, PROT_READ | PROT_WRITE);
  Map(4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, arena + (8 << 20));
  ++g_advices;
  if (madvise(arena, 1 << 20, MADV_DONTNEED) != 0) exit(4);
  Unmap(arena + (32 << 20), 32 << 20);
}

void Remaps() {
  char* p = Map(16 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
  for (size_t pages : {64, 8}) {
    ++g_remaps;
    void* moved = mremap(p, (pages == 64 ? 16 : 64) * kPage, pages * kPage, MREMAP_MAYMOVE);
    if (moved == MAP_FAILED) exit(5);
    p = static_cast<char*>(moved);
  }
  Unmap(p, 8 * kPage);
}

void Files() {
  const int fd = open("/proc/self/exe", O_RDONLY);
  char* p = Map(3 * kPage, PROT_READ, MAP_PRIVATE, fd);
  char* q = Map(2 * kPage, PROT_READ, MAP_SHARED, fd);
  close(fd);
  Protect(p, kPage, PROT_READ | PROT_WRITE);
  Unmap(q, 2 * kPage);
}

}  // namespace

int main() {
  std::vector<void*> objects;
  for (int i = 0; i < 2000; ++i) objects.push_back(malloc(static_cast<size_t>(i) * 3));
  void* large = malloc(3 << 20);  // malloc's own mmap, which is not the program's
  SecondAllocator();
  Remaps();
  Files();
  for (int i = 0; i < 3; ++i) {
    ++g_breaks;
    if (sbrk(5 * kPage) == reinterpret_cast<void*>(-1)) return 6;
    objects.push_back(malloc(200000 / 2));  // malloc moves the break, or goes around it
  }
  ++g_breaks;
  if (sbrk(-2 * static_cast<intptr_t>(kPage)) == reinterpret_cast<void*>(-1)) return 7;
  void* library = dlopen("libm.so.6", RTLD_NOW);  // the loader's mmap, which is not the program's
  if (library == nullptr) return 8;
  pthread_t threads[6];
  for (pthread_t& thread : threads) {
    ++g_threads;
    if (pthread_create(&thread, nullptr, Thread, nullptr) != 0) return 9;
  }
  for (pthread_t& thread : threads) pthread_join(thread, nullptr);
  free(large);
  for (void* object : objects) free(object);
  FILE* counts = fopen(getenv("MAPPER_COUNTS"), "w");
  if (counts == nullptr) return 10;
  fprintf(counts, "%d %d %d %d %d %d %d\n", g_maps, g_unmaps, g_protects, g_advices, g_remaps, g_breaks, g_threads);
  fclose(counts);
  return 0;
}
