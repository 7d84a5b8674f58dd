#include "traces/preloadable.h"

#include <elf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace reheap {
namespace {

constexpr int kMaxInterpreters = 4;  // of scripts; Linux follows as many (fs/exec.c, bprm recursion)

std::string FindInPath(const std::string& command) {
  if (absl::StrContains(command, '/')) return command;
  const char* path = std::getenv("PATH");
  for (const absl::string_view directory : absl::StrSplit(path == nullptr ? "/bin:/usr/bin" : path, ':')) {
    std::string candidate = absl::StrCat(directory.empty() ? "." : directory, "/", command);
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return command;
}

// "#!/usr/bin/env python3" -> where python3 is.
std::string InterpreterOf(std::ifstream& file) {
  std::string line;
  std::getline(file, line);
  std::vector<std::string> words = absl::StrSplit(line.substr(2), absl::ByAnyChar(" \t"), absl::SkipEmpty());
  if (words.empty()) return "";
  if (absl::EndsWith(words[0], "/env") && words.size() > 1) return FindInPath(words[1]);
  return words[0];
}

template <typename Header>
bool ReadAt(std::ifstream& file, uint64_t offset, Header* header) {
  file.clear();
  file.seekg(static_cast<std::streamoff>(offset));
  return static_cast<bool>(file.read(reinterpret_cast<char*>(header), sizeof(*header)));
}

// The dynamic loader's path; empty: none is asked for.
std::string LoaderOf(std::ifstream& file, const Elf64_Ehdr& elf) {
  for (int i = 0; i < elf.e_phnum; ++i) {
    Elf64_Phdr header;
    if (!ReadAt(file, elf.e_phoff + uint64_t(i) * elf.e_phentsize, &header)) return "";
    if (header.p_type != PT_INTERP || header.p_filesz == 0 || header.p_filesz > 4096) continue;
    std::string loader(header.p_filesz, '\0');
    file.seekg(static_cast<std::streamoff>(header.p_offset));
    file.read(loader.data(), static_cast<std::streamsize>(loader.size()));
    return loader.c_str();
  }
  return "";
}

std::string WhyNotPreloadable(const std::string& path, int depth) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return absl::StrCat(path, ": ", std::strerror(errno));
  if ((info.st_mode & (S_ISUID | S_ISGID)) != 0) {
    return absl::StrCat(path, " is set-user-ID or set-group-ID: the loader ignores LD_PRELOAD for it (ld.so(8))");
  }
  std::ifstream file(path, std::ios::binary);
  Elf64_Ehdr elf = {};
  if (!ReadAt(file, 0, &elf)) return absl::StrCat(path, " cannot be read");
  if (elf.e_ident[0] == '#' && elf.e_ident[1] == '!' && depth > 0) {
    file.clear();
    file.seekg(0);
    const std::string interpreter = InterpreterOf(file);
    return interpreter.empty() ? absl::StrCat(path, " names no interpreter") : WhyNotPreloadable(interpreter, depth - 1);
  }
  if (std::memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0) return absl::StrCat(path, " is not an ELF program");
  if (elf.e_ident[EI_CLASS] != ELFCLASS64) return absl::StrCat(path, " is a 32-bit program; the recorder is 64-bit");
  const std::string loader = LoaderOf(file, elf);
  if (loader.empty()) return absl::StrCat(path, " is statically linked: nothing can be preloaded into it");
  if (absl::StrContains(loader, "musl")) return absl::StrCat(path, " uses musl; the recorder needs glibc");
  return "";
}

}  // namespace

std::string WhyNotPreloadable(const std::string& program_path) {
  return WhyNotPreloadable(program_path, kMaxInterpreters);
}

std::string WhyNotRecorded(const std::string& command) {
  const std::string path = FindInPath(command);
  const std::string why = WhyNotPreloadable(path);
  if (!why.empty()) return why;
  return absl::StrCat(path, " left no spool: it cleared LD_PRELOAD or REHEAP_SPOOL_DIR, runs where the spool directory is not "
                            "visible, or the spool could not be made (limits, full disk)");
}

}  // namespace reheap
