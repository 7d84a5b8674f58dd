// Operation: one thing that a process asks of its kernel, in numbers that the kernel, the model, the executor
// and a script line share.
//
// kOperations is the table of the kinds: a plain system call needs no more than its row to be carried out by
// the executor and to be a script line. What the model makes of a kind is in model_side.cc; how often and with
// which arguments it is drawn is in operation_mix.cc.
//
// Also compiled without a C library and for 32 bits (call_executor.cc): plain data, <stdint.h> only.
#ifndef REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_OPERATION_H_
#define REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_OPERATION_H_

#include <stdint.h>

namespace reheap {

enum class OperationKind : uint32_t {
  kMmap,  // ADDR LEN PROT FLAGS DESCRIPTOR OFFSET
  kMunmap,
  kMprotect,
  kMadvise,
  kMremap,
  kBrk,
  kTouch,   // ADDR COUNT STRIDE WRITE: answers how many were accessed before a signal
  kRlimit,  // RESOURCE BYTES: the soft limit, all ones = unlimited
  kMlock,
  kMunlock,
  kMlockall,
  kMunlockall,
  kFile,  // BYTES ON_DISK: answers the descriptor of a new file, sparse in memory (memfd) or written on a disk
  kFork,  // a child that ends at once: what fork charges is refused, or not; answers what the child saw
  kMseal,
  kCount,
};

inline constexpr int kMaxArguments = 6;

struct Operation {
  OperationKind kind = OperationKind::kMunmap;
  uint32_t unused = 0;  // the same layout on both word sizes
  uint64_t arguments[kMaxArguments] = {};

  friend bool operator==(const Operation&, const Operation&) = default;
};
static_assert(sizeof(Operation) == 8 + 8 * kMaxArguments);

struct OperationInfo {
  const char* name;
  uint32_t arguments;  // of a script line
  // Numbers of the system call (arch/x86/entry/syscalls/syscall_{64,32}.tbl, linux 6.12); 0 = the executor
  // has code of its own for it.
  uint32_t amd64_call;
  uint32_t i386_call;
};

// In the order of OperationKind.
inline constexpr OperationInfo kOperations[] = {
    {"mmap", 6, 9, 0},  // i386 has mmap2, which counts the offset in pages
    {"munmap", 2, 11, 91},
    {"mprotect", 3, 10, 125},
    {"madvise", 3, 28, 219},
    {"mremap", 5, 25, 163},
    {"brk", 1, 12, 45},
    {"touch", 4, 0, 0},
    {"rlimit", 2, 0, 0},
    {"mlock", 2, 149, 150},
    {"munlock", 2, 150, 151},
    {"mlockall", 1, 151, 152},
    {"munlockall", 0, 152, 153},
    {"file", 2, 0, 0},
    {"fork", 0, 0, 0},
    {"mseal", 3, 462, 462},
};
static_assert(sizeof(kOperations) / sizeof(kOperations[0]) == static_cast<uint32_t>(OperationKind::kCount));

inline constexpr const OperationInfo& InfoOf(OperationKind kind) {
  return kOperations[static_cast<uint32_t>(kind)];
}

// RLIMIT_* (include/uapi/asm-generic/resource.h, linux 6.12).
inline constexpr uint64_t kResourceData = 2;
inline constexpr uint64_t kResourceStack = 3;
inline constexpr uint64_t kResourceLocked = 8;
inline constexpr uint64_t kResourceAddress = 9;
inline constexpr uint64_t kNoLimit = ~uint64_t{0};

// What a touch answers in the place of an errno (as `reheap os` does; 1002, killed for want of memory, no executor
// lives to say).
inline constexpr uint32_t kErrorSegmentationFault = 1001;
inline constexpr uint32_t kErrorKilled = 1002;
inline constexpr uint32_t kErrorBusError = 1003;

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_OPERATION_H_
