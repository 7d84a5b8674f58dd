// PlatformTexts: platform files, parsed and laid over one another, with the line that each rule stands on
// (row 9).
//
// A file that is `based_on` another, or a `release`, gives only what differs. Resolve() answers the whole
// platform and remembers for every rule where it was given, so that an error names that line and `reheap
// platform show` that file. Whether the rules are complete and sane is platform_checker.h's question.
//
// Ownership: its own copies of the texts. Threads: any, once the last file is added. Limits: some hundred
// files; a chain of bases is followed anew for each answer.
#ifndef REHEAP_SIM_OS_PLATFORM_TEXT_H_
#define REHEAP_SIM_OS_PLATFORM_TEXT_H_

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/platform.pb.h"

namespace reheap {

// Where a rule, or a group of them, was given.
struct RuleOrigin {
  std::string file;
  int line = 0;          // from 1
  std::string given_by;  // "linux-amd64", or "linux-amd64@6.1" when that release gave it
};

// "file:line: "
std::string At(const RuleOrigin& origin);

// A platform with nothing left to look up elsewhere.
struct PlatformText {
  proto::Platform rules;  // name "linux-amd64" or "linux-amd64@6.1"; no based_on, no release
  std::map<std::string, RuleOrigin> origins;  // by path: "machine.word_bits"; groups too; "" = the file

  // Of the rule at `path`, else of the nearest group around it that was given.
  const RuleOrigin& OriginOf(std::string path) const;
};

class PlatformTexts {
 public:
  PlatformTexts();
  PlatformTexts(PlatformTexts&&) noexcept;
  PlatformTexts& operator=(PlatformTexts&&) noexcept;
  ~PlatformTexts();

  // Parses one file; `file` is its name in errors. A platform of the same name is replaced. Answers the name.
  absl::StatusOr<std::string> Add(std::string_view text, std::string_view file);

  // Names without aliases and releases, sorted.
  std::vector<std::string> Names() const;
  // What NAME@... may be, newest first; empty when neither the file nor its bases say.
  absl::StatusOr<std::vector<std::string>> ReleasesOf(std::string_view name) const;
  // `name` is NAME or NAME@RELEASE. Errors name file and line.
  absl::StatusOr<PlatformText> Resolve(std::string_view name) const;

 private:
  struct File;
  // Who asks, through whom: file names of the chain so far.
  using Chain = std::vector<const File*>;

  const File* Find(std::string_view name) const;
  absl::StatusOr<const File*> BaseOf(const File& file, const Chain& chain) const;
  absl::StatusOr<std::vector<std::string>> OlderReleases(const File& file, Chain chain) const;
  absl::StatusOr<std::string> NewestRelease(const File& file, Chain chain) const;
  // `release` empty: the file's own values.
  absl::StatusOr<PlatformText> ResolveFile(const File& file, const std::string& release, Chain chain) const;

  std::vector<std::unique_ptr<const File>> files_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_OS_PLATFORM_TEXT_H_
