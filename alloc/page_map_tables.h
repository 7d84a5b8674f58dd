// PageMapTables: the address space behind a page map's tables, and the entries in it (rows 7 and 9).
//
// What the five page maps share: where a root comes from by the strategy's word (given, BSS, mapped), how a
// node of a tree is mapped, how entries are read and written through Memory, and what that costs. It knows
// entries of 4 or 8 bytes, not what they mean.
//
// Ownership: the tables live until the process ends; like the runtimes that it retells, nothing is given
// back. Threads: one writer; readers at the same time see old or new entries (an entry is stored with release
// order and loaded with acquire, both plain moves on x86, so that a node is zero or filled when a reader
// follows it).
#ifndef REHEAP_ALLOC_PAGE_MAP_TABLES_H_
#define REHEAP_ALLOC_PAGE_MAP_TABLES_H_

#include <algorithm>
#include <cstdint>
#include <optional>

#include "alloc/addr.h"
#include "alloc/check.h"
#include "alloc/memory.h"
#include "alloc/os.h"
#include "alloc/page_map.h"
#include "alloc/reservation_strategy.h"
#include "alloc/touched_pages.h"

namespace reheap {

// Lookups must vanish into their caller: a call costs as much as the difference between the kinds.
#define REHEAP_PAGE_MAP_INLINE __attribute__((always_inline))

template <Memory M>
class PageMapTables {
 public:
  explicit PageMapTables(M& memory) : memory_(&memory) {}

  // Preconditions: called once; setup has an Os and a strategy.
  void Init(const PageMapSetup& setup) {
    REHEAP_CHECK(os_ == nullptr);
    REHEAP_CHECK(setup.os != nullptr);
    REHEAP_CHECK(setup.strategy != nullptr);
    os_ = setup.os;
    access_ = setup.strategy->access;
    commit_method_ = setup.strategy->commit_method;
    touched_.set_os_page_bytes(os_->os_page_bytes());
  }

  // The root, or the whole of a flat table: `bytes` that read as zero. Given by the owner, else from where
  // the strategy says. A given table that is not Ready yet stays so: see MakeReady.
  OsResult<Addr> TakeRoot(const PageMapSetup& setup, uint64_t bytes) {
    bytes = RoundUp(bytes, os_->os_page_bytes());
    if (!setup.table.empty()) {
      REHEAP_CHECK_GE(setup.table.bytes, bytes);
      reserved_bytes_ += bytes;
      return setup.table.start;
    }
    if (setup.strategy->page_map_place == TablePlace::kImageBss) {
      if (const std::optional<AddrRange> bss = os_->TakeImageBss(bytes)) {
        reserved_bytes_ += bytes;
        return bss->start;
      }
    }
    return MapNode(bytes);
  }

  // One node, anywhere, Ready and zero, in a mapping of its own.
  OsResult<Addr> MapNode(uint64_t bytes) {
    bytes = RoundUp(bytes, os_->os_page_bytes());
    const OsResult<AddrRange> mapped = os_->MapReady(bytes, access_);
    if (!mapped.ok()) return mapped.refusal();
    reserved_bytes_ += bytes;
    return mapped.value().start;
  }

  // Gives a node back that could not be used after all.
  void UnmapNode(Addr node, uint64_t bytes) {
    bytes = RoundUp(bytes, os_->os_page_bytes());
    // A refusal here leaks the range: it stays reserved, and stays counted as such.
    if (os_->Release({node, bytes}).ok()) reserved_bytes_ -= bytes;
  }

  // A part of a given table that is held but not usable yet becomes Ready.
  OsResult<Done> MakeReady(AddrRange part, Firmness held) {
    if (held == Firmness::kPretend) return os_->MapReadyAt(part, access_);
    return os_->Commit(part, access_, commit_method_);
  }

  template <class T>
  REHEAP_PAGE_MAP_INLINE T Load(Addr table, uint64_t index) const {
    return __atomic_load_n(&memory_->template Read<T>(table + index * sizeof(T)), __ATOMIC_ACQUIRE);
  }

  template <class T>
  void Store(Addr table, uint64_t index, T value) {
    Fill<T>(table, index, 1, value);
  }

  // n entries from `index` on become `value`. Clearing does not write to an OS page that was never written.
  template <class T>
  void Fill(Addr table, uint64_t index, uint64_t n, T value) {
    Addr a = table + index * sizeof(T);
    const Addr end = a + n * sizeof(T);
    while (a < end) {
      const Addr stop = std::min(RoundDown(a, kMemoryUnitBytes) + kMemoryUnitBytes, end);
      if (value != 0 || WasWritten<T>(a, stop)) {
        touched_.Add(a);
        T* entry = &memory_->template Write<T>(a);
        for (uint64_t left = (stop - a) / sizeof(T); left > 0; --left, ++entry) {
          __atomic_store_n(entry, value, __ATOMIC_RELEASE);
        }
      }
      a = stop;
    }
  }

  // OS pages of a table with an entry that is not zero, by looking at all of it: never more than are
  // resident.
  template <class T>
  uint64_t CountNonZeroPagesSlow(Addr table, uint64_t entries) const {
    const uint64_t per_page = touched_.os_page_bytes() / sizeof(T);
    uint64_t pages = 0;
    for (uint64_t i = 0; i < entries;) {
      if (Load<T>(table, i) == 0) {
        ++i;
      } else {
        ++pages;
        i = RoundDown(i, per_page) + per_page;  // tables start at an OS page
      }
    }
    return pages;
  }

  uint64_t os_page_bytes() const { return touched_.os_page_bytes(); }
  uint64_t reserved_bytes() const { return reserved_bytes_; }
  uint64_t resident_bytes() const { return touched_.count() * touched_.os_page_bytes(); }

  // `nonzero_pages`: CountNonZeroPagesSlow over all tables of the map.
  void CheckCounters(uint64_t nonzero_pages) const {
    REHEAP_CHECK_EQ(touched_.count(), touched_.CountSlow());
    if (touched_.exact()) REHEAP_CHECK_GE(touched_.count(), nonzero_pages);
    REHEAP_CHECK_LE(resident_bytes(), reserved_bytes_);
  }

 private:
  // Elements may be reached together when they lie within this unit (see alloc/memory.h).
  static constexpr uint64_t kMemoryUnitBytes = 4096;

  // May [a, end), within one OS page, hold an entry that is not zero?
  template <class T>
  bool WasWritten(Addr a, Addr end) const {
    if (touched_.exact()) return touched_.Contains(a);
    for (; a < end; a = a + sizeof(T)) {
      if (memory_->template Read<T>(a) != 0) return true;
    }
    return false;
  }

  M* memory_;
  Os* os_ = nullptr;
  Access access_ = Access::kReadWrite;
  CommitMethod commit_method_ = CommitMethod::kMapFixed;
  uint64_t reserved_bytes_ = 0;
  TouchedPages touched_;
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_PAGE_MAP_TABLES_H_
