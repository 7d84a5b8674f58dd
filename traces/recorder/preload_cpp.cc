// operator new and delete, all twenty, as LD_PRELOAD exports them (row 1 of the walk).
//
// How each is carried out depends on whose operators stand behind (CppOperators in real_functions.h). Nothing here
// needs libstdc++ to be there: what belongs to it is looked up by name.
//
// Threads: any. No exception starts or is caught here; one that the program's handler or library throws
// passes through, by the unwind tables alone.
#include <stdint.h>
#include <stdlib.h>

#include <new>

#include "traces/recorder/hooks.h"
#include "traces/recorder/lane.h"
#include "traces/recorder/real_functions.h"

namespace reheap::recorder {
namespace {

// Everything one form of operator new says about itself.
struct NewForm {
  CallKind call;
  const char* name;  // mangled
  bool throws;
};

// The next operator of the name. dlsym costs a microsecond and the loader's lock, so what it found in the global
// scope is kept in `known`; an object's private one is looked up each time, since the caller may be another object.
void* NextOperator(const char* name, const void* caller, std::atomic<void*>& known) {
  void* next = known.load(std::memory_order_acquire);
  if (REHEAP_LIKELY(next != nullptr)) return next;
  next = FindNextGlobal(name);
  if (next == nullptr) return FindNext(name, caller);
  known.store(next, std::memory_order_release);
  return next;
}

bool Ready() {
  if (REHEAP_UNLIKELY(!g_resolved.load(std::memory_order_acquire))) ResolveRealFunctions();
  return g_resolved.load(std::memory_order_acquire);
}

using Handler = void (*)();

Handler FindHandler(const void* caller) {
  using GetNewHandler = Handler (*)();
  auto get = reinterpret_cast<GetNewHandler>(FindNext("_ZSt15get_new_handlerv", caller));
  return get == nullptr ? nullptr : get();
}

// As libstdc++ does it (libsupc++/new_op.cc and new_opa.cc, GCC 12): at least one byte, a whole multiple of the
// alignment, nothing for an alignment that is no power of two.
void* AllocateOnce(size_t bytes, size_t alignment) {
  if (bytes == 0) bytes = 1;
  if (alignment == 0) return g_real.malloc(bytes);
  if ((alignment & (alignment - 1)) != 0) return nullptr;
  return g_real.aligned_alloc(alignment, (bytes + alignment - 1) & ~(alignment - 1));
}

[[noreturn]] void ThrowBadAlloc(const void* caller) {
  using Throw = void (*)();
  auto throw_bad_alloc = reinterpret_cast<Throw>(FindNext("_ZSt17__throw_bad_allocv", caller));
  if (throw_bad_alloc != nullptr) throw_bad_alloc();
  abort();  // as a C++ library without exceptions does
}

// `forward` calls the next operator of the same form.
template <typename Forward>
__attribute__((noinline)) void* NewWithoutMemory(const NewForm& form, size_t bytes, size_t alignment,
                                                 const void* caller, Forward forward) {
  const bool alignment_valid = (alignment & (alignment - 1)) == 0;
  void* next = form.throws || !alignment_valid ? nullptr : FindNext(form.name, caller);
  // A handler that throws inside a nothrow form is caught by the library's own operator; it calls the
  // throwing form, which is hooked and records.
  if (next != nullptr && FindHandler(caller) != nullptr) return forward(next);
  void* pointer = nullptr;
  if (alignment_valid) {
    pointer = AllocateWithHandler([=] { return AllocateOnce(bytes, alignment); },
                                  [=] { return FindHandler(caller); });
  }
  RecordAllocation(form.call, pointer, bytes, alignment);
  if (pointer == nullptr && form.throws) ThrowBadAlloc(caller);
  return pointer;
}

template <typename Forward>
inline void* New(const NewForm& form, size_t bytes, size_t alignment, const void* caller, std::atomic<void*>& known,
                 Forward forward) {
  if (REHEAP_UNLIKELY(!Ready())) abort();  // dlsym is C
  const CppOperators whose = WhoseOperators();
  if (REHEAP_LIKELY(whose == CppOperators::kStock)) {
    void* pointer = AllocateOnce(bytes, alignment);
    if (REHEAP_UNLIKELY(pointer == nullptr)) return NewWithoutMemory(form, bytes, alignment, caller, forward);
    RecordAllocation(form.call, pointer, bytes, alignment);
    return pointer;
  }
  void* pointer = forward(NextOperator(form.name, caller, known));
  if (whose == CppOperators::kAllocators) RecordAllocation(form.call, pointer, bytes, alignment);
  return pointer;
}

template <typename Forward>
inline void Delete(CallKind call, const char* name, void* pointer, size_t bytes, size_t alignment, const void* caller,
                   std::atomic<void*>& known, Forward forward) {
  if (REHEAP_UNLIKELY(!Ready())) abort();
  const CppOperators whose = WhoseOperators();
  if (whose != CppOperators::kReplaced) RecordFree(call, pointer, bytes, alignment);
  if (REHEAP_LIKELY(whose == CppOperators::kStock)) {
    g_real.free(pointer);
  } else {
    forward(NextOperator(name, caller, known));
  }
}

}  // namespace
}  // namespace reheap::recorder

using reheap::CallKind;
using reheap::recorder::Delete;
using reheap::recorder::New;

#define REHEAP_CALLER __builtin_return_address(0)

// call kind, mangled name, throws?, declarator, alignment, types and arguments of the call to the next one
#define REHEAP_NEW(kind, mangled, throwing, declarator, alignment, types, arguments)                         \
  __attribute__((visibility("default"))) void* declarator {                                                  \
    static std::atomic<void*> known{nullptr};                                                                \
    return New({CallKind::kind, mangled, throwing}, bytes, alignment, REHEAP_CALLER, known,                  \
               [&](void* next) { return reinterpret_cast<void* (*)types>(next)arguments; });                 \
  }
#define REHEAP_DELETE(kind, mangled, declarator, size, alignment, types, arguments)                          \
  __attribute__((visibility("default"))) void declarator noexcept {                                          \
    static std::atomic<void*> known{nullptr};                                                                \
    Delete(CallKind::kind, mangled, pointer, size, alignment, REHEAP_CALLER, known,                          \
           [&](void* next) { reinterpret_cast<void (*)types>(next)arguments; });                             \
  }

using Align = std::align_val_t;
using NoThrow = const std::nothrow_t&;
#define A static_cast<size_t>(align)

REHEAP_NEW(kNew, "_Znwm", true, operator new(size_t bytes), 0, (size_t), (bytes))
REHEAP_NEW(kNewArray, "_Znam", true, operator new[](size_t bytes), 0, (size_t), (bytes))
REHEAP_NEW(kNewNothrow, "_ZnwmRKSt9nothrow_t", false, operator new(size_t bytes, NoThrow tag) noexcept, 0,
           (size_t, NoThrow), (bytes, tag))
REHEAP_NEW(kNewArrayNothrow, "_ZnamRKSt9nothrow_t", false, operator new[](size_t bytes, NoThrow tag) noexcept, 0,
           (size_t, NoThrow), (bytes, tag))
REHEAP_NEW(kNewAligned, "_ZnwmSt11align_val_t", true, operator new(size_t bytes, Align align), A, (size_t, Align),
           (bytes, align))
REHEAP_NEW(kNewArrayAligned, "_ZnamSt11align_val_t", true, operator new[](size_t bytes, Align align), A,
           (size_t, Align), (bytes, align))
REHEAP_NEW(kNewAlignedNothrow, "_ZnwmSt11align_val_tRKSt9nothrow_t", false,
           operator new(size_t bytes, Align align, NoThrow tag) noexcept, A, (size_t, Align, NoThrow),
           (bytes, align, tag))
REHEAP_NEW(kNewArrayAlignedNothrow, "_ZnamSt11align_val_tRKSt9nothrow_t", false,
           operator new[](size_t bytes, Align align, NoThrow tag) noexcept, A, (size_t, Align, NoThrow),
           (bytes, align, tag))

REHEAP_DELETE(kDelete, "_ZdlPv", operator delete(void* pointer), 0, 0, (void*), (pointer))
REHEAP_DELETE(kDeleteArray, "_ZdaPv", operator delete[](void* pointer), 0, 0, (void*), (pointer))
REHEAP_DELETE(kDeleteNothrow, "_ZdlPvRKSt9nothrow_t", operator delete(void* pointer, NoThrow tag), 0, 0,
              (void*, NoThrow), (pointer, tag))
REHEAP_DELETE(kDeleteArrayNothrow, "_ZdaPvRKSt9nothrow_t", operator delete[](void* pointer, NoThrow tag), 0, 0,
              (void*, NoThrow), (pointer, tag))
REHEAP_DELETE(kDeleteSized, "_ZdlPvm", operator delete(void* pointer, size_t size), size, 0, (void*, size_t),
              (pointer, size))
REHEAP_DELETE(kDeleteArraySized, "_ZdaPvm", operator delete[](void* pointer, size_t size), size, 0, (void*, size_t),
              (pointer, size))
REHEAP_DELETE(kDeleteAligned, "_ZdlPvSt11align_val_t", operator delete(void* pointer, Align align), 0, A,
              (void*, Align), (pointer, align))
REHEAP_DELETE(kDeleteArrayAligned, "_ZdaPvSt11align_val_t", operator delete[](void* pointer, Align align), 0, A,
              (void*, Align), (pointer, align))
REHEAP_DELETE(kDeleteSizedAligned, "_ZdlPvmSt11align_val_t",
              operator delete(void* pointer, size_t size, Align align), size, A, (void*, size_t, Align),
              (pointer, size, align))
REHEAP_DELETE(kDeleteArraySizedAligned, "_ZdaPvmSt11align_val_t",
              operator delete[](void* pointer, size_t size, Align align), size, A, (void*, size_t, Align),
              (pointer, size, align))
REHEAP_DELETE(kDeleteAlignedNothrow, "_ZdlPvSt11align_val_tRKSt9nothrow_t",
              operator delete(void* pointer, Align align, NoThrow tag), 0, A, (void*, Align, NoThrow),
              (pointer, align, tag))
REHEAP_DELETE(kDeleteArrayAlignedNothrow, "_ZdaPvSt11align_val_tRKSt9nothrow_t",
              operator delete[](void* pointer, Align align, NoThrow tag), 0, A, (void*, Align, NoThrow),
              (pointer, align, tag))
