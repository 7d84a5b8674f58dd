#include "sim/replay/child_baseline.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "alloc/check.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // Linux 5.14
#endif

namespace reheap {
namespace {

// More than the replay loop and the kernel's signal frames need.
constexpr size_t kStackBytes = 256 * kKiB;

// Grows the stack so that its mapping does not grow later.
__attribute__((noinline)) void GrowStack() {
  volatile char deep[kStackBytes];
  for (size_t i = 0; i < kStackBytes; i += 4096) deep[i] = 1;
  asm volatile("" : : "r"(deep) : "memory");  // the array is used, as far as the compiler can know
}

size_t ReadWholeFile(const char* path, char* buffer, size_t capacity) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  REHEAP_CHECK(fd >= 0);
  size_t size = 0;
  for (;;) {
    const ssize_t n = read(fd, buffer + size, capacity - size);
    if (n <= 0) break;
    size += static_cast<size_t>(n);
  }
  close(fd);
  return size;
}

// Makes each page of [start, end) ours and resident without changing it.
void MakeResident(uint64_t start, uint64_t end) {
  if (madvise(reinterpret_cast<void*>(start), end - start, MADV_POPULATE_WRITE) == 0) return;
  for (uint64_t p = start; p < end; p += 4096) {
    volatile char* byte = reinterpret_cast<volatile char*>(p);
    *byte = *byte;
  }
}

// Each writable private mapping of maps text (lines "start-end rw.p ...").
void MakeWritablePagesResident(const char* maps, size_t size) {
  const char* line = maps;
  const char* const text_end = maps + size;
  while (line < text_end) {
    const char* newline = static_cast<const char*>(memchr(line, '\n', static_cast<size_t>(text_end - line)));
    unsigned long start = 0, end = 0;
    char permissions[5] = "";
    if (sscanf(line, "%lx-%lx %4s", &start, &end, permissions) == 3 && permissions[1] == 'w' && permissions[3] == 'p') {
      MakeResident(start, end);
    }
    if (newline == nullptr) break;
    line = newline + 1;
  }
}

uint64_t DataBytes() {
  char text[4096];
  const size_t size = ReadWholeFile("/proc/self/status", text, sizeof(text) - 1);
  text[size] = '\0';
  const char* field = strstr(text, "VmData:");
  return field == nullptr ? 0 : strtoull(field + strlen("VmData:"), nullptr, 10) * kKiB;
}

}  // namespace

void TakeMapsText(ChildBaseline* baseline) {
  baseline->maps_size = ReadWholeFile("/proc/self/maps", baseline->maps, ChildBaseline::kMapsCapacity);
}

void TakeChildBaseline(Os* os, ChildBaseline* baseline) {
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  GrowStack();
  // Twice: reading the list may itself touch new pages, and the list is kept as it is at the end.
  for (int round = 0; round < 2; ++round) {
    TakeMapsText(baseline);
    MakeWritablePagesResident(baseline->maps, baseline->maps_size);
  }
  baseline->data_bytes = DataBytes();
  baseline->usage = os->Usage();
}

}  // namespace reheap
