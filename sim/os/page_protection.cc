#include "sim/os/page_protection.h"

#include <bit>

namespace reheap {
namespace {

constexpr uint32_t kKinds = 0xff;
constexpr uint32_t kModifiers = kPageGuard | kPageNoCache | kPageWriteCombine;
constexpr uint32_t kWritable =
    kPageReadWrite | kPageWriteCopy | kPageExecuteReadWrite | kPageExecuteWriteCopy;
constexpr uint32_t kExecutable =
    kPageExecute | kPageExecuteRead | kPageExecuteReadWrite | kPageExecuteWriteCopy;

}  // namespace

// MiMakeProtectionMask, ntoskrnl/mm/ARM3/section.c, ReactOS (written after Windows Server 2003); the same
// words in Microsoft, "Memory Protection Constants": guard, no-cache and write-combine exclude one another
// and PAGE_NOACCESS.
bool IsValidProtection(uint32_t protection) {
  const uint32_t kind = protection & kKinds, modifiers = protection & kModifiers;
  if ((protection & ~(kKinds | kModifiers)) != 0 || !std::has_single_bit(kind)) return false;
  return modifiers == 0 || (kind != kPageNoAccess && std::has_single_bit(modifiers));
}

bool IsCopyOnWrite(uint32_t protection) { return protection & (kPageWriteCopy | kPageExecuteWriteCopy); }

void SetProtection(uint32_t protection, MappingTraits* traits) {
  const uint32_t kind = protection & kKinds;
  // Any access to a guard page faults once (Microsoft, "Creating Guard Pages"); x86 page tables have no page
  // that can be executed and not read.
  const bool is_open = kind != 0 && kind != kPageNoAccess && (protection & kPageGuard) == 0;
  traits->read = is_open;
  traits->write = is_open && (kind & kWritable) != 0;
  traits->execute = is_open && (kind & kExecutable) != 0;
  traits->page_protection = static_cast<uint16_t>(protection);
}

uint32_t ProtectionOf(const MappingTraits& traits) {
  if (traits.write) return traits.execute ? kPageExecuteReadWrite : kPageReadWrite;
  if (traits.execute) return kPageExecuteRead;
  return traits.read ? kPageReadOnly : kPageNoAccess;
}

}  // namespace reheap
