#include "sim/os/shadow_memory.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

namespace reheap {
namespace {

[[noreturn]] void NotUsable(const char* access, Addr a) {
  std::fprintf(stderr, "CHECK failed: the allocator %s 0x%llx, which is not Ready\n", access,
               static_cast<unsigned long long>(a.value()));
  std::abort();
}

}  // namespace

ShadowMemory::ShadowMemory(VirtualOs* os)
    : os_(os),
      page_shift_(static_cast<uint32_t>(std::countr_zero(os->os_page_bytes()))),
      page_mask_(os->os_page_bytes() - 1),
      zero_page_(std::make_unique<unsigned char[]>(os->os_page_bytes())) {
  std::fill(std::begin(touched_), std::end(touched_), kNoPage);
  os_->set_page_listener(this);
}

ShadowMemory::~ShadowMemory() { os_->set_page_listener(nullptr); }

void ShadowMemory::Ask(Addr a, bool write, const char* access) {
  if (a.value() >= kOutsideStart) return;
  switch (os_->Access(a, write)) {
    case TouchOutcome::kDone:
      NoteResident();
      return;
    case TouchOutcome::kOutOfMemoryKill:
      killed_ = os_->killed();
      if (news_ != nullptr) *news_ = true;
      return;
    case TouchOutcome::kFault:
    case TouchOutcome::kBusError:
      NotUsable(access, a);
  }
}

void ShadowMemory::NoteResident() {
  const uint64_t pages = os_->resident().anonymous_pages();
  if (pages > resident_pages_ && news_ != nullptr) *news_ = true;
  resident_pages_ = pages;
}

const unsigned char* ShadowMemory::FindReadable(Addr a) {
  Ask(a, false, "read");
  const uint64_t page = a.value() >> page_shift_;
  const Leaf* const leaf = pages_.Find(page);
  const HostPage* const written = leaf == nullptr ? nullptr : &(*leaf)[page % leaf->size()];
  CachedPage& cached = cache_[page % kCachedPages];
  cached.host = written == nullptr || *written == nullptr ? zero_page_.get() : written->get();
  cached.readable = page;
  cached.writable = kNoPage;
  return cached.host;
}

unsigned char* ShadowMemory::MakeWritable(Addr a) {
  Ask(a, true, "wrote to");
  const uint64_t page = a.value() >> page_shift_;
  Leaf& leaf = pages_.Make(page);
  HostPage& host = leaf[page % leaf.size()];
  if (host == nullptr) {
    host = std::make_unique<unsigned char[]>(os_->os_page_bytes());
    ++host_pages_;
  }
  CachedPage& cached = cache_[page % kCachedPages];
  cached = {page, page, host.get()};
  return cached.host;
}

void ShadowMemory::TouchPage(uint64_t page) {
  const Addr a(page << page_shift_);
  Ask(a, true, "touched");
  touched_[page % kTouchedPages] = page;
}

void ShadowMemory::OnPagesDropped(AddrRange range) {
  OnAccessChanged(range);
  if (pages_.empty() || range.empty()) return;
  pages_.EraseIf(range.start.value() >> page_shift_, (range.end().value() - 1) >> page_shift_,
                 [this](Leaf& leaf, uint64_t first, uint64_t last) {
                   for (uint64_t i = first; i <= last; ++i) {
                     if (leaf[i] != nullptr) --host_pages_;
                     leaf[i].reset();
                   }
                   if (last - first == leaf.size() - 1) return true;
                   return std::none_of(leaf.begin(), leaf.end(),
                                       [](const HostPage& page) { return page != nullptr; });
                 });
}

void ShadowMemory::OnPagesMoved(AddrRange from, Addr to) {
  OnAccessChanged(from);
  OnAccessChanged({to, from.bytes});
  if (pages_.empty() || from.empty()) return;
  const uint64_t first = from.start.value() >> page_shift_;
  const uint64_t target = to.value() >> page_shift_;
  std::vector<std::pair<uint64_t, HostPage>> moved;
  pages_.ForEachPage(first, (from.end().value() - 1) >> page_shift_, [&](uint64_t page, Leaf& leaf) {
    HostPage& host = leaf[page % leaf.size()];
    if (host != nullptr) moved.emplace_back(target + (page - first), std::move(host));
  });
  OnPagesDropped(from);  // what is left are empty leaves
  for (auto& [page, host] : moved) {
    Leaf& leaf = pages_.Make(page);
    leaf[page % leaf.size()] = std::move(host);
  }
}

void ShadowMemory::OnAccessChanged(AddrRange range) {
  if (range.empty()) return;
  const uint64_t first = range.start.value() >> page_shift_;
  const uint64_t last = (range.end().value() - 1) >> page_shift_;
  const auto inside = [&](uint64_t page) { return page >= first && page <= last; };
  static_assert(kCachedPages == kTouchedPages, "one walk forgets in both");
  const uint64_t slots = std::min(last - first + 1, kCachedPages);
  for (uint64_t i = 0; i < slots; ++i) {
    const uint64_t slot = (first + i) % kCachedPages;
    if (inside(cache_[slot].readable)) cache_[slot] = CachedPage();
    if (inside(touched_[slot])) touched_[slot] = kNoPage;
  }
}

}  // namespace reheap
