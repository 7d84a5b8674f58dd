// MemoryObjects: what mappings can have behind them besides private memory: files, and shared memory without a name
// (row 9, "modelled kernel").
//
// A shared object keeps its pages when one mapping of it goes, until the last one has gone. A file is taken to be in
// memory as a whole. Objects are numbered from 1 (MappingTraits::object); numbers are not used again.
//
// Ownership: its own. Threads: one. Limits: 2^32 - 1 objects.
#ifndef REHEAP_SIM_OS_MEMORY_OBJECTS_H_
#define REHEAP_SIM_OS_MEMORY_OBJECTS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "alloc/addr.h"
#include "alloc/check.h"
#include "sim/os/page_bits.h"

namespace reheap {

class MemoryObjects {
 public:
  explicit MemoryObjects(uint64_t os_page_bytes) : os_page_bytes_(os_page_bytes) {}

  // Shared memory of `bytes` (shmem_zero_setup, mm/shmem.c, linux 6.12: as large as the first mapping, for good).
  uint32_t AddShared(uint64_t bytes) { return Add({std::string(), bytes, false, PageBits(os_page_bytes_), PageBits(os_page_bytes_)}); }
  uint32_t AddFile(std::string name, uint64_t bytes) {
    return Add({std::move(name), bytes, true, PageBits(os_page_bytes_), PageBits(os_page_bytes_)});
  }
  bool IsFile(uint32_t object) const { return At(object).is_file; }
  uint64_t bytes(uint32_t object) const { return At(object).bytes; }
  const std::string& name(uint32_t object) const { return At(object).name; }

  // Whether there is a page at `offset`: beyond the end there is never one.
  bool Has(uint32_t object, uint64_t offset) const {
    const Object& o = At(object);
    return offset < RoundUp(o.bytes, os_page_bytes_) && (o.is_file || o.pages.Contains(Addr(offset)));
  }
  // Gives a shared object its page at `offset`. Preconditions: offset < bytes(object).
  void Fill(uint32_t object, uint64_t offset) {
    if (At(object).pages.Add(Addr(offset))) ++pages_;
  }
  // The page at `offset` is written: what was never written can be taken without swap.
  void NoteDirty(uint32_t object, uint64_t offset) {
    if (!At(object).is_file) At(object).dirty.Add(Addr(offset));
  }
  bool IsDirty(uint32_t object, uint64_t offset) const { return At(object).dirty.Contains(Addr(offset)); }
  // The pages of [offset, offset + bytes) go (MADV_REMOVE).
  void Punch(uint32_t object, uint64_t offset, uint64_t bytes) {
    pages_ -= At(object).pages.Clear({Addr(offset), bytes});
    At(object).dirty.Clear({Addr(offset), bytes});
  }
  // No mapping is left of it.
  void Release(uint32_t object) { Punch(object, 0, ~uint64_t{0} - os_page_bytes_ + 1); }

  // Pages of shared memory, mapped or not.
  uint64_t shared_pages() const { return pages_; }
  uint64_t Recount() const {
    uint64_t pages = 0;
    for (const Object& object : objects_) pages += object.pages.Recount();
    return pages;
  }

 private:
  struct Object {
    std::string name;
    uint64_t bytes;
    bool is_file;
    PageBits pages;  // of shared memory: those that were touched
    PageBits dirty;  // and written
  };
  uint32_t Add(Object object) {
    objects_.push_back(std::move(object));
    return static_cast<uint32_t>(objects_.size());
  }
  const Object& At(uint32_t object) const {
    REHEAP_CHECK(object != 0 && object <= objects_.size());
    return objects_[object - 1];
  }
  Object& At(uint32_t object) { return const_cast<Object&>(std::as_const(*this).At(object)); }

  const uint64_t os_page_bytes_;
  std::vector<Object> objects_;
  uint64_t pages_ = 0;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_MEMORY_OBJECTS_H_
