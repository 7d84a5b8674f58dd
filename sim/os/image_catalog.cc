#include "sim/os/image_catalog.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "alloc/check.h"
#include "proto/platform.pb.h"
#include "sim/os/image_files.h"

namespace reheap {
namespace {

namespace pb = google::protobuf;

class FirstError final : public pb::io::ErrorCollector {
 public:
  explicit FirstError(std::string_view file) : file_(file) {}
  void AddError(int line, int, const std::string& message) override {
    if (text_.empty()) text_ = absl::StrCat(file_, ":", line + 1, ": ", message);
  }
  const std::string& text() const { return text_; }

 private:
  std::string file_;
  std::string text_;
};

}  // namespace

absl::StatusOr<NamedImage> ParseNamedImage(std::string_view text, std::string_view file) {
  proto::NamedImage message;
  FirstError error(file);
  pb::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  if (!parser.ParseFromString(std::string(text), &message)) return absl::InvalidArgumentError(error.text());
  const auto missing = [&](const char* what) {
    return absl::InvalidArgumentError(absl::StrCat(std::string(file), ":1: ", what, " is missing"));
  };
  if (message.name().empty()) return missing("name");
  if (message.platform().empty()) return missing("platform");
  if (message.image().source().empty()) return missing("image.source");
  std::string maps;
  for (const std::string& line : message.image().line()) maps += line + "\n";
  absl::StatusOr<std::vector<ImageMapping>> mappings = ParseMaps(maps, absl::StrCat(std::string(file), " image"));
  if (!mappings.ok()) return mappings.status();
  if (mappings->empty()) return missing("image.line");
  return NamedImage{message.name(),
                    {message.platform().begin(), message.platform().end()},
                    message.summary(),
                    message.image().source(),
                    *std::move(mappings)};
}

const std::vector<NamedImage>& NamedImages() {
  static const std::vector<NamedImage>* const images = [] {
    auto* loaded = new std::vector<NamedImage>;
    for (const EmbeddedFile& file : ImageFiles()) {
      absl::StatusOr<NamedImage> image = ParseNamedImage(file.contents, file.name);
      REHEAP_CHECK(image.ok());
      loaded->push_back(*std::move(image));
    }
    return loaded;
  }();
  return *images;
}

bool IsImageOf(const NamedImage& image, std::string_view platform) {
  const std::string_view base = platform.substr(0, platform.find('@'));
  return std::find(image.platforms.begin(), image.platforms.end(), base) != image.platforms.end();
}

const NamedImage* FindNamedImage(std::string_view name, std::string_view platform) {
  const NamedImage* other = nullptr;
  for (const NamedImage& image : NamedImages()) {
    if (image.name != name) continue;
    if (IsImageOf(image, platform)) return &image;
    if (other == nullptr) other = &image;
  }
  return other;
}

std::vector<std::string> NamedImageNames() {
  std::set<std::string> names;
  for (const NamedImage& image : NamedImages()) names.insert(image.name);
  return {names.begin(), names.end()};
}

}  // namespace reheap
