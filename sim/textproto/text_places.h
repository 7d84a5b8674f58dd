// TextPlaces: which line of a textproto file a field stands on, and the complaints about it.
//
// A person who wrote a file wants every mistake at once, each as "file:line: field: what is wrong". Paths name
// fields with the index of repeated ones: "question[1].minimal_limit.from".
//
// Ownership: owns what it parsed. Threads: one.
#ifndef REHEAP_SIM_TEXTPROTO_TEXT_PLACES_H_
#define REHEAP_SIM_TEXTPROTO_TEXT_PLACES_H_

#include <google/protobuf/text_format.h>

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace reheap {

class TextPlaces {
 public:
  // `file` is its name in complaints.
  explicit TextPlaces(absl::string_view file) : file_(file) {}

  // Parses `text`. What cannot be read is a complaint; fields that the schema does not know are all named, each
  // with the nearest that it does.
  void Parse(absl::string_view text, google::protobuf::Message* message);

  // Unless `holds`: a complaint at the line of `path`, or of the message around it when the field is not there.
  void Require(bool holds, absl::string_view path, absl::string_view complaint);
  bool IsPresent(absl::string_view path) const;

  // In the order they were found; empty = a good file.
  const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  struct Place {
    int line = 0;  // from 0
    bool present = false;
  };
  Place Find(absl::string_view path) const;

  std::string file_;
  const google::protobuf::Descriptor* type_ = nullptr;
  google::protobuf::TextFormat::ParseInfoTree tree_;
  std::vector<std::string> complaints_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_TEXTPROTO_TEXT_PLACES_H_
