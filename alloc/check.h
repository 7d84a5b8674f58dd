// CHECK: an assertion about our own code, on in every build; prints its operands and aborts.
//
// Never for bad input or an OS refusal: those are values (Status, Refusal). The message is formatted into
// a buffer on the stack, because the failing code may be the allocator itself. Any thread.
#ifndef REHEAP_ALLOC_CHECK_H_
#define REHEAP_ALLOC_CHECK_H_

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace reheap::internal {

[[noreturn]] inline void CheckFailed(const char* file, int line, const char* text) {
  std::fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, text);
  std::abort();
}

[[noreturn]] inline void CheckOpFailed(const char* file, int line, const char* text, uint64_t a, uint64_t b) {
  std::fprintf(stderr, "%s:%d: CHECK failed: %s (%llu = 0x%llx against %llu = 0x%llx)\n", file, line, text,
               static_cast<unsigned long long>(a), static_cast<unsigned long long>(a),
               static_cast<unsigned long long>(b), static_cast<unsigned long long>(b));
  std::abort();
}

}  // namespace reheap::internal

#define REHEAP_CHECK(condition)                                                 \
  (__builtin_expect(static_cast<bool>(condition), 1)                            \
       ? static_cast<void>(0)                                                   \
       : ::reheap::internal::CheckFailed(__FILE__, __LINE__, #condition))

// Comparison of two integers (use .value() of an Addr).
#define REHEAP_CHECK_OP(a, op, b)                                               \
  do {                                                                          \
    const uint64_t reheap_check_a = static_cast<uint64_t>(a);                   \
    const uint64_t reheap_check_b = static_cast<uint64_t>(b);                   \
    if (__builtin_expect(!(reheap_check_a op reheap_check_b), 0)) {             \
      ::reheap::internal::CheckOpFailed(__FILE__, __LINE__, #a " " #op " " #b,  \
                                        reheap_check_a, reheap_check_b);        \
    }                                                                           \
  } while (false)

#define REHEAP_CHECK_EQ(a, b) REHEAP_CHECK_OP(a, ==, b)
#define REHEAP_CHECK_NE(a, b) REHEAP_CHECK_OP(a, !=, b)
#define REHEAP_CHECK_LE(a, b) REHEAP_CHECK_OP(a, <=, b)
#define REHEAP_CHECK_LT(a, b) REHEAP_CHECK_OP(a, <, b)
#define REHEAP_CHECK_GE(a, b) REHEAP_CHECK_OP(a, >=, b)
#define REHEAP_CHECK_GT(a, b) REHEAP_CHECK_OP(a, >, b)

#endif  // REHEAP_ALLOC_CHECK_H_
