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

// Makes each page of [start, end) ours and resident without changing it.
void MakeResident(uint64_t start, uint64_t end) {
  if (madvise(reinterpret_cast<void*>(start), end - start, MADV_POPULATE_WRITE) == 0) return;
  for (uint64_t p = start; p < end; p += 4096) {
    volatile char* byte = reinterpret_cast<volatile char*>(p);
    *byte = *byte;
  }
}

// Room for some 2,500 lines of /proc/self/maps; in BSS, so that reading them allocates nothing.
char maps_text[256 * kKiB];

// Calls visit(start, end, permissions) for each mapping of this process; [vsyscall] is not one.
template <class Visit>
void ForEachOwnMapping(Visit visit) {
  const size_t size = ReadWholeFile("/proc/self/maps", maps_text, sizeof(maps_text) - 1);
  REHEAP_CHECK_LT(size, sizeof(maps_text) - 1);
  maps_text[size] = '\0';
  for (const char* line = maps_text; *line != '\0';) {
    const char* const newline = strchr(line, '\n');
    if (newline == nullptr) break;
    unsigned long start = 0, end = 0;
    char permissions[5] = "";
    const bool is_mapping = sscanf(line, "%lx-%lx %4s", &start, &end, permissions) == 3;
    if (is_mapping && start >> 63 == 0) visit(start, end, permissions);
    line = newline + 1;
  }
}

void MakeWritablePagesResident() {
  ForEachOwnMapping([](uint64_t start, uint64_t end, const char* permissions) {
    if (permissions[1] == 'w' && permissions[3] == 'p') MakeResident(start, end);
  });
}

uint64_t DataBytes() {
  char text[4096];
  const size_t size = ReadWholeFile("/proc/self/status", text, sizeof(text) - 1);
  text[size] = '\0';
  const char* field = strstr(text, "VmData:");
  return field == nullptr ? 0 : strtoull(field + strlen("VmData:"), nullptr, 10) * kKiB;
}

}  // namespace

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

uint64_t CountOwnMappings() {
  uint64_t count = 0;
  ForEachOwnMapping([&count](uint64_t, uint64_t, const char*) { ++count; });
  return count;
}

void TakeChildBaseline(Os* os, ChildBaseline* baseline) {
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  GrowStack();
  // Twice: reading the list may itself write pages for the first time.
  for (int round = 0; round < 2; ++round) MakeWritablePagesResident();
  baseline->data_bytes = DataBytes();
  baseline->mapping_count = CountOwnMappings();
  baseline->usage = os->Usage();
}

}  // namespace reheap
