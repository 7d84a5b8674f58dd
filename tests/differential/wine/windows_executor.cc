// Carries out one memory call of Windows per line of stdin and answers with a line on stdout: the far end of
// wine_lockstep_test, built by that test with MinGW and run under Wine. Not part of the Bazel build.
//
//   a ADDR BYTES TYPE PROTECTION   VirtualAlloc    -> ADDRESS ERROR
//   f ADDR BYTES TYPE              VirtualFree     -> 0 ERROR
//   p ADDR BYTES PROTECTION        VirtualProtect  -> OLD ERROR
//   q ADDR                         VirtualQuery    -> BASE BYTES ALLOCATION_BASE ALLOCATION_PROTECTION STATE
//                                                     PROTECTION TYPE ERROR
//   r ADDR / w ADDR                one access      -> 1, or 0 where it raised an exception
//   R ADDR                         reads 8 bytes   -> 1 VALUE, or 0 where it raised an exception
//   W ADDR VALUE                   writes 8 bytes  -> 1, or 0
//   m                              all regions that are not free, a line each as q; then "."
//   z                              releases what was not there at the start -> 0 0
//
// All numbers are hexadecimal. It allocates nothing while it answers, so that its own regions stay as they
// are.
#include <setjmp.h>
#include <windows.h>

namespace {

constexpr int kBuffer = 1 << 16;
char input[kBuffer];
char output[kBuffer];
DWORD input_at, input_end;
int output_bytes;

void Flush() {
  DWORD done = 0;
  WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), output, output_bytes, &done, nullptr);
  output_bytes = 0;
}

void Put(char c) {
  if (output_bytes == kBuffer) Flush();
  output[output_bytes++] = c;
}

void PutHex(unsigned long long value, char end) {
  int shift = 60;
  while (shift > 0 && (value >> shift) == 0) shift -= 4;
  for (; shift >= 0; shift -= 4) Put("0123456789abcdef"[value >> shift & 15]);
  Put(end);
}

// -1 at the end of input.
int Get() {
  if (input_at == input_end) {
    input_at = input_end = 0;
    if (!ReadFile(GetStdHandle(STD_INPUT_HANDLE), input, kBuffer, &input_end, nullptr)) return -1;
    if (input_end == 0) return -1;
  }
  return static_cast<unsigned char>(input[input_at++]);
}

unsigned long long GetHex() {
  unsigned long long value = 0;
  int c = Get();
  while (c == ' ') c = Get();
  for (; c > ' '; c = Get()) value = value << 4 | static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
  return value;
}

void* GetAddress() { return reinterpret_cast<void*>(GetHex()); }

void PutRegion(const MEMORY_BASIC_INFORMATION& m, DWORD error) {
  PutHex(reinterpret_cast<unsigned long long>(m.BaseAddress), ' ');
  PutHex(m.RegionSize, ' ');
  PutHex(reinterpret_cast<unsigned long long>(m.AllocationBase), ' ');
  PutHex(m.AllocationProtect, ' ');
  PutHex(m.State, ' ');
  PutHex(m.Protect, ' ');
  PutHex(m.Type, ' ');
  PutHex(error, '\n');
}

jmp_buf after_fault;
volatile bool is_touching;

LONG CALLBACK OnException(EXCEPTION_POINTERS*) {
  if (!is_touching) return EXCEPTION_CONTINUE_SEARCH;
  is_touching = false;
  __builtin_longjmp(after_fault, 1);
}

void Touch(char* a, bool write) {
  is_touching = true;
  if (__builtin_setjmp(after_fault) == 0) {
    volatile char* const page = a;
    if (write) {
      *page = 1;
    } else {
      (void)*page;
    }
    is_touching = false;
    PutHex(1, '\n');
    return;
  }
  PutHex(0, '\n');
}

void ReadWord(unsigned long long* a) {
  is_touching = true;
  if (__builtin_setjmp(after_fault) == 0) {
    const unsigned long long value = *const_cast<volatile unsigned long long*>(a);
    is_touching = false;
    PutHex(1, ' ');
    PutHex(value, '\n');
    return;
  }
  PutHex(0, '\n');
}

void WriteWord(unsigned long long* a, unsigned long long value) {
  is_touching = true;
  if (__builtin_setjmp(after_fault) == 0) {
    *const_cast<volatile unsigned long long*>(a) = value;
    is_touching = false;
    PutHex(1, '\n');
    return;
  }
  PutHex(0, '\n');
}

constexpr int kMostRegions = 4096;
void* first_bases[kMostRegions];
int first_count;

// Calls visit for every region that is not free, lowest first.
template <class Visit>
void ForEachRegion(Visit visit) {
  MEMORY_BASIC_INFORMATION m;
  for (char* at = nullptr; VirtualQuery(at, &m, sizeof(m)) != 0;) {
    at = static_cast<char*>(m.BaseAddress) + m.RegionSize;
    if (m.State != MEM_FREE) visit(m);
  }
}

bool WasThere(void* base) {
  for (int i = 0; i < first_count; ++i) {
    if (first_bases[i] == base) return true;
  }
  return false;
}

void ReleaseAll() {
  ForEachRegion([](const MEMORY_BASIC_INFORMATION& m) {
    if (m.BaseAddress == m.AllocationBase && !WasThere(m.AllocationBase)) {
      VirtualFree(m.AllocationBase, 0, MEM_RELEASE);
    }
  });
  PutHex(0, ' ');
  PutHex(0, '\n');
}

void Alloc() {
  void* const addr = GetAddress();
  const SIZE_T bytes = GetHex();
  const DWORD type = static_cast<DWORD>(GetHex()), protection = static_cast<DWORD>(GetHex());
  void* const got = VirtualAlloc(addr, bytes, type, protection);
  const DWORD error = got != nullptr ? 0 : GetLastError();
  PutHex(reinterpret_cast<unsigned long long>(got), ' ');
  PutHex(error, '\n');
}

void Free() {
  void* const addr = GetAddress();
  const SIZE_T bytes = GetHex();
  const DWORD type = static_cast<DWORD>(GetHex());
  const DWORD error = VirtualFree(addr, bytes, type) ? 0 : GetLastError();
  PutHex(0, ' ');
  PutHex(error, '\n');
}

void Protect() {
  void* const addr = GetAddress();
  const SIZE_T bytes = GetHex();
  const DWORD protection = static_cast<DWORD>(GetHex());
  DWORD old = 0;
  const DWORD error = VirtualProtect(addr, bytes, protection, &old) ? 0 : GetLastError();
  PutHex(error == 0 ? old : 0, ' ');
  PutHex(error, '\n');
}

void Query() {
  void* const addr = GetAddress();
  MEMORY_BASIC_INFORMATION m = {};
  const DWORD error = VirtualQuery(addr, &m, sizeof(m)) != 0 ? 0 : GetLastError();
  if (error != 0) m = MEMORY_BASIC_INFORMATION();
  PutRegion(m, error);
}

void Answer(int command) {
  switch (command) {
    case 'a':
      return Alloc();
    case 'f':
      return Free();
    case 'p':
      return Protect();
    case 'q':
      return Query();
    case 'r':
      return Touch(static_cast<char*>(GetAddress()), false);
    case 'w':
      return Touch(static_cast<char*>(GetAddress()), true);
    case 'R':
      return ReadWord(static_cast<unsigned long long*>(GetAddress()));
    case 'W': {
      auto* const a = static_cast<unsigned long long*>(GetAddress());
      return WriteWord(a, GetHex());
    }
    case 'z':
      return ReleaseAll();
    case 'm':
      ForEachRegion([](const MEMORY_BASIC_INFORMATION& m) { PutRegion(m, 0); });
      Put('.');
      Put('\n');
      return;
    default:
      return;
  }
}

}  // namespace

int main() {
  AddVectoredExceptionHandler(1, OnException);
  char* const page = static_cast<char*>(VirtualAlloc(nullptr, 4096, MEM_RESERVE, PAGE_NOACCESS));
  Touch(page, true);  // walks the path of an exception once
  VirtualFree(page, 0, MEM_RELEASE);
  output_bytes = 0;
  ForEachRegion([](const MEMORY_BASIC_INFORMATION& m) {
    if (first_count < kMostRegions) first_bases[first_count++] = m.AllocationBase;
  });
  for (int command = Get(); command != -1; command = Get()) {
    if (command <= ' ') continue;
    Answer(command);
    Flush();
  }
  return 0;
}
