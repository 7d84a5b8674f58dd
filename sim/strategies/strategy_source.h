// StrategySource: the text of one strategy file and where each field stands in it (row 8 of the walk).
//
// Complaints name file and line, of formulas the column too. Known to this folder only.
//
// Ownership: the text and protobuf's parse tree. Threads: any, once parsed.
#ifndef REHEAP_SIM_STRATEGIES_STRATEGY_SOURCE_H_
#define REHEAP_SIM_STRATEGIES_STRATEGY_SOURCE_H_

#include <google/protobuf/text_format.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/strategy.pb.h"

namespace reheap {

class StrategySource {
 public:
  // Fills `message`. InvalidArgument: file:line:column of each word that the schema does not know.
  static absl::StatusOr<std::shared_ptr<const StrategySource>> Parse(absl::string_view text,
                                                                     absl::string_view file,
                                                                     proto::Strategy* message);
  StrategySource(const StrategySource&) = delete;
  StrategySource& operator=(const StrategySource&) = delete;

  const std::string& file() const { return file_; }
  // Paths are as "reservation.heap_bytes" or "requests.startup[2].size"; without index the first.
  // Preconditions: the schema has the path.
  bool Has(absl::string_view path) const { return Find(path).present; }
  // "file:line" of the field, or of what is around it when it is not in the file.
  std::string LineOf(absl::string_view path) const;
  // "file:line:column" of the character `offset` of the text in the field, a string.
  std::string PlaceIn(absl::string_view path, size_t offset) const;

 private:
  struct Place {
    int line = 0;  // both from 0
    int column = 0;
    bool present = false;
  };

  explicit StrategySource(absl::string_view text, absl::string_view file) : text_(text), file_(file) {}
  Place Find(absl::string_view path) const;

  std::string text_;
  std::string file_;
  google::protobuf::TextFormat::ParseInfoTree tree_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_STRATEGIES_STRATEGY_SOURCE_H_
