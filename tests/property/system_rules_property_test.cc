// Rules of systems that no kernel here can confirm, held against a naive restatement under random calls:
// where the lowest fit is, what a limit counts, where a drawn place may lie. Prints its seed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "sim/os/platform_catalog.h"
#include "sim/os/virtual_os.h"

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096;
constexpr int kAnon = 0x1002, kFixed = kAnon | 0x10, kGuardFixed = 0x2010;
constexpr int kRw = kProtRead | kProtWrite;
constexpr uint64_t kWindow = 0xf800000000;
constexpr uint64_t kPages = 512;  // of the window that the calls are about

uint64_t FreshSeed() {
  const char* given = std::getenv("REHEAP_SEED");
  return given == nullptr ? std::random_device()() : std::strtoull(given, nullptr, 0);
}

VirtualProcess ProcessOn(const std::string& platform) {
  VirtualProcess process;
  process.platform = Platforms().Find(platform);
  EXPECT_NE(process.platform, nullptr) << platform;
  process.limits.ram_bytes = kTiB;
  return process;
}

// What each page of the window is, kept page by page.
enum class PageState : uint8_t { kFree, kNone, kAccessible, kGuard };
using Window = std::vector<PageState>;

uint64_t Count(const Window& window, PageState state) {
  return static_cast<uint64_t>(std::count(window.begin(), window.end(), state)) * kPage;
}

// The first page at or after `from` where `pages` are free; all beyond the window is.
uint64_t LowestFit(const Window& window, uint64_t from, uint64_t pages) {
  for (uint64_t at = from, free = 0;; ++at) {
    free = at >= window.size() || window[at] == PageState::kFree ? free + 1 : 0;
    if (free == pages) return at + 1 - pages;
  }
}

struct Call {
  uint64_t first_page = 0;
  uint64_t pages = 0;
  int kind = 0;
  PageState state = PageState::kFree;
};

Call Draw(std::mt19937_64* random) {
  Call call;
  call.pages = 1 + (*random)() % 40;
  call.first_page = (*random)() % (kPages - call.pages);
  call.kind = static_cast<int>((*random)() % 4);
  call.state = (*random)() % 2 == 0 ? PageState::kNone : PageState::kAccessible;
  return call;
}

void Fill(Window* window, uint64_t first, uint64_t pages, PageState state) {
  for (uint64_t i = first; i < first + pages && i < window->size(); ++i) (*window)[i] = state;
}

TEST(SystemRulesPropertyTest, FreeBsdTakesTheLowestFitAndCountsWhatIsReplacedTwice) {
  const uint64_t seed = FreshSeed();
  SCOPED_TRACE("REHEAP_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  VirtualProcess process = ProcessOn("freebsd-amd64");
  const uint64_t image_bytes = VirtualOs(process).Usage().vsize_bytes;
  const uint64_t room_bytes = kPages / 2 * kPage;
  process.limits.address_bytes = image_bytes + room_bytes;
  VirtualOs os(process);
  Window window(kPages, PageState::kFree);
  for (int i = 0; i < 20'000; ++i) {
    const Call call = Draw(&random);
    const Addr start(kWindow + call.first_page * kPage);
    const uint64_t bytes = call.pages * kPage;
    const int protection = call.state == PageState::kNone ? 0 : kRw;
    const uint64_t mapped = Count(window, PageState::kNone) + Count(window, PageState::kAccessible);
    const bool fits = mapped + bytes <= room_bytes;  // whatever is replaced
    if (call.kind == 0) {
      const auto got = os.Mmap(start, bytes, protection, kAnon);
      ASSERT_EQ(got.ok(), fits) << i;
      if (!got.ok()) continue;
      const uint64_t page = LowestFit(window, call.first_page, call.pages);
      ASSERT_EQ(got.value().value(), kWindow + page * kPage) << i;
      if (page + call.pages > kPages) {
        ASSERT_TRUE(os.Munmap(got.value(), bytes).ok());
      } else {
        Fill(&window, page, call.pages, call.state);
      }
    } else if (call.kind == 1) {
      const bool guard = random() % 3 == 0;
      const auto got = os.Mmap(start, bytes, guard ? 0 : protection, guard ? kGuardFixed : kFixed);
      ASSERT_EQ(got.ok(), fits) << i;
      if (got.ok()) Fill(&window, call.first_page, call.pages, guard ? PageState::kGuard : call.state);
    } else if (call.kind == 2) {
      ASSERT_TRUE(os.Mprotect(start, bytes, protection).ok()) << i;
      for (uint64_t p = call.first_page; p < call.first_page + call.pages; ++p) {
        if (window[p] == PageState::kNone || window[p] == PageState::kAccessible) window[p] = call.state;
      }
    } else {
      ASSERT_TRUE(os.Munmap(start, bytes).ok()) << i;
      Fill(&window, call.first_page, call.pages, PageState::kFree);
    }
    const uint64_t now = Count(window, PageState::kNone) + Count(window, PageState::kAccessible);
    ASSERT_EQ(os.Usage().vsize_bytes - image_bytes, now) << i;
    if (i % 64 == 0) os.CheckInvariants();
  }
}

TEST(SystemRulesPropertyTest, OpenBsdCountsAnonymousPagesWithAnyAccessAndNothingElse) {
  const uint64_t seed = FreshSeed();
  SCOPED_TRACE("REHEAP_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  VirtualProcess process = ProcessOn("openbsd-amd64");
  const uint64_t image_bytes = VirtualOs(process).space().totals().claimed_bytes;
  const uint64_t room_bytes = kPages / 3 * kPage;
  process.limits.data_bytes = image_bytes + room_bytes;
  VirtualOs os(process);
  Window window(kPages, PageState::kFree);
  for (int i = 0; i < 20'000; ++i) {
    const Call call = Draw(&random);
    const Addr start(kWindow + call.first_page * kPage);
    const uint64_t bytes = call.pages * kPage;
    const bool none = call.state == PageState::kNone;
    const uint64_t used = Count(window, PageState::kAccessible);
    if (call.kind <= 1) {
      const auto got = os.Mmap(start, bytes, none ? 0 : kRw, kFixed);
      ASSERT_EQ(got.ok(), none || used + bytes <= room_bytes) << i;
      if (got.ok()) Fill(&window, call.first_page, call.pages, call.state);
    } else if (call.kind == 2) {
      const auto from = window.begin() + static_cast<int64_t>(call.first_page);
      const auto to = from + static_cast<int64_t>(call.pages);
      const uint64_t claimed = static_cast<uint64_t>(std::count(from, to, PageState::kNone)) * kPage;
      const bool may = none || claimed == 0 || used + claimed <= room_bytes;
      ASSERT_EQ(os.Mprotect(start, bytes, none ? 0 : kRw).ok(), may) << i;
      if (!may) continue;
      std::replace_if(from, to, [](PageState s) { return s != PageState::kFree; }, call.state);
    } else {
      const auto from = window.begin() + static_cast<int64_t>(call.first_page);
      const bool whole = std::find(from, from + static_cast<int64_t>(call.pages), PageState::kFree) ==
                         from + static_cast<int64_t>(call.pages);
      ASSERT_EQ(os.Munmap(start, bytes).ok(), whole) << i;
      if (whole) Fill(&window, call.first_page, call.pages, PageState::kFree);
    }
    ASSERT_EQ(os.space().totals().claimed_bytes - image_bytes, Count(window, PageState::kAccessible)) << i;
    if (i % 64 == 0) os.CheckInvariants();
  }
}

// Each place is free of what was mapped before; the same seed draws the same places, another one others.
class DrawnPlaces : public testing::TestWithParam<const char*> {};

TEST_P(DrawnPlaces, AreFreeAndTheSameForTheSameSeed) {
  const uint64_t seed = FreshSeed();
  SCOPED_TRACE("REHEAP_SEED=" + std::to_string(seed));
  VirtualProcess process = ProcessOn(GetParam());
  process.layout.aslr_seed = seed;
  VirtualOs os(process), twin(process);
  process.layout.aslr_seed = seed + 1;
  VirtualOs stranger(process);
  std::mt19937_64 random(seed);
  std::map<uint64_t, uint64_t> mapped;  // start -> end
  bool differs = false;
  for (int i = 0; i < 2'000; ++i) {
    const uint64_t bytes = (1 + random() % 64) * kPage;
    const auto got = os.Mmap(Addr(), bytes, kRw, kAnon);
    ASSERT_TRUE(got.ok()) << i;
    ASSERT_EQ(got.value(), twin.Mmap(Addr(), bytes, kRw, kAnon).value()) << i;
    differs |= got.value() != stranger.Mmap(Addr(), bytes, kRw, kAnon).value();
    const uint64_t start = got.value().value(), end = start + bytes;
    const auto next = mapped.lower_bound(start);
    ASSERT_TRUE(next == mapped.end() || next->first >= end) << i;
    ASSERT_TRUE(next == mapped.begin() || std::prev(next)->second <= start) << i;
    mapped[start] = end;
  }
  EXPECT_TRUE(differs) << "another seed, other places";
  os.CheckInvariants();
}

INSTANTIATE_TEST_SUITE_P(Systems, DrawnPlaces, testing::Values("freebsd-amd64", "openbsd-amd64"));

TEST(SystemRulesPropertyTest, WithoutASeedNothingIsDrawn) {
  for (const char* platform : {"freebsd-amd64", "openbsd-amd64"}) {
    VirtualOs a(ProcessOn(platform)), b(ProcessOn(platform));
    for (int i = 0; i < 10; ++i) {
      const auto one = a.Mmap(Addr(), kMiB, kRw, kAnon), other = b.Mmap(Addr(), kMiB, kRw, kAnon);
      EXPECT_EQ(one.value(), other.value()) << platform;
    }
  }
}

}  // namespace
}  // namespace reheap
