// ObjectPages: which pages of shared memory are there, mapped or not (row 9, "modelled kernel").
//
// Shared memory keeps its pages when one mapping of it goes, until the last one has gone (memory_objects.h counts
// those). Files are in memory as a whole and have no entry here.
//
// Ownership: its own bits. Threads: one.
#ifndef REHEAP_SIM_OS_OBJECT_PAGES_H_
#define REHEAP_SIM_OS_OBJECT_PAGES_H_

#include <cstdint>
#include <map>

#include "alloc/addr.h"
#include "sim/os/memory_objects.h"
#include "sim/os/page_bits.h"

namespace reheap {

class ObjectPages {
 public:
  explicit ObjectPages(uint64_t os_page_bytes) : os_page_bytes_(os_page_bytes) {}

  bool Has(MemoryObjects::Id object, uint64_t offset) const {
    const auto found = pages_.find(object);
    return found != pages_.end() && found->second.present.Contains(Addr(offset));
  }
  void Fill(MemoryObjects::Id object, uint64_t offset) {
    if (PagesOf(object).present.Add(Addr(offset))) ++count_;
  }
  // The page at `offset` is written: what was never written can be taken without swap.
  void NoteDirty(MemoryObjects::Id object, uint64_t offset) { PagesOf(object).dirty.Add(Addr(offset)); }
  bool IsDirty(MemoryObjects::Id object, uint64_t offset) const {
    const auto found = pages_.find(object);
    return found != pages_.end() && found->second.dirty.Contains(Addr(offset));
  }
  // The pages of [offset, offset + bytes) go.
  void Punch(MemoryObjects::Id object, uint64_t offset, uint64_t bytes) {
    const auto found = pages_.find(object);
    if (found == pages_.end()) return;
    count_ -= found->second.present.Clear({Addr(offset), bytes});
    found->second.dirty.Clear({Addr(offset), bytes});
  }
  // No mapping is left of it.
  void Release(MemoryObjects::Id object) {
    const auto found = pages_.find(object);
    if (found == pages_.end()) return;
    count_ -= found->second.present.count();
    pages_.erase(found);
  }

  uint64_t CountOf(MemoryObjects::Id object) const {
    const auto found = pages_.find(object);
    return found == pages_.end() ? 0 : found->second.present.count();
  }
  // OS pages of all objects.
  uint64_t count() const { return count_; }
  uint64_t Recount() const {
    uint64_t count = 0;
    for (const auto& [object, pages] : pages_) count += pages.present.Recount();
    return count;
  }

 private:
  struct Pages {
    explicit Pages(uint64_t os_page_bytes) : present(os_page_bytes), dirty(os_page_bytes) {}
    PageBits present;
    PageBits dirty;
  };
  Pages& PagesOf(MemoryObjects::Id object) { return pages_.try_emplace(object, os_page_bytes_).first->second; }

  const uint64_t os_page_bytes_;
  std::map<MemoryObjects::Id, Pages> pages_;  // of those with any
  uint64_t count_ = 0;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_OBJECT_PAGES_H_
