#include "traces/address_relocation.h"

#include <algorithm>
#include <iterator>

namespace reheap {
namespace {

constexpr uint64_t kAddressLimit = uint64_t{1} << 63;
constexpr uint64_t kKept = 2u << 20;  // addresses are kept modulo this
constexpr uint64_t kApart = uint64_t{4} << 30;
// Rounding to kKept may add nearly as much: a new gap is never larger than the old one, so pushing cannot
// push over.
constexpr uint64_t kNewGap = kApart - kKept;
constexpr uint64_t kArea = uint64_t{1} << 40;
constexpr uint64_t kLowest = 4u << 20;
constexpr uint64_t kUpper = uint64_t{1} << 46;
// linux ends its user addresses one page below 2^47 (TASK_SIZE_MAX, arch/x86/include/asm/page_64.h).
constexpr uint64_t kAreaTail = 4096;
constexpr size_t kMaxClusters = 1u << 16;

// The smallest value from `least` on that has the remainder of `like`.
uint64_t UpTo(uint64_t least, uint64_t like) { return least + (like - least) % kKept; }
// The largest one up to `most`.
uint64_t DownTo(uint64_t most, uint64_t like) { return most - (most - like) % kKept; }

}  // namespace

bool AddressRelocation::Add(uint64_t start, uint64_t bytes) {
  if (start >= kAddressLimit || bytes >= kAddressLimit - start) return true;
  uint64_t end = start + bytes;
  auto next = clusters_.upper_bound(start);
  if (next != clusters_.begin()) {
    const auto before = std::prev(next);
    if (end <= before->second.end) return true;
    if (start < before->second.end + kApart) {
      start = before->first;
      clusters_.erase(before);
    }
  }
  while (next != clusters_.end() && next->first < end + kApart) {
    end = std::max(end, next->second.end);
    next = clusters_.erase(next);
  }
  clusters_[start].end = end;
  return clusters_.size() <= kMaxClusters;
}

void AddressRelocation::PushDown(Clusters::iterator end) {
  uint64_t least = kLowest;
  for (auto cluster = clusters_.begin(); cluster != end; ++cluster) {
    const uint64_t start = cluster->first;
    const uint64_t to = start < kLowest ? start : UpTo(std::max(least, start / kArea * kArea), start);
    cluster->second.move = to - start;
    least = cluster->second.end + cluster->second.move + kNewGap;
  }
}

void AddressRelocation::PushUp(Clusters::iterator begin) {
  uint64_t most = kAddressLimit;
  for (auto cluster = clusters_.end(); cluster != begin;) {
    --cluster;
    const uint64_t end = cluster->second.end;
    const uint64_t area_end = (end - 1) / kArea * kArea + kArea - kAreaTail;
    const uint64_t to = end > area_end ? end : DownTo(std::min(most, area_end), end);
    cluster->second.move = to - end;
    most = cluster->first + cluster->second.move - kNewGap;
  }
}

void AddressRelocation::Settle() {
  const auto upper = clusters_.lower_bound(kUpper);
  PushDown(upper);
  PushUp(upper);
}

uint64_t AddressRelocation::At(uint64_t address) const {
  auto cluster = clusters_.upper_bound(address);
  if (cluster == clusters_.begin()) return 0;
  --cluster;
  return address <= cluster->second.end ? address + cluster->second.move : 0;
}

}  // namespace reheap
