// ProbeCalls asks modelled processes of each release and must find what its platform says: so the questions
// are right also about kernels that do not run here.
#include "sim/os/switch_probe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "sim/os/platform_catalog.h"

namespace reheap {
namespace {

constexpr int kAnonymous = 0x22, kFixed = 0x10;

class Modelled final : public ProbedProcess {
 public:
  explicit Modelled(const Platform* platform) : os_(ProcessOf(platform)) {}

  uint64_t Map(uint64_t hint, uint64_t bytes, int protection, bool fixed) override {
    const auto got = os_.Mmap(Addr(hint), bytes, protection, kAnonymous | (fixed ? kFixed : 0));
    return got.ok() ? got.value().value() : 0;
  }
  void Unmap(uint64_t at, uint64_t bytes) override { (void)os_.Munmap(Addr(at), bytes); }
  void Protect(uint64_t at, uint64_t bytes, int protection) override {
    (void)os_.Mprotect(Addr(at), bytes, protection);
  }
  void Write(uint64_t at) override { os_.Touch(Addr(at), true); }
  int Remap(uint64_t from, uint64_t bytes, int flags, uint64_t to) override {
    const auto moved = os_.Mremap(Addr(from), bytes, bytes, flags, Addr(to));
    return moved.ok() ? 0 : moved.refusal().os_error;
  }
  int Advise(uint64_t at, uint64_t bytes, int advice) override {
    const auto done = os_.Madvise(Addr(at), bytes, advice);
    return done.ok() ? 0 : done.refusal().os_error;
  }
  void ForbidGrowth() override { LimitAddresses(0); }
  void AllowGrowth() override { LimitAddresses(std::nullopt); }
  bool VisitMappings(absl::FunctionRef<void(uint64_t, uint64_t)> visit) override {
    const AddressSpace& space = os_.space();
    for (auto id = space.First(); id != AddressSpace::kNone; id = space.Next(id)) {
      visit(space.mapping(id).start.value(), space.mapping(id).end.value());
    }
    return true;
  }
  uint64_t mappings() const { return os_.space().count(); }

 private:
  static VirtualProcess ProcessOf(const Platform* platform) {
    VirtualProcess process;
    process.platform = platform;
    return process;
  }
  void LimitAddresses(std::optional<uint64_t> bytes) {
    ProcessLimits limits = os_.limits();
    limits.address_bytes = bytes;
    os_.set_limits(limits);
  }

  VirtualOs os_;
};

class SwitchProbeTest : public testing::TestWithParam<const char*> {};

TEST_P(SwitchProbeTest, FindsWhatThePlatformSays) {
  const Platform& p = *Platforms().Find(GetParam());
  Modelled process(&p);
  const uint64_t before = process.mappings();
  HostSwitches found;
  found.os_page_bytes = p.machine.os_page_bytes;
  ASSERT_TRUE(ProbeCalls(process, false, &found).ok());
  EXPECT_EQ(process.mappings(), before);
  EXPECT_EQ(found.hint_floor_bytes, p.placement.hint_floor);
  EXPECT_EQ(found.huge_alignment_bytes,
            p.placement.huge_alignment_for_files_only ? 0 : p.placement.huge_alignment_bytes);
  EXPECT_EQ(found.protect_uncharges_unwritten, p.limits.protect_uncharges_unwritten);
  EXPECT_EQ(found.written_joins_unwritten, p.mappings.written_joins_unwritten);
  EXPECT_EQ(found.replace_checks_first, p.mappings.replace == ReplaceOrder::kRemoveThenCheck);
  EXPECT_EQ(found.new_joins_next_first, p.mappings.new_joins_next_first);
  EXPECT_EQ(found.remap_looks_first, p.machine.remap->order == RemapOrder::kLooksFirst);
  EXPECT_EQ(found.beside_source, p.machine.remap->beside_source);
  EXPECT_EQ(found.has_guards, std::any_of(p.advice.begin(), p.advice.end(), [](const AdviceWord& word) {
              return word.meaning == AdviceMeaning::kInstallGuard;
            }));
}

INSTANTIATE_TEST_SUITE_P(Releases, SwitchProbeTest,
                         testing::Values("linux-amd64@6.18", "linux-amd64@6.12", "linux-amd64@6.1",
                                         "linux-386@6.18", "linux-386@6.12", "linux-386@6.1",
                                         "linux-amd64-5level@6.12"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace_if(
                               name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
                           return name;
                         });

}  // namespace
}  // namespace reheap
