// The process that makes the calls on the running kernel: reads batches of operations from descriptor 0,
// carries each out by the bare system call, answers with what the kernel said and how the process looks after
// it.
//
// It must never move its own layout, so it is no ordinary program: no C library, no allocation, no thread
// storage; every buffer is static and was written before the first batch, and a fault is caught on a stack of
// its own. The same source is built for 64 and for 32 bits (BUILD.bazel). It survives whatever happens outside
// of the mappings that it started with.
#include "tests/differential/lockstep/protocol.h"

// Syscall(number, six arguments) for both ABIs, where a fault of the next two functions continues
// (AccessFailed), the signal return, and the entry point.
#if defined(__x86_64__)
asm(R"(
  .text
  .globl Syscall, ReadByte, WriteByte, AccessFailed, SignalReturn, _start
Syscall:
  mov %rdi, %rax
  mov %rsi, %rdi
  mov %rdx, %rsi
  mov %rcx, %rdx
  mov %r8, %r10
  mov %r9, %r8
  mov 8(%rsp), %r9
  syscall
  ret
ReadByte:
  movb (%rdi), %al
  xor %eax, %eax
  ret
WriteByte:
  movb $1, (%rdi)
  xor %eax, %eax
  ret
AccessFailed:
  mov $1, %eax
  ret
SignalReturn:
  mov $15, %eax
  syscall
_start:
  xor %ebp, %ebp
  mov %rsp, %rdi
  and $-16, %rsp
  call ExecutorMain
)");
#elif defined(__i386__)
asm(R"(
  .text
  .globl Syscall, ReadByte, WriteByte, AccessFailed, SignalReturn, _start
Syscall:
  push %ebx
  push %esi
  push %edi
  push %ebp
  mov 20(%esp), %eax
  mov 24(%esp), %ebx
  mov 28(%esp), %ecx
  mov 32(%esp), %edx
  mov 36(%esp), %esi
  mov 40(%esp), %edi
  mov 44(%esp), %ebp
  call *kernel_entry
  pop %ebp
  pop %edi
  pop %esi
  pop %ebx
  ret
ReadByte:
  mov 4(%esp), %ecx
  movb (%ecx), %al
  xor %eax, %eax
  ret
WriteByte:
  mov 4(%esp), %ecx
  movb $1, (%ecx)
  xor %eax, %eax
  ret
AccessFailed:
  mov $1, %eax
  ret
SignalReturn:
  mov $173, %eax
  int $0x80
Interrupt:
  int $0x80
  ret
_start:
  xor %ebp, %ebp
  mov %esp, %eax
  and $-16, %esp
  sub $12, %esp
  push %eax
  call ExecutorMain
  .pushsection .data
  .globl kernel_entry
kernel_entry:
  .long Interrupt
  .popsection
)");
extern "C" void* kernel_entry;  // how Syscall enters the kernel
#else
#error "call_executor.cc knows the system calls of x86 only"
#endif

extern "C" {
using Word = long;
Word Syscall(Word number, Word a, Word b, Word c, Word d, Word e, Word f);
int ReadByte(Word addr);
int WriteByte(Word addr);
void AccessFailed();
void SignalReturn();
[[noreturn]] void ExecutorMain(Word* stack);

// The compiler may call these.
void* memset(void* to, int value, __SIZE_TYPE__ bytes) {
  for (__SIZE_TYPE__ i = 0; i < bytes; ++i) static_cast<volatile char*>(to)[i] = static_cast<char>(value);
  return to;
}
void* memcpy(void* to, const void* from, __SIZE_TYPE__ bytes) {
  for (__SIZE_TYPE__ i = 0; i < bytes; ++i) {
    static_cast<volatile char*>(to)[i] = static_cast<const char*>(from)[i];
  }
  return to;
}
}

namespace reheap {
namespace {

// ---- the kernel's numbers: arch/x86/entry/syscalls/syscall_64.tbl, syscall_32.tbl, linux 6.12 ----

#if defined(__x86_64__)
constexpr Word kRead = 0, kWrite = 1, kOpen = 2, kSeek = 8, kSigaction = 13, kAltstack = 131, kDup2 = 33,
               kClose = 3, kExit = 231, kPrlimit = 302, kMemfd = 319, kTruncate = 77, kForkCall = 57,
               kWait = 61, kPipe = 22;
constexpr int kInstructionPointer = 168;  // in struct ucontext: 40 bytes, then the 17th register
#else
constexpr Word kRead = 3, kWrite = 4, kOpen = 5, kSeek = 19, kSigaction = 174, kAltstack = 186, kDup2 = 63,
               kClose = 6, kExit = 252, kPrlimit = 340, kMemfd = 356, kTruncate = 194, kForkCall = 2,
               kWait = 114, kPipe = 42;
constexpr Word kMmap2 = 192;
constexpr int kInstructionPointer = 76;  // in struct ucontext_ia32: 20 bytes, then the 15th register
#endif

constexpr Word kSegv = 11, kBus = 7;
// The files that each answer reads keep numbers that no new file gets (kFile answers 3, 4, ...).
constexpr Word kStatmDescriptor = 100, kMapsDescriptor = 101;
constexpr Word kFromChildDescriptor = 103, kToParentDescriptor = 104;

Word Call(Word number, Word a = 0, Word b = 0, Word c = 0, Word d = 0, Word e = 0, Word f = 0) {
  return Syscall(number, a, b, c, d, e, f);
}
Word AddressOf(const volatile void* p) { return reinterpret_cast<Word>(p); }

[[noreturn]] void Exit(int status) {
  for (;;) Call(kExit, status);
}

// ---- static memory ----

char read_buffer[65536];
char signal_stack[65536];
alignas(4096) char untouched_page[4096];
Operation operations[kMaxBatch];
Answer answers[kMaxBatch];
BatchHeader header = {1, 1};  // in .data: the model looks for the executable's writable mapping
uint32_t last_signal;

// ---- touching ----

struct KernelSigaction {
  void (*handler)(int, void*, void*);
  unsigned long flags;
  void (*restorer)();
  uint64_t mask;
};

// Continues after the access that faulted. A fault anywhere else is the executor's own.
void OnFault(int signal, void*, void* context) {
  auto* const at = reinterpret_cast<Word*>(static_cast<char*>(context) + kInstructionPointer);
  const bool is_access = *at >= AddressOf(reinterpret_cast<void*>(&ReadByte)) &&
                         *at < AddressOf(reinterpret_cast<void*>(&AccessFailed));
  if (!is_access) Exit(90);
  last_signal = static_cast<uint32_t>(signal);
  *at = AddressOf(reinterpret_cast<void*>(&AccessFailed));
}

void CatchFaults() {
  struct {
    const void* start;
    int flags;
    unsigned long bytes;
  } stack = {signal_stack, 0, sizeof(signal_stack)};
  Call(kAltstack, AddressOf(&stack));
  // SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_NODEFER
  KernelSigaction action = {&OnFault, 0x4 | 0x04000000 | 0x08000000 | 0x40000000, &SignalReturn, 0};
  Call(kSigaction, kSegv, AddressOf(&action), 0, sizeof(action.mask));
  Call(kSigaction, kBus, AddressOf(&action), 0, sizeof(action.mask));
}

Answer Touch(const uint64_t* arguments) {
  Answer answer;
  for (; answer.value < arguments[1]; ++answer.value) {
    const Word at = static_cast<Word>(arguments[0] + answer.value * arguments[2]);
    if ((arguments[3] != 0 ? WriteByte(at) : ReadByte(at)) == 0) continue;
    answer.error = last_signal == kBus ? kErrorBusError : kErrorSegmentationFault;
    break;
  }
  return answer;
}

// ---- the other operations with code of their own ----

Answer FromResult(Word result) {
  Answer answer;
  // -4095 .. -1 are errors (include/linux/err.h, linux 6.12).
  if (static_cast<unsigned long>(result) >= static_cast<unsigned long>(-4095)) {
    answer.error = static_cast<uint32_t>(-result);
  } else {
    answer.value = static_cast<unsigned long>(result);
  }
  return answer;
}

Answer SetLimit(uint64_t resource, uint64_t bytes) {
  uint64_t limit[2];
  Call(kPrlimit, 0, static_cast<Word>(resource), 0, AddressOf(limit));
  limit[0] = bytes < limit[1] ? bytes : limit[1];
  return FromResult(Call(kPrlimit, 0, static_cast<Word>(resource), AddressOf(limit), 0));
}

Answer MakeFile(uint64_t bytes, bool on_disk) {
  constexpr Word kTmpfileReadWrite = 020000000 | 0200000 | 2;  // O_TMPFILE | O_RDWR
  const Word file =
      on_disk ? Call(kOpen, AddressOf("/tmp"), kTmpfileReadWrite, 0600) : Call(kMemfd, AddressOf("reheap"), 0);
  if (file < 0) return FromResult(file);
#if defined(__x86_64__)
  const Word done = Call(kTruncate, file, static_cast<Word>(bytes));
#else
  const Word done = Call(kTruncate, file, static_cast<Word>(bytes), static_cast<Word>(bytes >> 32));
#endif
  if (done < 0) return FromResult(done);
  // Written, so that all of it is in memory, in pieces that are no huge pages.
  for (uint64_t at = 0; on_disk && at < bytes;) {
    const uint64_t piece = bytes - at < sizeof(read_buffer) ? bytes - at : sizeof(read_buffer);
    const Word written = Call(kWrite, file, AddressOf(read_buffer), static_cast<Word>(piece));
    if (written <= 0) return FromResult(written < 0 ? written : -5);
    at += static_cast<unsigned long>(written);
  }
  return FromResult(file);
}

// ---- looking at itself ----

// The bytes of a /proc file, one after the other; 0 at its end.
class ProcReader {
 public:
  explicit ProcReader(Word descriptor) : descriptor_(descriptor) { Call(kSeek, descriptor, 0, 0); }
  char Next() {
    if (next_ == end_) {
      next_ = 0;
      end_ = Call(kRead, descriptor_, AddressOf(read_buffer), sizeof(read_buffer));
      if (end_ <= 0) {
        end_ = 0;
        return 0;
      }
    }
    return read_buffer[next_++];
  }
  uint64_t Decimal() {
    char c = Next();
    while (c == ' ') c = Next();
    uint64_t value = 0;
    for (; c >= '0' && c <= '9'; c = Next()) value = value * 10 + static_cast<uint64_t>(c - '0');
    return value;
  }
  // A number whose first character is `c`; takes the character behind it as well.
  uint64_t Hex(char c) {
    uint64_t value = 0;
    for (;; c = Next()) {
      if (c >= '0' && c <= '9') {
        value = value << 4 | static_cast<uint64_t>(c - '0');
      } else if (c >= 'a' && c <= 'f') {
        value = value << 4 | static_cast<uint64_t>(c - 'a' + 10);
      } else {
        return value;
      }
    }
  }
  void SkipLine() {
    char c = Next();
    while (c != '\n' && c != 0) c = Next();
  }

 private:
  const Word descriptor_;
  Word next_ = 0, end_ = 0;
};

void ObserveCounters(Answer* answer) {
  ProcReader statm(kStatmDescriptor);
  answer->vsize_pages = statm.Decimal();
  const uint64_t resident = statm.Decimal(), shared = statm.Decimal();
  answer->rss_anonymous_pages = resident - shared;
  statm.Decimal();  // text
  statm.Decimal();  // lib
  answer->data_pages = statm.Decimal();
}

void ObserveLayout(Answer* answer) {
  ProcReader maps(kMapsDescriptor);
  LayoutHash hash;
  for (;;) {
    const char first = maps.Next();
    if (first == 0) break;
    const uint64_t start = maps.Hex(first), end = maps.Hex(maps.Next());
    uint32_t access = 0;
    if (maps.Next() == 'r') access |= 1;
    if (maps.Next() == 'w') access |= 2;
    if (maps.Next() == 'x') access |= 4;
    if (maps.Next() == 's') access |= 8;
    maps.Next();
    const uint64_t offset = maps.Hex(maps.Next());
    maps.SkipLine();
    if (start >= uint64_t{0xffff} << 48) break;  // [vsyscall] is no mapping of the process
    // The offset of shared memory that has no name is the kernel's own affair.
    hash.Add(start, end, access, access & 8 ? 0 : offset);
    ++answer->mapping_count;
  }
  answer->layout_hash = hash.value();
}

// Any piece of a page table that is emptied adds up what the thread has counted (add_mm_rss_vec, mm/memory.c, linux 6.1),
// also when nothing is in it.
void SyncCounters() {
#if defined(__x86_64__)
  const Word number = InfoOf(OperationKind::kMadvise).amd64_call;
#else
  const Word number = InfoOf(OperationKind::kMadvise).i386_call;
#endif
  Call(number, AddressOf(untouched_page), sizeof(untouched_page), 4 /* MADV_DONTNEED */);
}

void Observe(uint32_t what, Answer* answer) {
  if (what & kSyncCounters) SyncCounters();
  ObserveCounters(answer);
  if (what & kObserveLayout) ObserveLayout(answer);
}

// ---- a child ----

void OpenAt(const char* path, Word wanted) {
  const Word file = Call(kOpen, AddressOf(path), 0);
  if (file < 0 || Call(kDup2, file, wanted) != wanted) Exit(91);
  Call(kClose, file);
}

// /proc/self is of the process that opens it.
void OpenOwnFiles() {
  OpenAt("/proc/self/statm", kStatmDescriptor);
  OpenAt("/proc/self/maps", kMapsDescriptor);
}

Answer of_child;

// The child looks at itself, tells and ends; everything that it writes to was written by its parent.
Answer Fork(uint32_t observe) {
  const Word child = Call(kForkCall);
  if (child == 0) {
    OpenOwnFiles();
    of_child = Answer();
    Observe(observe | kObserveLayout, &of_child);
    Exit(Call(kWrite, kToParentDescriptor, AddressOf(&of_child), sizeof(of_child)) == sizeof(of_child) ? 0 : 94);
  }
  if (child < 0) return FromResult(child);
  if (Call(kRead, kFromChildDescriptor, AddressOf(&of_child), sizeof(of_child)) != sizeof(of_child)) Exit(95);
  Call(kWait, child, 0, 0, 0);
  Answer answer;
  answer.value = ChildView(of_child);
  return answer;
}

// ---- one operation ----

Answer Carry(const Operation& operation, uint32_t observe) {
  const uint64_t* const a = operation.arguments;
  switch (operation.kind) {
    case OperationKind::kTouch:
      return Touch(a);
    case OperationKind::kRlimit:
      return SetLimit(a[0], a[1]);
    case OperationKind::kFile:
      return MakeFile(a[0], a[1] != 0);
    case OperationKind::kFork:
      return Fork(observe);
    default:
      break;
  }
#if defined(__x86_64__)
  const Word number = InfoOf(operation.kind).amd64_call;
#else
  if (operation.kind == OperationKind::kMmap) {
    if (a[5] % 4096 != 0) return FromResult(-22);  // mmap2 cannot say it; mmap answers EINVAL
    return FromResult(Call(kMmap2, static_cast<Word>(a[0]), static_cast<Word>(a[1]), static_cast<Word>(a[2]),
                           static_cast<Word>(a[3]), static_cast<Word>(a[4]), static_cast<Word>(a[5] >> 12)));
  }
  const Word number = InfoOf(operation.kind).i386_call;
#endif
  return FromResult(Call(number, static_cast<Word>(a[0]), static_cast<Word>(a[1]), static_cast<Word>(a[2]),
                         static_cast<Word>(a[3]), static_cast<Word>(a[4]), static_cast<Word>(a[5])));
}

// ---- starting, and the loop ----

// Between a child and its parent.
void OpenPipe() {
  int ends[2];
  if (Call(kPipe, AddressOf(ends)) != 0 || Call(kDup2, ends[0], kFromChildDescriptor) < 0 ||
      Call(kDup2, ends[1], kToParentDescriptor) < 0) {
    Exit(96);
  }
  Call(kClose, ends[0]);
  Call(kClose, ends[1]);
}

void WriteAll(volatile char* from, unsigned long bytes) {
  for (unsigned long i = 0; i < bytes; i += 4096) from[i] = 0;
  from[bytes - 1] = 0;
}

// Every page of stack that a call needs is there before the first comparison.
void WriteStack() {
  volatile char frame[32768];
  WriteAll(frame, sizeof(frame));
}

// Moves `bytes` by `call` (read or write); false at the end of the stream.
bool Transfer(Word call, Word descriptor, void* data, unsigned long bytes) {
  for (unsigned long done = 0; done < bytes;) {
    const Word n = Call(call, descriptor, AddressOf(static_cast<char*>(data) + done),
                        static_cast<Word>(bytes - done));
    if (n <= 0) return false;
    done += static_cast<unsigned long>(n);
  }
  return true;
}

void Run() {
  // The page tables of the static memory are complete from here on.
  WriteAll(read_buffer, sizeof(read_buffer));
  WriteAll(signal_stack, sizeof(signal_stack));
  WriteAll(reinterpret_cast<volatile char*>(operations), sizeof(operations));
  WriteAll(reinterpret_cast<volatile char*>(answers), sizeof(answers));
  WriteAll(reinterpret_cast<volatile char*>(&of_child), sizeof(of_child));
  WriteStack();
  CatchFaults();
  OpenOwnFiles();
  OpenPipe();
  while (Transfer(kRead, 0, &header, sizeof(header)) && header.operations != 0 &&
         header.operations <= kMaxBatch) {
    if (!Transfer(kRead, 0, operations, header.operations * sizeof(Operation))) Exit(92);
    for (uint32_t i = 0; i < header.operations; ++i) {
      answers[i] = Carry(operations[i], header.observe);
      Observe(header.observe, &answers[i]);
    }
    if (!Transfer(kWrite, 1, answers, header.operations * sizeof(Answer))) Exit(93);
  }
}

}  // namespace
}  // namespace reheap

// `stack`: argc, the arguments and a null, the environment and a null, the auxiliary vector in pairs up to one of
// type 0.
void ExecutorMain([[maybe_unused]] Word* stack) {
#if defined(__i386__)
  constexpr Word kSysinfo = 32;  // AT_SYSINFO: the vdso's way into the kernel, six times faster in a guest
  Word* at = stack + stack[0] + 2;
  while (*at++ != 0) {
  }
  for (; at[0] != 0; at += 2) {
    if (at[0] == kSysinfo) kernel_entry = reinterpret_cast<void*>(at[1]);
  }
#endif
  reheap::Run();
  reheap::Exit(0);
}
