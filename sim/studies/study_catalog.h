// Study catalogue: what-if studies by name or path, read from textproto and checked.
//
// The files of this folder are part of the binary; a name that looks like a path is read from disk. Every
// mistake in a file is told at once, each as "file:line: field: what is wrong"; a name that nobody knows is
// answered with the nearest.
//
// Values only: no ownership, no state. Any thread.
#ifndef REHEAP_SIM_STUDIES_STUDY_CATALOG_H_
#define REHEAP_SIM_STUDIES_STUDY_CATALOG_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/study.pb.h"

namespace reheap {

// A study and the text that it came from.
struct StudyText {
  std::string asked;   // the name, or the path, that it was asked for by
  std::string file;    // "sim/studies/mmap-fiasco.textproto", or the user's path
  std::string folder;  // what its relative paths start from, with '/' at the end; "" = here
  std::string text;
  proto::Study study;
};

// Names of the studies in the binary, sorted.
std::vector<std::string> StudyNames();

// True for a text with '/' in it or ending in ".textproto".
bool IsStudyPath(absl::string_view name_or_path);

// kNotFound: no such name or file. kInvalidArgument: the file's text.
absl::StatusOr<StudyText> LoadStudy(absl::string_view name_or_path);
absl::StatusOr<StudyText> ParseStudy(absl::string_view text, absl::string_view file);

// A path of a study, from where its relative ones start.
std::string PathFrom(absl::string_view folder, absl::string_view path);

// `pattern` has '*' for any letters. In the order of `names`.
std::vector<std::string> NamesLike(absl::string_view pattern, const std::vector<std::string>& names);

}  // namespace reheap

#endif  // REHEAP_SIM_STUDIES_STUDY_CATALOG_H_
