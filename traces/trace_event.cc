#include "traces/trace_event.h"

#include <cstddef>
#include <iterator>

namespace reheap {
namespace {

constexpr const char* kEventKindNames[] = {
    "allocate", "free",    "resize", "thread start", "thread end", "map",
    "unmap",    "protect", "advise", "remap",        "break",      "memory sample",
};
static_assert(std::size(kEventKindNames) == kEventKindCount);

constexpr const char* kCallKindNames[] = {
    "unknown",
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "free",
    "posix_memalign",
    "aligned_alloc",
    "memalign",
    "valloc",
    "pvalloc",
    "operator new",
    "operator new(nothrow)",
    "operator new(align)",
    "operator new(align, nothrow)",
    "operator new[]",
    "operator new[](nothrow)",
    "operator new[](align)",
    "operator new[](align, nothrow)",
    "operator delete",
    "operator delete(size)",
    "operator delete(align)",
    "operator delete(size, align)",
    "operator delete(nothrow)",
    "operator delete(align, nothrow)",
    "operator delete[]",
    "operator delete[](size)",
    "operator delete[](align)",
    "operator delete[](size, align)",
    "operator delete[](nothrow)",
    "operator delete[](align, nothrow)",
};
static_assert(std::size(kCallKindNames) == kCallKindCount);

}  // namespace

const char* EventKindName(EventKind kind) {
  const size_t index = static_cast<size_t>(kind);
  return index < std::size(kEventKindNames) ? kEventKindNames[index] : "invalid kind";
}

const char* CallKindName(CallKind call) {
  const size_t index = static_cast<size_t>(call);
  return index < std::size(kCallKindNames) ? kCallKindNames[index] : "invalid call";
}

}  // namespace reheap
