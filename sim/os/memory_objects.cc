#include "sim/os/memory_objects.h"

#include "alloc/check.h"

namespace reheap {

MemoryObjects::Id MemoryObjects::Add(const Object& object) {
  if (free_.empty()) {
    objects_.push_back(object);
    return static_cast<Id>(objects_.size() - 1);
  }
  const Id id = free_.back();
  free_.pop_back();
  objects_[id] = object;
  return id;
}

// shmem_evict_inode gives the charge of a nameless object back when its last user goes (mm/shmem.c, linux
// 6.12).
void MemoryObjects::Unmapped(Id id) {
  Object& object = objects_[id];
  REHEAP_CHECK_GT(object.mappings, 0);
  if (--object.mappings > 0 || object.is_file) return;
  charged_bytes_ -= object.charged_bytes;
  object = Object();
  free_.push_back(id);
}

}  // namespace reheap
