// deeds NAME: one kind of behaviour that recorders stumble over, per name. Exit status 0 unless said otherwise.
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

extern char** environ;

namespace {

void Churn(int rounds, unsigned seed) {
  std::vector<void*> table(512);
  for (int i = 0; i < rounds; ++i) {
    seed = seed * 1103515245 + 12345;
    void*& slot = table[seed >> 16 & 511];
    free(slot);
    slot = malloc(seed >> 20 & 1023);
  }
  for (void* object : table) free(object);
}

// Every C function, with the arguments that are easy to get wrong. errno must come through.
int Forms() {
  free(nullptr);
  void* a = realloc(nullptr, 10);
  a = realloc(a, 5000);
  if (realloc(a, 0) != nullptr) return 1;
  a = malloc(0);
  free(a);
  errno = 0;
  if (malloc(~size_t{0} / 2) != nullptr || errno != ENOMEM) return 2;
  errno = 0;
  volatile size_t many = ~size_t{0} / 8;
  if (calloc(many, 64) != nullptr || errno != ENOMEM) return 3;
  a = calloc(7, 9);
  a = reallocarray(a, 100, 10);
  errno = 0;
  if (reallocarray(a, many, 64) != nullptr || errno != ENOMEM) return 4;
  free(a);
  if (posix_memalign(&a, 256, 100) != 0) return 5;
  free(a);
  volatile size_t odd = 24;
  if (posix_memalign(&a, odd, 100) != EINVAL) return 6;
  a = aligned_alloc(64, 128);
  free(a);
  a = memalign(odd, 10);
  free(a);
  free(valloc(100));
  free(pvalloc(100));
  errno = 77;
  a = malloc(100);
  if (malloc_usable_size(a) < 100) return 7;
  free(a);
  return errno == 77 ? 0 : 8;
}

pthread_key_t g_late_key;
thread_local struct LateFree {
  void* object = nullptr;
  ~LateFree() { free(object); }
} t_late;

int LateCalls() {
  pthread_key_create(&g_late_key, [](void* object) {
    free(object);
    // Once more from the next round of destructors.
    static std::atomic<int> rounds{0};
    if (rounds++ % 3 != 2) pthread_setspecific(g_late_key, malloc(33));
  });
  for (int i = 0; i < 200; ++i) {
    std::thread([] {
      t_late.object = malloc(11);
      pthread_setspecific(g_late_key, malloc(22));
    }).join();
  }
  static void* at_exit = malloc(44);
  atexit([] { free(at_exit); free(malloc(55)); });
  return 0;
}

int Forks() {
  std::vector<void*> before;
  for (int i = 0; i < 1000; ++i) before.push_back(malloc(100 + i));
  for (int i = 0; i < 5; ++i) {
    const pid_t pid = fork();
    if (pid == 0) {
      for (void* object : before) free(object);
      before.clear();
      Churn(1000, 5);
      if (fork() == 0) {
        Churn(100, 6);
        execl("/bin/sh", "sh", "-c", "exit 3", nullptr);
        _exit(9);
      }
      int status = 0;
      wait(&status);
      _exit(WEXITSTATUS(status));
    }
    free(before[static_cast<size_t>(i)]);
    before[static_cast<size_t>(i)] = malloc(7);
    int status = 0;
    waitpid(pid, &status, 0);
    if (WEXITSTATUS(status) != 3) return 1;
  }
  for (void* object : before) free(object);
  return 0;
}

// Other threads allocate while one forks; the child must not hang.
int ThreadedForks() {
  std::atomic<bool> stop{false};
  std::thread busy([&] { while (!stop) Churn(1000, 1); });
  for (int i = 0; i < 200; ++i) {
    const pid_t pid = fork();
    if (pid == 0) {
      free(malloc(100));
      _exit(0);
    }
    waitpid(pid, nullptr, 0);
  }
  stop = true;
  busy.join();
  return 0;
}

int VforkAndSpawn() {
  for (int i = 0; i < 20; ++i) {
    void* object = malloc(50);
    const pid_t pid = vfork();
    if (pid == 0) {
      execl("/bin/true", "true", nullptr);
      _exit(9);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    free(object);
    if (status != 0) return 1;
    pid_t spawned;
    char name[] = "true";
    char* arguments[] = {name, nullptr};
    if (posix_spawn(&spawned, "/bin/true", nullptr, nullptr, arguments, environ) != 0) return 2;
    waitpid(spawned, &status, 0);
    if (status != 0) return 3;
  }
  return 0;
}

// A fork that no library sees.
int RawFork() {
  void* object = malloc(123);
  const long pid = syscall(SYS_fork);
  if (pid == 0) {
    free(malloc(1));
    _exit(0);
  }
  free(object);
  int status = 0;
  waitpid(static_cast<pid_t>(pid), &status, 0);
  Churn(1000, 9);
  return status;
}

std::atomic<int> g_signals{0};

int SignalStorm() {
  struct sigaction action = {};
  action.sa_handler = [](int) { ++g_signals; };
  action.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &action, nullptr);
  const itimerval every = {{0, 200}, {0, 200}};
  setitimer(ITIMER_REAL, &every, nullptr);
  Churn(2000000, 3);
  const itimerval never = {};
  setitimer(ITIMER_REAL, &never, nullptr);
  return g_signals > 10 ? 0 : 1;
}

int Killed() {
  Churn(300000, 4);
  kill(getpid(), SIGKILL);
  return 1;
}

int Reallocs() {
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      void* object = nullptr;
      unsigned seed = t;
      for (int i = 0; i < 200000; ++i) {
        seed = seed * 1103515245 + 12345;
        object = realloc(object, 1 + (seed >> 16) % 20000);
      }
      free(object);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return 0;
}

int Mappings() {
  void* a = mmap(nullptr, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(a, 1 << 20, PROT_READ | PROT_WRITE);
  madvise(a, 1 << 20, MADV_DONTNEED);
  a = mremap(a, 1 << 20, 2 << 20, MREMAP_MAYMOVE);
  munmap(a, 2 << 20);
  if (sbrk(4096) == reinterpret_cast<void*>(-1)) return 1;
  return munmap(a, 0) == -1 && errno == EINVAL ? 0 : 2;
}

// What a daemon's start does to descriptors must not matter.
int ClosesEverything() {
  for (int fd = 3; fd < 1024; ++fd) close(fd);
  Churn(200000, 8);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const struct {
    const char* name;
    int (*deed)();
  } kDeeds[] = {{"forms", Forms},         {"late", LateCalls},        {"forks", Forks},
                {"threaded-forks", ThreadedForks}, {"vfork", VforkAndSpawn}, {"raw-fork", RawFork},
                {"signals", SignalStorm}, {"killed", Killed},         {"reallocs", Reallocs},
                {"mappings", Mappings},   {"closes", ClosesEverything}};
  for (const auto& known : kDeeds) {
    if (argc > 1 && std::strcmp(argv[1], known.name) == 0) return known.deed();
  }
  std::fprintf(stderr, "deeds: no deed '%s'\n", argc > 1 ? argv[1] : "");
  return 64;
}
