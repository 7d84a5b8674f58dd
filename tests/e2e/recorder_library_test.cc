// What libreheap_recorder.so needs and exports: it lives in other people's processes.
#include <elf.h>

#include <cstring>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "gtest/gtest.h"

namespace reheap {
namespace {

class RecorderLibrary : public testing::Test {
 protected:
  void SetUp() override {
    std::ifstream file("traces/recorder/libreheap_recorder.so", std::ios::binary);
    std::ostringstream bytes;
    bytes << file.rdbuf();
    bytes_ = bytes.str();
    ASSERT_GT(bytes_.size(), sizeof(Elf64_Ehdr));
    const auto* elf = At<Elf64_Ehdr>(0);
    for (int i = 0; i < elf->e_shnum; ++i) {
      const auto* section = At<Elf64_Shdr>(elf->e_shoff + uint64_t(i) * sizeof(Elf64_Shdr));
      const auto* strings = At<Elf64_Shdr>(elf->e_shoff + section->sh_link * sizeof(Elf64_Shdr));
      if (section->sh_type == SHT_DYNAMIC) ReadNeeded(*section, *strings);
      if (section->sh_type == SHT_DYNSYM) ReadSymbols(*section, *strings);
    }
  }

  template <typename T>
  const T* At(uint64_t offset) const {
    EXPECT_LE(offset + sizeof(T), bytes_.size());
    return reinterpret_cast<const T*>(bytes_.data() + offset);
  }

  void ReadNeeded(const Elf64_Shdr& section, const Elf64_Shdr& strings) {
    for (uint64_t at = 0; at < section.sh_size; at += sizeof(Elf64_Dyn)) {
      const auto* entry = At<Elf64_Dyn>(section.sh_offset + at);
      if (entry->d_tag == DT_NEEDED) needed_.insert(&bytes_[strings.sh_offset + entry->d_un.d_val]);
    }
  }

  void ReadSymbols(const Elf64_Shdr& section, const Elf64_Shdr& strings) {
    for (uint64_t at = sizeof(Elf64_Sym); at < section.sh_size; at += sizeof(Elf64_Sym)) {
      const auto* symbol = At<Elf64_Sym>(section.sh_offset + at);
      // A local TLS symbol stands there for its relocation only.
      const bool exported = symbol->st_shndx != SHN_UNDEF && ELF64_ST_BIND(symbol->st_info) != STB_LOCAL;
      if (exported) exported_.insert(&bytes_[strings.sh_offset + symbol->st_name]);
    }
  }

  std::string bytes_;
  std::set<std::string> needed_;
  std::set<std::string> exported_;
};

TEST_F(RecorderLibrary, NeedsLibcAlone) { EXPECT_EQ(needed_, std::set<std::string>{"libc.so.6"}); }

TEST_F(RecorderLibrary, ExportsTheHooksAndNothingElse) {
  std::set<std::string> expected = {"malloc",        "calloc",   "realloc", "reallocarray", "free",   "posix_memalign",
                                    "aligned_alloc", "memalign", "valloc",  "pvalloc",      "mmap",   "mmap64",
                                    "munmap",        "mprotect", "madvise", "mremap",       "brk",    "sbrk"};
  for (const char* family : {"w", "a"}) {
    for (const char* form : {"m", "mRKSt9nothrow_t", "mSt11align_val_t", "mSt11align_val_tRKSt9nothrow_t"}) {
      expected.insert(std::string("_Zn") + family + form);
    }
  }
  for (const char* family : {"l", "a"}) {
    for (const char* form : {"Pv", "PvRKSt9nothrow_t", "Pvm", "PvSt11align_val_t", "PvmSt11align_val_t",
                             "PvSt11align_val_tRKSt9nothrow_t"}) {
      expected.insert(std::string("_Zd") + family + form);
    }
  }
  EXPECT_EQ(expected.size(), 18 + 8 + 12);
  // The linker's own marks of where sections end.
  for (const char* mark : {"__bss_start", "_edata", "_end"}) exported_.erase(mark);
  EXPECT_EQ(exported_, expected);
}

}  // namespace
}  // namespace reheap
