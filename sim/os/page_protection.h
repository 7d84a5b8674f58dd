// PageProtection: the PAGE_* and MEM_* numbers of the reserve-and-commit calls, and what a program may do
// with a page under each (row 9).
//
// One word says everything of a page: one of eight kinds (none, read, write, copy on write, each with or
// without execution) and modifiers. Which words are valid is one rule for all calls that take one.
//
// Pure functions: no ownership, any thread.
#ifndef REHEAP_SIM_OS_PAGE_PROTECTION_H_
#define REHEAP_SIM_OS_PAGE_PROTECTION_H_

#include <cstdint>

#include "sim/os/address_space.h"

namespace reheap {

// winnt.h: allocation types and states.
inline constexpr uint32_t kMemCommit = 0x1000;
inline constexpr uint32_t kMemReserve = 0x2000;
inline constexpr uint32_t kMemDecommit = 0x4000;
inline constexpr uint32_t kMemRelease = 0x8000;
inline constexpr uint32_t kMemFree = 0x10000;
inline constexpr uint32_t kMemPrivate = 0x20000;
inline constexpr uint32_t kMemMapped = 0x40000;
inline constexpr uint32_t kMemReset = 0x80000;
inline constexpr uint32_t kMemTopDown = 0x100000;
inline constexpr uint32_t kMemWriteWatch = 0x200000;
inline constexpr uint32_t kMemPhysical = 0x400000;
inline constexpr uint32_t kMemImage = 0x1000000;
inline constexpr uint32_t kMemResetUndo = 0x1000000;
inline constexpr uint32_t kMemLargePages = 0x20000000;

// winnt.h: page protection.
inline constexpr uint32_t kPageNoAccess = 0x01;
inline constexpr uint32_t kPageReadOnly = 0x02;
inline constexpr uint32_t kPageReadWrite = 0x04;
inline constexpr uint32_t kPageWriteCopy = 0x08;
inline constexpr uint32_t kPageExecute = 0x10;
inline constexpr uint32_t kPageExecuteRead = 0x20;
inline constexpr uint32_t kPageExecuteReadWrite = 0x40;
inline constexpr uint32_t kPageExecuteWriteCopy = 0x80;
inline constexpr uint32_t kPageGuard = 0x100;
inline constexpr uint32_t kPageNoCache = 0x200;
inline constexpr uint32_t kPageWriteCombine = 0x400;

// Exactly one kind, and modifiers that go together.
bool IsValidProtection(uint32_t protection);
// Copies its page on the first write: for views of sections and images, not for private memory.
bool IsCopyOnWrite(uint32_t protection);
// Sets `traits` to what an access under `protection` (valid, or 0 = not committed) may do, and remembers it.
void SetProtection(uint32_t protection, MappingTraits* traits);
// The protection whose access `traits` has; for mappings that come with r, w, x only.
uint32_t ProtectionOf(const MappingTraits& traits);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_PAGE_PROTECTION_H_
