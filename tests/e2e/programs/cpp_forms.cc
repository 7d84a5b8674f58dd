// cpp_forms ROUNDS: every form of operator new and delete, ROUNDS times each, and what they do without memory.
#include <cstdio>
#include <cstdlib>
#include <new>

namespace {

constexpr std::align_val_t kAlign{64};
int g_handler_calls = 0;

// Not foldable: the compiler may remove a new with its delete otherwise.
__attribute__((noinline)) void* Keep(void* pointer) {
  asm volatile("" : "+r"(pointer));
  return pointer;
}

void OneRound() {
  using std::nothrow;
  ::operator delete(Keep(::operator new(10)));
  ::operator delete(Keep(::operator new(11, nothrow)), nothrow);
  ::operator delete(Keep(::operator new(12)), 12);
  ::operator delete(Keep(::operator new(13, kAlign)), kAlign);
  ::operator delete(Keep(::operator new(14, kAlign)), 14, kAlign);
  ::operator delete(Keep(::operator new(15, kAlign, nothrow)), kAlign, nothrow);
  ::operator delete[](Keep(::operator new[](20)));
  ::operator delete[](Keep(::operator new[](21, nothrow)), nothrow);
  ::operator delete[](Keep(::operator new[](22)), 22);
  ::operator delete[](Keep(::operator new[](23, kAlign)), kAlign);
  ::operator delete[](Keep(::operator new[](24, kAlign)), 24, kAlign);
  ::operator delete[](Keep(::operator new[](25, kAlign, nothrow)), kAlign, nothrow);
}

// Without memory: bad_alloc, null for nothrow, and the handler asked first.
bool Exhausted() {
  volatile std::size_t huge = ~std::size_t{0} / 4;
  try {
    Keep(::operator new(huge));
    return false;
  } catch (const std::bad_alloc&) {
  }
  if (Keep(::operator new(huge, std::nothrow)) != nullptr) return false;
  if (Keep(::operator new[](huge, kAlign, std::nothrow)) != nullptr) return false;
  std::set_new_handler([] {
    if (++g_handler_calls == 3) std::set_new_handler(nullptr);
  });
  try {
    Keep(::operator new(huge));
    return false;
  } catch (const std::bad_alloc&) {
  }
  std::set_new_handler([] { throw 42; });
  try {
    Keep(::operator new(huge));
    return false;
  } catch (int thrown) {
    if (thrown != 42) return false;
  }
  std::set_new_handler([] { throw std::bad_alloc(); });
  if (Keep(::operator new(huge, std::nothrow)) != nullptr) return false;
  return g_handler_calls == 3;
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 1;
  for (int i = 0; i < rounds; ++i) OneRound();
  return Exhausted() ? 0 : 1;
}
