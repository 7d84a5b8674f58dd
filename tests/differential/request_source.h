// RequestSource: random requests for the lockstep test, most of them meaningful: they go by what the model has
// mapped, and never touch the mappings that the executor itself lives on.
//
// Borrows the model. Threads: one. The same seed and answers give the same requests.
#ifndef REHEAP_TESTS_DIFFERENTIAL_REQUEST_SOURCE_H_
#define REHEAP_TESTS_DIFFERENTIAL_REQUEST_SOURCE_H_

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "sim/os/virtual_os.h"
#include "tests/differential/os_protocol.h"

namespace reheap {

inline constexpr uint64_t kPage = 4096;
inline constexpr uint64_t kUnlimited = ~uint64_t{0};  // a limit request's bytes
inline constexpr int kPrivate = MAP_PRIVATE | MAP_ANONYMOUS;

class RequestSource {
 public:
  RequestSource(uint64_t seed, const VirtualOs* os, Addr base) : random_(seed), os_(os), base_(base) {
    for (auto id = os->space().First(); id != AddressSpace::kNone; id = os->space().Next(id)) {
      image_.push_back(os->space().mapping(id).range());
    }
    first_break_ = os->program_break();
  }

  CallRequest Next() {
    CallRequest r = Draw();
    // The executor must survive: it keeps what it started with.
    while (TouchesImage(r)) r = Draw();
    return r;
  }

 private:
  uint64_t Below(uint64_t n) { return random_() % n; }
  bool Chance(int percent) { return Below(100) < static_cast<uint64_t>(percent); }

  // Few pages mostly, up to 64 GiB; around 2 MiB, where huge pages begin to matter, more often.
  uint64_t Bytes() {
    switch (Below(6)) {
      case 0:
        return 2 * kMiB * (1 + Below(8));
      case 1:
        return 2 * kMiB * (1 + Below(3)) + kPage * Below(3) - kPage;
      case 2:
        return kPage << Below(25);
      default:
        return kPage * (1 + Below(40));
    }
  }

  // Somewhere in or next to what is mapped, else in the open. `aligned` to a page mostly.
  AddrRange Place() {
    std::vector<AddrRange> ours;
    for (auto id = os_->space().First(); id != AddressSpace::kNone; id = os_->space().Next(id)) {
      const AddrRange range = os_->space().mapping(id).range();
      if (std::find(image_.begin(), image_.end(), range) == image_.end()) ours.push_back(range);
    }
    if (ours.empty() || Chance(10)) {
      const uint64_t window = Chance(50) ? base_.value() - 64 * kGiB : 0x100000000000;
      return {Addr(window + kPage * Below(1 << 20)), Bytes()};
    }
    const AddrRange whole = ours[Below(ours.size())];
    const uint64_t pages = whole.bytes / kPage;
    switch (Below(5)) {
      case 0:
        return whole;
      case 1:
        return {whole.start - kPage * Below(4), whole.bytes + kPage * Below(8)};
      case 2:
        return {whole.end(), Bytes()};
      default:
        break;
    }
    const uint64_t first = Below(std::min<uint64_t>(pages, 64));
    return {whole.start + first * kPage, (1 + Below(std::min<uint64_t>(pages - first, 24))) * kPage};
  }

  Addr Hint() {
    switch (Below(8)) {
      case 0:
        return Place().start;
      case 1:
        return Place().start + Below(kPage);
      case 2:
        return Addr(Below(3 * 65536));
      case 3:
        return Addr(0x7ffffffff000 - Bytes());
      case 4:
        return Addr(random_() >> Below(20));
      default:
        return Addr();
    }
  }

  int Protection() {
    constexpr int kChoices[] = {0, 0, 1, 3, 3, 3, 3, 2, 7, 5};
    return kChoices[Below(std::size(kChoices))];
  }

  CallRequest Mmap() {
    CallRequest r{Call::kMmap, Protection(), MAP_PRIVATE | MAP_ANONYMOUS, Hint().value(), Bytes()};
    if (Chance(15)) r.flags |= MAP_NORESERVE;
    if (Chance(3)) r.flags = MAP_ANONYMOUS;
    if (Chance(3)) r.bytes = Chance(50) ? 0 : random_() >> Below(24);
    if (Chance(10)) r.bytes -= Below(kPage);
    if (Chance(35)) {
      const AddrRange place = Place();
      r.addr = place.start.value();
      r.bytes = place.bytes;
      r.flags |= Chance(30) ? MAP_FIXED_NOREPLACE : MAP_FIXED;
      if (Chance(2)) r.addr += Below(kPage);
      if (Chance(2)) r.addr = 0x7ffffffff000 - Below(8) * kPage;
    }
    return r;
  }

  // Never below where it was: that is the executor's own heap. Not under a data limit, which counts the
  // executable's data to the byte, where maps show pages.
  CallRequest Brk() {
    if (os_->limits().data_bytes) return Mmap();
    const uint64_t used = os_->program_break() - first_break_;
    const uint64_t target = Chance(40) ? Below(used + 1) : used + Below(Chance(90) ? 16 * kMiB : kTiB);
    return {Call::kBrk, 0, 0, first_break_.value() + target, 0};
  }

  CallRequest Limit() {
    const Call call = Chance(60) ? Call::kLimitAddress : Call::kLimitData;
    const MappingTotals& totals = os_->space().totals();
    const uint64_t now = call == Call::kLimitAddress ? totals.mapped_bytes : totals.data_bytes;
    return {call, 0, 0, 0, Chance(50) ? kUnlimited : now + Bytes() - Below(kPage)};
  }

  CallRequest Raw() {
    const AddrRange place = Place();
    const uint64_t odd = Chance(3) ? Below(kPage) : 0;
    switch (Below(9)) {
      case 0:
      case 1:
        return Mmap();
      case 8:
        return Brk();
      case 2:
      case 3:
        return {Call::kMunmap, 0, 0, place.start.value() + odd, place.bytes};
      case 4:
      case 5:
        return {Call::kMprotect, Chance(2) ? 0x20 : Protection(), 0, place.start.value() + odd, place.bytes};
      case 6:
        return {Call::kMadvise, 0, Chance(5) ? 99 : MADV_DONTNEED, place.start.value() + odd, place.bytes};
      default:
        return Limit();
    }
  }

  CallRequest Draw() {
    // Too many mappings make each comparison slow: sweep a wide range now and then.
    if (os_->space().count() > 400)
      return {Call::kRelease, 0, 0, base_.value() - 2 * kTiB, 2 * kTiB - 64 * kMiB};
    const AddrRange place = Place();
    const int access = Chance(15) ? 7 : 3;
    switch (Below(15)) {
      case 0:
        return {Call::kReserve, 0, 0, Hint().value(), Bytes()};
      case 1:
        return {Call::kMapReady, access, 0, Hint().value(), Bytes()};
      case 2:
        return {Call::kMapReadyAt, access, 0, place.start.value(), place.bytes};
      case 3:
        return {Call::kCommitMapFixed, access, 0, place.start.value(), place.bytes};
      case 4:
        return {Call::kCommitProtect, access, 0, place.start.value(), place.bytes};
      case 5:
        return {Call::kDiscard, 0, 0, place.start.value(), place.bytes};
      case 6:
        return {Call::kDecommit, 0, 0, place.start.value(), place.bytes};
      case 7:
        return {Call::kRelease, 0, 0, place.start.value(), place.bytes};
      case 8:
        return {Call::kTouchRead, 0, 0, place.start.value(), kPage * (1 + Below(4))};
      case 11:
        return {Call::kReuse, 0, 0, place.start.value(), place.bytes};
      case 9:
      case 10:
        return {Call::kTouchWrite, 0, 0, place.start.value(), kPage * (1 + Below(4))};
      default:
        return Raw();
    }
  }

  bool TouchesImage(const CallRequest& r) const {
    if (r.call == Call::kReserve || r.call == Call::kMapReady || r.call == Call::kLimitAddress ||
        r.call == Call::kLimitData || r.call == Call::kBrk ||
        (r.call == Call::kMmap && (r.flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) == 0)) {
      return false;
    }
    if (r.addr + r.bytes < r.addr) return true;
    return std::any_of(image_.begin(), image_.end(), [&r](AddrRange range) {
      return range.Overlaps({Addr(r.addr), r.bytes + kPage});
    });
  }

  std::mt19937_64 random_;
  const VirtualOs* os_;
  const Addr base_;
  Addr first_break_;
  std::vector<AddrRange> image_;
};

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_REQUEST_SOURCE_H_
