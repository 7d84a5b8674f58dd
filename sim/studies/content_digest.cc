#include "sim/studies/content_digest.h"

#include <xxhash.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "alloc/check.h"

namespace reheap {

struct ContentDigest::State {
  State() : xxh(XXH3_createState()) {
    REHEAP_CHECK(xxh != nullptr);
    XXH3_128bits_reset(xxh);
  }
  ~State() { XXH3_freeState(xxh); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void Update(const void* bytes, size_t count) { XXH3_128bits_update(xxh, bytes, count); }

  XXH3_state_t* xxh;
};

ContentDigest::ContentDigest() : state_(std::make_unique<State>()) {}
ContentDigest::~ContentDigest() = default;

void ContentDigest::Add(absl::string_view piece) {
  const std::string length = absl::StrCat(piece.size(), ":");
  state_->Update(length.data(), length.size());
  state_->Update(piece.data(), piece.size());
}

absl::Status ContentDigest::AddFile(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::vector<char> buffer(1 << 20);
  uint64_t bytes = 0;
  while (stream) {
    stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    state_->Update(buffer.data(), static_cast<size_t>(stream.gcount()));
    bytes += static_cast<uint64_t>(stream.gcount());
  }
  if (!stream.eof()) return absl::NotFoundError(absl::StrCat(path, ": cannot read it: ", std::strerror(errno)));
  Add(absl::StrCat(bytes, " bytes"));
  return absl::OkStatus();
}

std::string ContentDigest::Text() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_->xxh);
  return absl::StrFormat("xxh3:%016x%016x", hash.high64, hash.low64);
}

}  // namespace reheap
