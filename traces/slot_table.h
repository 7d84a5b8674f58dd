// SlotTable: one value per object slot, for tables that tools keep while they walk a trace.
//
// Slots are dense (a freed one is used again), so this is an array, grown in pages of 4,096 entries when
// a slot in them is first named: a trace that lies with one slot near 2^32 costs one page and the
// directory (2^32 / 4,096 entries x 8 B = 8 MiB at most), not 2^32 entries.
//
// Ownership: owns the values. Threads: one at a time.
#ifndef REHEAP_TRACES_SLOT_TABLE_H_
#define REHEAP_TRACES_SLOT_TABLE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace reheap {

template <typename T>
class SlotTable {
 public:
  // The slot's value; a default-made one when it was never named before.
  T& operator[](uint32_t slot) {
    const size_t page = slot / kPageSlots;
    if (page >= directory_.size()) [[unlikely]] {
      directory_.resize(page + 1);
    }
    if (directory_[page] == nullptr) [[unlikely]] {
      directory_[page] = std::make_unique<Page>();
    }
    return (*directory_[page])[slot % kPageSlots];
  }

  // Calls visit(slot, value) for every slot of every page that exists, in order.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (size_t page = 0; page < directory_.size(); ++page) {
      if (directory_[page] == nullptr) continue;
      for (size_t i = 0; i < kPageSlots; ++i) {
        visit(static_cast<uint32_t>(page * kPageSlots + i), (*directory_[page])[i]);
      }
    }
  }

 private:
  static constexpr size_t kPageSlots = 4096;
  using Page = std::array<T, kPageSlots>;
  std::vector<std::unique_ptr<Page>> directory_;
};

}  // namespace reheap

#endif  // REHEAP_TRACES_SLOT_TABLE_H_
