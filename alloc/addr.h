// Addresses and page counts as types that do not mix.
//
// Used by every row of the walk from 6 (replay) to 10 (measure). An address here may be one of the
// running process or one of a simulated process; nothing in this file dereferences it.
//
// Three page-like units exist and are never called just "page":
//   heap page    the allocator's unit: span lengths, page-map entries   (PageId, PageCount)
//   OS page      the kernel's unit: residency, protection
//   granularity  the kernel's placement unit (64 KiB on windows, else the OS page)
//
// Values only: no ownership, no threads.
#ifndef REHEAP_ALLOC_ADDR_H_
#define REHEAP_ALLOC_ADDR_H_

#include <compare>
#include <cstdint>

namespace reheap {

inline constexpr uint64_t kKiB = uint64_t{1} << 10;
inline constexpr uint64_t kMiB = uint64_t{1} << 20;
inline constexpr uint64_t kGiB = uint64_t{1} << 30;
inline constexpr uint64_t kTiB = uint64_t{1} << 40;

// An address, 0 .. 2^64-1. Zero means "no address", as it does for mmap's hint.
class Addr {
 public:
  constexpr Addr() = default;
  explicit constexpr Addr(uint64_t value) : value_(value) {}
  constexpr uint64_t value() const { return value_; }
  constexpr explicit operator bool() const { return value_ != 0; }
  friend constexpr auto operator<=>(Addr, Addr) = default;
  friend constexpr Addr operator+(Addr a, uint64_t bytes) { return Addr(a.value_ + bytes); }
  friend constexpr Addr operator-(Addr a, uint64_t bytes) { return Addr(a.value_ - bytes); }
  // Bytes from b up to a. Preconditions: a >= b.
  friend constexpr uint64_t operator-(Addr a, Addr b) { return a.value_ - b.value_; }

 private:
  uint64_t value_ = 0;
};

// A number of heap pages.
class PageCount {
 public:
  constexpr PageCount() = default;
  explicit constexpr PageCount(uint64_t value) : value_(value) {}
  constexpr uint64_t value() const { return value_; }
  constexpr uint64_t bytes(uint32_t page_shift) const { return value_ << page_shift; }
  friend constexpr auto operator<=>(PageCount, PageCount) = default;
  friend constexpr PageCount operator+(PageCount a, PageCount b) { return PageCount(a.value_ + b.value_); }
  friend constexpr PageCount operator-(PageCount a, PageCount b) { return PageCount(a.value_ - b.value_); }

 private:
  uint64_t value_ = 0;
};

// The number of a heap page: address >> page_shift.
class PageId {
 public:
  constexpr PageId() = default;
  explicit constexpr PageId(uint64_t value) : value_(value) {}
  static constexpr PageId Containing(Addr a, uint32_t page_shift) { return PageId(a.value() >> page_shift); }
  constexpr uint64_t value() const { return value_; }
  constexpr Addr start(uint32_t page_shift) const { return Addr(value_ << page_shift); }
  friend constexpr auto operator<=>(PageId, PageId) = default;
  friend constexpr PageId operator+(PageId p, PageCount n) { return PageId(p.value_ + n.value()); }
  friend constexpr PageId operator-(PageId p, PageCount n) { return PageId(p.value_ - n.value()); }
  // Preconditions: a >= b.
  friend constexpr PageCount operator-(PageId a, PageId b) { return PageCount(a.value_ - b.value_); }

 private:
  uint64_t value_ = 0;
};

// Addresses from start up to, not including, start + bytes. Empty when bytes is 0.
struct AddrRange {
  Addr start;
  uint64_t bytes = 0;

  constexpr Addr end() const { return start + bytes; }
  constexpr bool empty() const { return bytes == 0; }
  constexpr bool Contains(Addr a) const { return a >= start && a - start < bytes; }
  constexpr bool Contains(AddrRange r) const { return r.start >= start && r.end() <= end(); }
  constexpr bool Overlaps(AddrRange r) const { return start < r.end() && r.start < end(); }
  friend constexpr bool operator==(AddrRange, AddrRange) = default;
};

// Preconditions: unit is a power of two.
constexpr uint64_t RoundUp(uint64_t n, uint64_t unit) { return (n + unit - 1) & ~(unit - 1); }
constexpr uint64_t RoundDown(uint64_t n, uint64_t unit) { return n & ~(unit - 1); }
constexpr Addr RoundUp(Addr a, uint64_t unit) { return Addr(RoundUp(a.value(), unit)); }
constexpr Addr RoundDown(Addr a, uint64_t unit) { return Addr(RoundDown(a.value(), unit)); }

}  // namespace reheap

#endif  // REHEAP_ALLOC_ADDR_H_
