// The line shell's contract on the running kernel: reads the lines that `reheap os` reads, carries each out by
// the system call itself, answers as `reheap os` answers. Knows nothing of the model.
//
// It must not move its own layout: static, nothing allocated, every buffer and path used once before the
// first answer. The mapping [vsyscall], which belongs to no process, is left out.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

constexpr int kForbidden = 1001, kNothingBehind = 1003;
constexpr int kMostArguments = 6;

char input[1 << 16], text[1 << 20], output[1 << 21];
size_t input_size, output_size;

sigjmp_buf fault;
void OnFault(int signal) { siglongjmp(fault, signal); }

struct Line {
  char* word[kMostArguments + 1];
  int words;

  uint64_t Number(int i) const {
    if (i >= words) return 0;
    return word[i][0] == '-' ? static_cast<uint64_t>(strtoll(word[i], nullptr, 10))
                             : strtoull(word[i], nullptr, word[i][1] == 'x' ? 16 : 10);
  }
  bool Is(const char* name) const { return strcmp(word[0], name) == 0; }
};

struct Result {
  uint64_t value;
  int error;
};

Result Made(long value) { return {static_cast<uint64_t>(value), value == -1 ? errno : 0}; }

void Put(const char* format, auto... values) {
  output_size += static_cast<size_t>(
      snprintf(output + output_size, sizeof(output) - output_size, format, values...));
}

// The whole of a file of /proc in `text`.
void ReadText(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  size_t size = 0;
  for (ssize_t n = 1; n > 0 && size < sizeof(text) - 1; size += static_cast<size_t>(n > 0 ? n : 0)) {
    n = read(fd, text + size, sizeof(text) - 1 - size);
  }
  close(fd);
  text[size] = 0;
}

void AccessAll(const Line& line) {
  const uint64_t first = line.Number(1), count = line.Number(2), stride = line.Number(3);
  for (uint64_t i = 0; i < count; ++i) {
    volatile char* const p = reinterpret_cast<volatile char*>(first + i * stride);
    if (line.word[4][0] == 'w') {
      *p = 1;
    } else {
      (void)*p;
    }
  }
}

Result Touch(const Line& line) {
  if (const int signal = sigsetjmp(fault, 1); signal != 0) {
    return {~uint64_t{0}, signal == SIGBUS ? kNothingBehind : kForbidden};
  }
  AccessAll(line);
  return {0, 0};
}

Result SetLimit(const Line& line) {
  const int resource = line.word[1][0] == 'a' ? RLIMIT_AS : line.word[1][0] == 'd' ? RLIMIT_DATA : RLIMIT_STACK;
  struct rlimit limit;
  getrlimit(resource, &limit);
  limit.rlim_cur = line.Number(2) == ~uint64_t{0} ? limit.rlim_max : line.Number(2);
  return Made(setrlimit(resource, &limit));
}

Result Carry(const Line& line) {
  const uint64_t a = line.Number(1), b = line.Number(2), c = line.Number(3), d = line.Number(4);
  if (line.Is("mmap")) return Made(syscall(SYS_mmap, a, b, c, d, -1, 0));
  if (line.Is("munmap")) return Made(syscall(SYS_munmap, a, b));
  if (line.Is("mprotect")) return Made(syscall(SYS_mprotect, a, b, c));
  if (line.Is("madvise")) return Made(syscall(SYS_madvise, a, b, c));
  if (line.Is("mremap")) return Made(syscall(SYS_mremap, a, b, c, d, line.Number(5)));
  if (line.Is("mlock")) return Made(syscall(SYS_mlock, a, b));
  if (line.Is("munlock")) return Made(syscall(SYS_munlock, a, b));
  if (line.Is("brk")) return {static_cast<uint64_t>(syscall(SYS_brk, a)), 0};
  if (line.Is("touch")) return Touch(line);
  if (line.Is("rlimit")) return SetLimit(line);
  _exit(2);
}

void PutSizes() {
  ReadText("/proc/self/statm");
  unsigned long long size = 0, resident = 0, shared = 0, code = 0, library = 0, data = 0;
  sscanf(text, "%llu %llu %llu %llu %llu %llu", &size, &resident, &shared, &code, &library, &data);
  Put(" ; S %llu %llu %llu", size, resident - shared, data);
}

// The name of a line of maps, as the contract writes it.
void PutName(const char* name) {
  if (*name != 0) output[output_size++] = ' ';
  for (; *name != 0; ++name) {
    if (*name == ' ' || *name == ',' || *name == '\\') {
      Put("\\%03o", static_cast<unsigned>(*name));
    } else {
      output[output_size++] = *name;
    }
  }
}

void PutLayout() {
  ReadText("/proc/self/maps");
  Put(" ; M");
  char separator = ' ';
  for (char* line = text; *line != 0;) {
    char* const end = strchr(line, '\n');
    *end = 0;
    unsigned long long from = 0, to = 0;
    char perms[5] = "";
    int name = 0;
    sscanf(line, "%llx-%llx %4s %*s %*s %*s %n", &from, &to, perms, &name);
    if (from < uint64_t{1} << 63) {
      Put("%c%llx-%llx %s", separator, from, to, perms);
      PutName(line + name);
      separator = ',';
    }
    line = end + 1;
  }
}

void Answer(char* at) {
  Line line = {};
  for (char* word = strtok(at, " "); word != nullptr && line.words <= kMostArguments; word = strtok(nullptr, " ")) {
    line.word[line.words++] = word;
  }
  if (line.Is("quit")) _exit(0);
  const Result result = Carry(line);
  output_size = 0;
  Put("R %llx %d", static_cast<unsigned long long>(result.value), result.error);
  PutSizes();
  PutLayout();
  Put("\n");
}

// The page of stack and code that each answer needs is there before the first comparison.
void WalkOnce() {
  static char lines[][80] = {"mmap 0x10000000 0x2000 3 0x32",     "touch 0x10000000 2 0x1000 w",
                             "touch 0x10000000 1 0 r",            "mprotect 0x10000000 0x1000 0",
                             "touch 0x10000000 1 0 w",            "madvise 0x10000000 0x2000 4",
                             "mremap 0x10001000 0x1000 0x1000 0 0", "mlock 0x10001000 0",
                             "munlock 0x10001000 0",              "munmap 0x10000000 0x2000",
                             "brk 0",                             "rlimit as -1",
                             "rlimit data -1",                    "rlimit stack 0x800000"};
  for (char* line : lines) Answer(line);
}

// The lines that have arrived, answered one by one; what is left over is kept.
void Serve() {
  for (;;) {
    const ssize_t got = read(0, input + input_size, sizeof(input) - input_size);
    if (got <= 0) return;
    input_size += static_cast<size_t>(got);
    char* line = input;
    while (char* const end = static_cast<char*>(memchr(line, '\n', static_cast<size_t>(input + input_size - line)))) {
      *end = 0;
      Answer(line);
      if (write(1, output, output_size) != static_cast<ssize_t>(output_size)) return;
      line = end + 1;
    }
    input_size = static_cast<size_t>(input + input_size - line);
    memmove(input, line, input_size);
  }
}

}  // namespace

int main() {
  // Huge pages would make one written byte 512 resident pages.
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_handler = OnFault;
  sigaction(SIGSEGV, &action, nullptr);
  sigaction(SIGBUS, &action, nullptr);
  memset(input, 1, sizeof(input));
  memset(text, 1, sizeof(text));
  memset(output, 1, sizeof(output));
  WalkOnce();
  // The other end reads the layout now: that it is as it stays.
  if (write(1, "\n", 1) != 1) return 2;
  Serve();
  return 0;
}
