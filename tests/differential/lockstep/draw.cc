#include "tests/differential/lockstep/draw.h"

#include <algorithm>

namespace reheap {
namespace {

constexpr size_t kRemembered = 48;

}  // namespace

Draw::Draw(uint64_t seed, const VirtualOs* os, Addr base)
    : random_(seed),
      os_(os),
      guard_(*os),
      base_(base.value()),
      user_end_(os->platform().machine.user_end),
      word_mask_(os->platform().machine.word_bits == 32 ? 0xffffffff : ~uint64_t{0}),
      first_break_(os->program_break()) {
  const uint64_t limit = os->platform().limits.max_mappings;
  most_mappings_ = limit < 1000 ? limit : 60;
}

void Draw::Remember(uint64_t addr) {
  if (remembered_.size() < kRemembered) {
    remembered_.push_back(addr);
  } else {
    remembered_[next_remembered_++ % kRemembered] = addr;
  }
}

uint64_t Draw::NearBoundary() {
  const AddrRange lowest = guard_.image().front(), stack = guard_.image().back();
  const uint64_t edges[] = {0,
                            kOsPage,
                            0x10000,
                            base_,
                            user_end_,
                            user_end_ / 3,
                            stack.start.value(),
                            stack.start.value() - kMiB,  // its guard gap
                            lowest.start.value(),
                            first_break_.value(),
                            uint64_t{1} << 30,
                            uint64_t{1} << 31,
                            uint64_t{1} << 32,
                            uint64_t{1} << 47,
                            uint64_t{1} << 63,
                            word_mask_};
  const uint64_t edge = edges[Below(std::size(edges))];
  return (edge + (Below(9) - 4) * kOsPage) & word_mask_;
}

uint64_t Draw::Bytes() {
  switch (Below(12)) {
    case 0:
      return kHuge * (1 + Below(8));
    case 1:
      return kHuge * (1 + Below(3)) + kOsPage * Below(3) - kOsPage;
    case 2:
      return (kOsPage << Below(25)) & word_mask_;
    case 3:
      return kOsPage * (1 + Below(40)) - Below(kOsPage);
    case 4:
      return kGiB * (1 + Below(2)) + kOsPage * Below(3) - kOsPage;
    case 5:
      if (Chance(60)) return kOsPage * (1 + Below(300));
      return (OneOf({0, 1, uint64_t{1} << 31, uint64_t{1} << 32, uint64_t{1} << 44, uint64_t{1} << 46,
                     uint64_t{1} << 47, uint64_t{1} << 63, ~uint64_t{0}, user_end_, base_}) -
              OneOf({0, 0, 1, kOsPage})) &
             word_mask_;
    default:
      return kOsPage * (1 + Below(40));
  }
}

AddrRange Draw::Place(bool aligned) {
  const uint64_t odd = !aligned && Chance(2) ? Below(kOsPage) : 0;
  if (remembered_.empty() || Chance(6)) {
    if (Chance(30)) return {Addr(NearBoundary() + odd), Bytes()};
    const uint64_t window = base_ > 64 * kGiB ? 0x100000000000 : 0x20000000;
    return {Addr(window + kOsPage * Below(1 << 14) + odd), aligned ? SmallBytes() : Bytes()};
  }
  const Addr near(remembered_[Below(remembered_.size())]);
  const AddressSpace& space = os_->space();
  AddressSpace::Id id = space.FirstEndingAbove(near);
  if (id == AddressSpace::kNone) return {RoundDown(near, kOsPage), SmallBytes()};
  if (Chance(15) && space.Previous(id) != AddressSpace::kNone) id = space.Previous(id);
  const AddrRange whole = space.mapping(id).range();
  const uint64_t pages = whole.bytes / kOsPage;
  const Addr start = whole.start + odd;
  switch (Below(8)) {
    case 0:
      return {start, whole.bytes};
    case 1:
      return {start - std::min(start.value(), kOsPage * Below(4)), whole.bytes + kOsPage * Below(8)};
    case 2:
      return {whole.end() + odd, aligned ? SmallBytes() : Bytes()};
    case 3:  // both sides of its end
      return {whole.end() - std::min(pages, 1 + Below(6)) * kOsPage, kOsPage * (1 + Below(12))};
    case 4: {  // a huge page's edge inside it, or beside it
      const uint64_t at = RoundUp(whole.start.value() + kHuge * Below(1 + pages / 512), kHuge);
      return {Addr(at - kOsPage * Below(3) + odd), kOsPage * (1 + Below(4)) + (Chance(30) ? kHuge : 0)};
    }
    default:
      break;
  }
  const uint64_t first = Chance(50) ? Below(std::min<uint64_t>(pages, 64)) : Below(pages);
  return {start + first * kOsPage, (1 + Below(std::min<uint64_t>(pages - first, 24))) * kOsPage};
}

uint64_t Draw::Hint() {
  switch (Below(12)) {
    case 0:
      return Place().start.value();
    case 1:
      return Place().start.value() + Below(kOsPage);
    case 2:
      return Below(3 * 65536);
    case 3:
      return user_end_ - std::min(user_end_, Bytes());
    case 4:
      return (random_() & word_mask_) >> Below(20);
    case 5:
      return NearBoundary();
    default:
      return 0;
  }
}

}  // namespace reheap
