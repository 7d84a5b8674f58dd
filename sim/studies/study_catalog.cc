#include "sim/studies/study_catalog.h"

#include <fnmatch.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "sim/studies/study_checks.h"
#include "sim/studies/study_files.h"
#include "sim/textproto/text_places.h"

namespace reheap {
namespace {

std::string NameOf(const EmbeddedFile& file) {
  return std::string(absl::StripSuffix(absl::string_view(file.name.data(), file.name.size()), ".textproto"));
}

}  // namespace

std::vector<std::string> StudyNames() {
  std::vector<std::string> names;
  for (const EmbeddedFile& file : StudyFiles()) names.push_back(NameOf(file));
  std::sort(names.begin(), names.end());
  return names;
}

bool IsStudyPath(absl::string_view name_or_path) {
  return absl::StrContains(name_or_path, '/') || absl::EndsWith(name_or_path, ".textproto");
}

absl::StatusOr<StudyText> LoadStudy(absl::string_view name_or_path) {
  if (IsStudyPath(name_or_path)) {
    std::ifstream stream{std::string(name_or_path), std::ios::binary};
    std::ostringstream text;
    if (stream) text << stream.rdbuf();
    if (!stream) {
      return absl::NotFoundError(absl::StrCat(name_or_path, ": cannot read it: ", std::strerror(errno)));
    }
    return ParseStudy(text.str(), name_or_path);
  }
  for (const EmbeddedFile& file : StudyFiles()) {
    if (NameOf(file) != name_or_path) continue;
    absl::StatusOr<StudyText> study = ParseStudy(absl::string_view(file.contents.data(), file.contents.size()),
                                                 absl::StrCat("sim/studies/", NameOf(file), ".textproto"));
    if (study.ok()) study->asked = std::string(name_or_path);
    return study;
  }
  return absl::NotFoundError(absl::StrCat("no study is called '", name_or_path, "'"));
}

absl::StatusOr<StudyText> ParseStudy(absl::string_view text, absl::string_view file) {
  StudyText result;
  result.asked = std::string(file);
  result.file = std::string(file);
  result.folder = result.file.substr(0, result.file.rfind('/') + 1);
  result.text = std::string(text);
  TextPlaces places(file);
  places.Parse(text, &result.study);
  if (places.complaints().empty()) CheckStudy(result.study, result.folder, &places);
  if (!places.complaints().empty()) return absl::InvalidArgumentError(absl::StrJoin(places.complaints(), "\n"));
  return result;
}

std::string PathFrom(absl::string_view folder, absl::string_view path) {
  return absl::StartsWith(path, "/") ? std::string(path) : absl::StrCat(folder, path);
}

std::vector<std::string> NamesLike(absl::string_view pattern, const std::vector<std::string>& names) {
  std::vector<std::string> like;
  for (const std::string& name : names) {
    if (fnmatch(std::string(pattern).c_str(), name.c_str(), 0) == 0) like.push_back(name);
  }
  return like;
}

}  // namespace reheap
