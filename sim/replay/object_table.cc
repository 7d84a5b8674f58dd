#include "sim/replay/object_table.h"

#include <sys/mman.h>

#include "alloc/check.h"

namespace reheap {

ObjectTable::ObjectTable(uint32_t slots)
    : slots_(slots), bytes_(RoundUp((slots + uint64_t{1}) * sizeof(Entry), 4096)) {
  void* p = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REHEAP_CHECK(p != MAP_FAILED);
  entries_ = static_cast<Entry*>(p);
  for (uint64_t offset = 0; offset < bytes_; offset += 4096) static_cast<volatile char*>(p)[offset] = 0;
}

ObjectTable::~ObjectTable() { munmap(entries_, bytes_); }

}  // namespace reheap
