// RecogniseHost: the running kernel is one of the catalogue's, and so are kernels with the switches of each.
#include "sim/os/host_platform.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "sim/os/host_probe.h"
#include "sim/os/platform_catalog.h"

namespace reheap {
namespace {

HostSwitches SwitchesOf(const std::string& name) {
  const Platform& p = *Platforms().Find(name);
  HostSwitches s;
  s.os_page_bytes = p.machine.os_page_bytes;
  s.huge_alignment_bytes = p.placement.huge_alignment_for_files_only ? 0 : p.placement.huge_alignment_bytes;
  s.protect_uncharges_unwritten = p.limits.protect_uncharges_unwritten;
  s.written_joins_unwritten = p.mappings.written_joins_unwritten;
  s.new_joins_next_first = p.mappings.new_joins_next_first;
  s.remap_looks_first = p.machine.remap->order == RemapOrder::kLooksFirst;
  s.beside_source = p.machine.remap->beside_source;
  s.has_guards = std::any_of(p.advice.begin(), p.advice.end(),
                             [](const AdviceWord& w) { return w.meaning == AdviceMeaning::kInstallGuard; });
  s.replace_checks_first = p.mappings.replace == ReplaceOrder::kRemoveThenCheck;
  return s;
}

std::string Recognised(const HostSwitches& switches, const std::string& machine, const std::string& version,
                       int word_bits, bool wide_hints, bool expect_agreement) {
  const auto host = RecogniseKernel(switches, machine, version, word_bits, wide_hints);
  EXPECT_TRUE(host.ok()) << host.status();
  if (!host.ok()) return "";
  EXPECT_EQ(host->rules_agree, expect_agreement) << host->name;
  return host->name;
}

TEST(HostPlatformTest, EachReleaseIsRecognisedByItsSwitchesAndVersion) {
  for (const std::string& release : Platforms().ReleasesOf("linux-amd64")) {
    const std::string name = "linux-amd64@" + release;
    EXPECT_EQ(Recognised(SwitchesOf(name), "x86_64", release + ".44-generic", 64, false, true), name);
  }
  EXPECT_EQ(Recognised(SwitchesOf("linux-arm64-64k"), "aarch64", "6.12.1", 64, false, false),
            "linux-arm64-64k@6.12");
  EXPECT_EQ(Recognised(SwitchesOf("linux-386@6.12"), "x86_64", "6.12.1", 32, false, true), "linux-386@6.12");
  EXPECT_EQ(Recognised(SwitchesOf("linux-amd64-5level"), "x86_64", "6.18.0", 64, true, true),
            "linux-amd64-5level@6.18");
}

TEST(HostPlatformTest, KernelsBetweenAndBeyondGetTheNearest) {
  const HostSwitches old = SwitchesOf("linux-amd64@6.1"), middle = SwitchesOf("linux-amd64@6.12");
  EXPECT_EQ(Recognised(middle, "x86_64", "6.15.0", 64, false, true), "linux-amd64@6.12");
  EXPECT_EQ(Recognised(old, "x86_64", "5.10.0", 64, false, true), "linux-amd64@6.1");
  EXPECT_EQ(Recognised(SwitchesOf("linux-amd64"), "x86_64", "7.2.0", 64, false, true), "linux-amd64@6.18");
  HostSwitches neither = old;
  neither.protect_uncharges_unwritten = true;
  EXPECT_EQ(Recognised(neither, "x86_64", "6.6.9", 64, false, false), "linux-amd64@6.1");
  EXPECT_FALSE(RecogniseKernel(old, "riscv64", "6.12", 64, false).ok());
}

TEST(HostPlatformTest, TheRunningKernelIsOne) {
  const auto switches = ProbeHost();
  ASSERT_TRUE(switches.ok()) << switches.status();
  const auto host = RecogniseHost(*switches);
  ASSERT_TRUE(host.ok()) << host.status();
  const Platform* platform = Platforms().Find(host->name);
  ASSERT_NE(platform, nullptr) << host->name;
  EXPECT_EQ(platform->machine.os_page_bytes, switches->os_page_bytes);
  EXPECT_EQ(platform->machine.word_bits, static_cast<int>(sizeof(void*) * 8));
}

}  // namespace
}  // namespace reheap
