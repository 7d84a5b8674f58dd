// Do the sanitized builds (tools/build_deps/sanitized_test.bzl) catch what they are for?
//
// The same source runs plainly, where each case is skipped, and under each sanitizer, where a broken program
// must die of the right finding. A build that lost its flags fails here, since REHEAP_SANITIZER says what it
// should be.
#include <cstdlib>
#include <set>
#include <string>
#include <thread>

#include "gtest/gtest.h"

namespace reheap {
namespace {

std::string Sanitizer() {
  const char* name = std::getenv("REHEAP_SANITIZER");
  return name == nullptr ? "" : name;
}

// Opaque to the optimiser, which would otherwise remove the mistakes.
template <class T>
T Opaque(T value) {
  asm volatile("" : "+r"(value));
  return value;
}

int ReadFreedMemory() {
  int* p = Opaque(new int[4]);
  delete[] p;
  return Opaque(p)[1];
}

int OverflowSignedInteger() { return Opaque(0x7fffffff) + Opaque(1); }

int RaceOnAnInteger() {
  int shared = 0;
  int* p = Opaque(&shared);
  const auto count = [p] {
    for (int i = 0; i < 10'000; ++i) *Opaque(p) += 1;
  };
  std::thread one(count), two(count);
  one.join();
  two.join();
  return shared;
}

TEST(SanitizerDeathTest, AddressSanitizerCatchesAUseAfterFree) {
  if (Sanitizer() != "asan_ubsan") GTEST_SKIP() << "for the asan_ubsan build";
  EXPECT_DEATH(std::_Exit(Opaque(ReadFreedMemory()) & 0), "heap-use-after-free");
}

TEST(SanitizerDeathTest, UndefinedBehaviorSanitizerCatchesAnOverflow) {
  if (Sanitizer() != "asan_ubsan" && Sanitizer() != "ubsan") GTEST_SKIP() << "for the builds with ubsan";
  EXPECT_DEATH(std::_Exit(Opaque(OverflowSignedInteger()) & 0), "signed integer overflow");
}

TEST(SanitizerDeathTest, ThreadSanitizerCatchesARace) {
  if (Sanitizer() != "tsan") GTEST_SKIP() << "for the tsan build";
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(std::_Exit(Opaque(RaceOnAnInteger()) & 0), "data race");
}

TEST(SanitizerTest, NameIsOneThatThisTestKnows) {
  const std::set<std::string> known = {"", "asan_ubsan", "ubsan", "tsan"};
  EXPECT_EQ(known.count(Sanitizer()), 1u) << Sanitizer();
}

}  // namespace
}  // namespace reheap
