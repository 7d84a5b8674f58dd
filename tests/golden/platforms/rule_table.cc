#include "tests/golden/platforms/rule_table.h"

#include <gtest/gtest.h>

#include <sstream>

#include "sim/os/platform_catalog.h"

namespace reheap {
namespace {

struct Answer {
  uint64_t value = kOk;
  int error = 0;
};

Answer AnswerOf(const OsResult<Addr>& result) {
  if (!result.ok()) return {kOk, result.refusal().os_error};
  return {result.value().value(), 0};
}
Answer AnswerOf(const OsResult<Done>& result) { return {kOk, result.ok() ? 0 : result.refusal().os_error}; }

Answer LimitTo(VirtualOs& os, uint64_t bytes) {
  ProcessLimits limits = os.limits();
  limits.address_bytes = bytes;
  return AnswerOf(os.ChangeLimits(limits));
}

Answer Query(const VirtualOs& os, const Step& s) {
  const OsResult<RegionInfo> got = os.VirtualQuery(Addr(s.addr));
  if (!got.ok()) return {kOk, got.refusal().os_error};
  const RegionInfo& region = got.value();
  if (s.kind == Step::kRegionBytes) return {region.region_bytes, 0};
  return {region.state | uint64_t{region.protection} << 32 | uint64_t{region.allocation_protection} << 48, 0};
}

Answer Take(VirtualOs& os, const Step& s, const OsUsage& image) {
  const Addr addr(s.addr);
  const uint32_t flags = static_cast<uint32_t>(s.flags);
  switch (s.kind) {
    case Step::kMap:
      return AnswerOf(os.Mmap(addr, s.bytes, s.protection, s.flags));
    case Step::kMapFile:
      return AnswerOf(os.Mmap(addr, s.bytes, s.protection, s.flags, MapFile{3, 0}));
    case Step::kUnmap:
      return AnswerOf(os.Munmap(addr, s.bytes));
    case Step::kProtect:
      return AnswerOf(os.Mprotect(addr, s.bytes, s.protection));
    case Step::kAdvise:
      return AnswerOf(os.Madvise(addr, s.bytes, s.flags));
    case Step::kRemap:
      return AnswerOf(os.Mremap(addr, s.bytes, s.bytes, s.flags, Addr(s.to)));
    case Step::kBreak:
      return AnswerOf(os.Brk(addr));
    case Step::kWrite:
      return {os.Touch(addr, true), 0};
    case Step::kReadPage:
      return {os.Touch(addr, false), 0};
    case Step::kResident:
      return {os.Usage().rss_anonymous_bytes - image.rss_anonymous_bytes, 0};
    case Step::kFootprint:
      return {os.Status().footprint_bytes - image.rss_anonymous_bytes, 0};
    case Step::kLazy:
      return {os.Status().lazily_freed_bytes, 0};
    case Step::kTables:
      return {os.Status().page_table_bytes, 0};
    case Step::kLock:
      return AnswerOf(os.Mlock(addr, s.bytes));
    case Step::kUnlock:
      return AnswerOf(os.Munlock(addr, s.bytes));
    case Step::kVsize:
      return {os.Usage().vsize_bytes - image.vsize_bytes, 0};
    case Step::kCount:
      return {os.Usage().mapping_count - image.mapping_count, 0};
    case Step::kFork: {
      const uint64_t charge = os.ForkCharge();
      return {charge, AnswerOf(os.Fork()).error};
    }
    case Step::kLimit:
      return LimitTo(os, s.bytes);
    case Step::kAlloc:
      return AnswerOf(os.VirtualAlloc(addr, s.bytes, flags, static_cast<uint32_t>(s.protection)));
    case Step::kFree:
      return AnswerOf(os.VirtualFree(addr, s.bytes, flags));
    case Step::kProtectPages: {
      uint32_t old = 0;
      const uint32_t protection = static_cast<uint32_t>(s.protection);
      const Answer answer = AnswerOf(os.VirtualProtect(addr, s.bytes, protection, &old));
      return {old, answer.error};
    }
    case Step::kRegionBytes:
    case Step::kRegionState:
      return Query(os, s);
    case Step::kCommitted:
      return {os.Usage().commit_bytes - image.commit_bytes, 0};
  }
  return {};
}

// What the image has of the sum that the platform's data limit compares.
uint64_t DataBytes(const VirtualOs& os) {
  const MappingTotals& totals = os.space().totals();
  switch (os.platform().limits.data) {
    case DataLimitRule::kPrivateWritable:
      return totals.data_bytes;
    case DataLimitRule::kAccessibleAnonymous:
      return totals.claimed_bytes;
    case DataLimitRule::kWholeMap:
    case DataLimitRule::kBreakOnly:
    case DataLimitRule::kNotEnforced:
      break;
  }
  return totals.mapped_bytes;
}

std::string Hex(uint64_t value) {
  std::ostringstream text;
  text << "0x" << std::hex << value;
  return text.str();
}

std::vector<AskedRules>& Asked() {
  static std::vector<AskedRules> asked;
  return asked;
}

}  // namespace

std::vector<std::string> Differences(const Platform& platform, const Case& c) {
  VirtualProcess process;
  process.platform = &platform;
  process.limits.ram_bytes = c.ram_bytes;
  if (c.arrange != nullptr) c.arrange(&process);
  VirtualOs unlimited(process);
  const OsUsage image = unlimited.Usage();
  if (c.address_room_bytes) process.limits.address_bytes = image.vsize_bytes + *c.address_room_bytes;
  if (c.data_room_bytes) process.limits.data_bytes = DataBytes(unlimited) + *c.data_room_bytes;
  VirtualOs os(process);
  std::vector<std::string> differences;
  int number = 0;
  for (const Step& s : c.steps) {
    ++number;
    const Answer answer = Take(os, s, image);
    os.CheckInvariants();
    if (answer.error == s.error && answer.value == s.value) continue;
    differences.push_back("step " + std::to_string(number) + ": " + Hex(answer.value) + ", error " +
                          std::to_string(answer.error) + " instead of " + Hex(s.value) + ", error " +
                          std::to_string(s.error));
  }
  return differences;
}

void ExpectRules(const std::string& platform, const std::vector<Case>& cases) {
  Asked().push_back({platform, cases});
  const Platform* const found = Platforms().Find(platform);
  ASSERT_NE(found, nullptr) << platform;
  for (const Case& c : cases) {
    for (const std::string& difference : Differences(*found, c)) {
      ADD_FAILURE() << platform << ": " << c.rule << " (" << c.source << "): " << difference;
    }
  }
}

const std::vector<AskedRules>& AllAskedRules() { return Asked(); }

}  // namespace reheap
