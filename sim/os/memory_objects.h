// MemoryObjects: what mappings can show besides private anonymous memory: files, and the nameless objects of
// shared anonymous mappings (row 9, "modelled kernel").
//
// A mapping names its object by number; pieces of one object may lie anywhere, several times. A nameless object
// is charged whole when it is made and goes, with its charge, when the last mapping of it goes; a file stays
// as long as the process has its descriptor. Beyond the object's end a mapping may reach but not be touched.
//
// Ownership: the objects. Threads: one. Limits: files do not change their size. Cost: O(1) each.
#ifndef REHEAP_SIM_OS_MEMORY_OBJECTS_H_
#define REHEAP_SIM_OS_MEMORY_OBJECTS_H_

#include <cstdint>
#include <vector>

namespace reheap {

class MemoryObjects {
 public:
  // 0 = none.
  using Id = uint32_t;
  static constexpr Id kNone = 0;

  struct Object {
    uint64_t bytes = 0;
    uint64_t charged_bytes = 0;  // counted as committed as long as the object lives
    uint64_t mappings = 0;
    bool is_file = false;
    uint32_t name = 0;  // files: AddressSpace::NameOf
  };

  Id AddFile(uint32_t name, uint64_t bytes) { return Add({bytes, 0, 0, true, name}); }
  Id AddShared(uint64_t bytes, uint64_t charged_bytes) {
    charged_bytes_ += charged_bytes;
    return Add({bytes, charged_bytes, 0, false, 0});
  }
  const Object& operator[](Id id) const { return objects_[id]; }
  // Charges of all objects that live.
  uint64_t charged_bytes() const { return charged_bytes_; }
  // Numbers given out; [1, size()) are objects, some of them gone.
  Id size() const { return static_cast<Id>(objects_.size()); }

  // ---- for AddressSpace: a mapping of `id` came, or went ----
  void Mapped(Id id) { ++objects_[id].mappings; }
  void Unmapped(Id id);

 private:
  Id Add(const Object& object);

  std::vector<Object> objects_{1};  // [0] is unused
  std::vector<Id> free_;
  uint64_t charged_bytes_ = 0;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_MEMORY_OBJECTS_H_
