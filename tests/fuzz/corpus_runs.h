// Corpus runs: the files of a fuzzer's corpus, and seeded changes of each, for plain tests.
//
// Functions of their arguments. Threads: one. The same seed gives the same changes.
#ifndef REHEAP_TESTS_FUZZ_CORPUS_RUNS_H_
#define REHEAP_TESTS_FUZZ_CORPUS_RUNS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace reheap {

inline std::vector<std::filesystem::path> CorpusFiles(const std::string& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

inline std::string FileContents(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

inline void RunFuzzInput(const std::string& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

// One to eight changes: a byte set, a piece doubled, a piece cut out, an end cut off.
inline std::string Mutate(std::string bytes, std::mt19937_64& random) {
  for (uint64_t left = 1 + random() % 8; left != 0 && !bytes.empty(); --left) {
    const size_t at = random() % bytes.size();
    const size_t length = std::min<size_t>(bytes.size() - at, 1 + random() % 16);
    switch (random() % 8) {
      case 0:
        bytes.insert(at, bytes.substr(at, length));
        break;
      case 1:
        bytes.erase(at, length);
        break;
      case 2:
        bytes.resize(random() % 4 == 0 ? at : bytes.size());
        break;
      case 3:
        bytes[at] = static_cast<char>(0xff);
        break;
      default:
        bytes[at] = static_cast<char>(random());
        break;
    }
  }
  return bytes;
}

// Every file of `folder` and `mutations` changes of each; answers how many files.
inline size_t RunCorpus(const std::string& folder, int mutations, uint64_t seed) {
  const std::vector<std::filesystem::path> files = CorpusFiles(folder);
  std::mt19937_64 random(seed);
  for (const std::filesystem::path& path : files) {
    const std::string bytes = FileContents(path);
    RunFuzzInput(bytes);
    for (int i = 0; i < mutations; ++i) RunFuzzInput(Mutate(bytes, random));
  }
  return files.size();
}

}  // namespace reheap

#endif  // REHEAP_TESTS_FUZZ_CORPUS_RUNS_H_
