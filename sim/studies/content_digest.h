// ContentDigest: a fingerprint of what a study was made of, so that parts of different ones are not joined.
//
// XXH3 of 128 bits (libxxhash): against mistakes, not against attackers. Ownership: owns its state. Threads: one.
#ifndef REHEAP_SIM_STUDIES_CONTENT_DIGEST_H_
#define REHEAP_SIM_STUDIES_CONTENT_DIGEST_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace reheap {

class ContentDigest {
 public:
  ContentDigest();
  ~ContentDigest();

  // Each piece with its length, so that pieces do not run into one another.
  void Add(absl::string_view piece);
  absl::Status AddFile(const std::string& path);
  // "xxh3:00112233445566778899aabbccddeeff"
  std::string Text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_STUDIES_CONTENT_DIGEST_H_
