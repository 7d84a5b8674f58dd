// Threads that hand each other objects, and count every call themselves.
//
//   threads THREADS ROUNDS
//
// Each thread keeps a table of objects of its own and swaps some with a shared one, so that many objects are freed
// by another thread than the one that made them, and addresses wander. An object's first bytes
// hold its size: a wrong pairing in a trace would show as a wrong size at a sized delete.
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>
#include <thread>
#include <vector>

namespace {

constexpr int kShared = 64;
constexpr int kOwn = 256;
std::atomic<void*> g_shared[kShared];
std::atomic<uint64_t> g_news{0};
std::atomic<uint64_t> g_deletes{0};
std::atomic<uint64_t> g_reallocs{0};
std::atomic<uint64_t> g_mallocs{0};
std::atomic<uint64_t> g_frees{0};

struct Counts {
  uint64_t news = 0, deletes = 0, mallocs = 0, reallocs = 0, frees = 0;
};

struct Header {
  uint64_t size;
  uint64_t is_new;
};

void* Make(uint64_t random, Counts& counts) {
  const uint64_t size = sizeof(Header) + random % 700;
  const bool is_new = random >> 20 & 1;
  void* object = is_new ? ::operator new(size) : std::malloc(size);
  ++(is_new ? counts.news : counts.mallocs);
  const Header header = {size, is_new};
  std::memcpy(object, &header, sizeof(header));
  return object;
}

__attribute__((noinline)) void Drop(void* object, Counts& counts) {
  if (object == nullptr) return;
  Header header;
  std::memcpy(&header, object, sizeof(header));
  if (header.is_new) {
    ::operator delete(object, header.size);
    ++counts.deletes;
  } else {
    std::free(object);
    ++counts.frees;
  }
}

// Not inlined: gcc 12 would take the two kinds of objects for one.
__attribute__((noinline)) void* Grow(void* object, uint64_t random, Counts& counts) {
  Header header;
  std::memcpy(&header, object, sizeof(header));
  if (header.is_new) return object;
  header.size = sizeof(Header) + random % 3000;
  object = std::realloc(object, header.size);
  std::memcpy(object, &header, sizeof(header));
  ++counts.reallocs;
  return object;
}

void Work(int number, int rounds, std::atomic<int>& missing) {
  Counts counts;
  --missing;
  while (missing.load() > 0) std::this_thread::yield();  // all at once, or they would run one after another
  uint64_t random = 0x9e3779b97f4a7c15 * static_cast<uint64_t>(number + 1);
  void* own[kOwn] = {};
  for (int i = 0; i < rounds; ++i) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    void*& mine = own[random % kOwn];
    switch (random >> 40 & 3) {
      case 0:
        mine = g_shared[random >> 10 & (kShared - 1)].exchange(mine);
        break;
      case 1:
        if (mine != nullptr) mine = Grow(mine, random >> 24, counts);
        break;
      default:
        Drop(mine, counts);
        mine = Make(random >> 16, counts);
    }
  }
  for (void* object : own) Drop(object, counts);
  g_news += counts.news;
  g_deletes += counts.deletes;
  g_mallocs += counts.mallocs;
  g_reallocs += counts.reallocs;
  g_frees += counts.frees;
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 4;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 100000;
  {
    std::vector<std::thread> workers;
    std::atomic<int> missing = threads;
    for (int i = 0; i < threads; ++i) workers.emplace_back(Work, i, rounds, std::ref(missing));
    for (std::thread& worker : workers) worker.join();
  }
  Counts rest;
  for (auto& shared : g_shared) Drop(shared.exchange(nullptr), rest);
  g_news += rest.news;
  g_deletes += rest.deletes;
  g_frees += rest.frees;
  std::printf("sized_deletes %llu mallocs %llu reallocs %llu frees %llu news %llu\n",
              static_cast<unsigned long long>(g_deletes.load()), static_cast<unsigned long long>(g_mallocs.load()),
              static_cast<unsigned long long>(g_reallocs.load()), static_cast<unsigned long long>(g_frees.load()),
              static_cast<unsigned long long>(g_news.load()));
  return 7;
}
