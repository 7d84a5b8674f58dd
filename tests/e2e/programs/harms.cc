// harms NAME FILE...: what happens around a recorder rather than in it, one behaviour per name.
//
// FILE is made when the program is where the test wants it; the test's answer is another file or a signal.
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace {

void Touch(const std::string& path) { std::ofstream(path) << "here\n"; }

// Bounded, so that a failed test leaves nobody behind.
void WaitFor(const std::string& path) {
  for (int i = 0; i < 6000 && access(path.c_str(), F_OK) != 0; ++i) usleep(10'000);
}

void Churn(int rounds) {
  std::vector<void*> table(512);
  unsigned seed = 1;
  for (int i = 0; i < rounds; ++i) {
    seed = seed * 1103515245 + 12345;
    void*& slot = table[seed >> 16 & 511];
    free(slot);
    slot = malloc(seed >> 20 & 1023);
  }
  for (void* object : table) free(object);
}

volatile sig_atomic_t g_signal = 0;

// Ends with the number of the signal.
int AwaitSignal(const std::string& file) {
  for (const int number : {SIGINT, SIGTERM}) signal(number, [](int got) { g_signal = got; });
  Churn(1000);
  Touch(file + ".ready");
  for (int i = 0; i < 6000 && g_signal == 0; ++i) usleep(10'000);
  return g_signal;
}

// Its recorder's collector is killed; then two threads fill every pool there is.
int Orphan(const std::string& file) {
  Churn(1000);
  Touch(file + ".ready");
  WaitFor(file + ".go");
  std::thread other([] { Churn(3'000'000); });
  Churn(3'000'000);
  other.join();
  // Each of these would wait for the collector by itself.
  for (int i = 0; i < 50; ++i) std::thread([] { Churn(10'000); }).join();
  return 0;
}

int Daemon(const std::string& file) {
  Churn(1000);
  const pid_t root = getpid();
  if (fork() != 0) _exit(0);
  setsid();
  if (fork() != 0) _exit(0);
  // Until the recorder has taken the root's exit status.
  for (int i = 0; i < 6000 && kill(root, 0) == 0; ++i) usleep(10'000);
  Churn(1000);
  Touch(file + ".ready");
  WaitFor(file + ".go");
  Churn(100'000);
  Touch(file + ".end");
  return 0;
}

// 50 times 100 threads, which all live at the same time.
int ThreadWaves(const std::string&) {
  for (int wave = 0; wave < 50; ++wave) {
    std::vector<std::thread> threads;
    std::atomic<int> missing{100};
    for (int i = 0; i < 100; ++i) {
      threads.emplace_back([&] {
        Churn(50);
        --missing;
        while (missing > 0) usleep(100);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  return 0;
}

// Needs an allocator that may be interrupted by itself (libown_malloc.so).
int HandlerMallocs(const std::string&) {
  struct sigaction action = {};
  action.sa_handler = [](int) {
    free(malloc(77));
    g_signal = g_signal + 1;
  };
  sigaction(SIGALRM, &action, nullptr);
  const itimerval every = {{0, 50}, {0, 50}};
  setitimer(ITIMER_REAL, &every, nullptr);
  for (int i = 0; i < 1000 && g_signal < 5000; ++i) Churn(20'000);
  const itimerval never = {};
  setitimer(ITIMER_REAL, &never, nullptr);
  return g_signal > 100 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const struct {
    const char* name;
    int (*deed)(const std::string& file);
  } kHarms[] = {{"await-signal", AwaitSignal}, {"orphan", Orphan},       {"daemon", Daemon},
                {"thread-waves", ThreadWaves}, {"handler-mallocs", HandlerMallocs}};
  for (const auto& known : kHarms) {
    if (argc > 2 && std::strcmp(argv[1], known.name) == 0) return known.deed(argv[2]);
  }
  std::fprintf(stderr, "harms: no harm '%s', or no FILE\n", argc > 1 ? argv[1] : "");
  return 64;
}
