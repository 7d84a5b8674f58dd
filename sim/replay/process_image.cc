#include "sim/replay/process_image.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "sim/os/virtual_os.h"

namespace reheap {
namespace {

void Measure(ProcessImage* image) {
  for (const ImageMapping& mapping : image->mappings) {
    const uint64_t bytes = mapping.end - mapping.start;
    const bool is_data = mapping.perms[1] == 'w' && mapping.perms[3] == 'p' && mapping.name != "[stack]";
    image->vsize_bytes += bytes;
    if (is_data) image->data_bytes += bytes;
  }
}

ImageMapping FromProto(const proto::Mapping& from) {
  ImageMapping to;
  to.start = Addr(from.start());
  to.end = Addr(from.end());
  to.perms = from.permissions();
  to.offset = from.offset();
  to.inode = from.name().empty() || from.name()[0] == '[' ? 0 : 1;  // file-backed or not is all that counts
  to.name = from.name();
  return to;
}

}  // namespace

absl::StatusOr<ProcessImage> ImageFromMapsFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": cannot be opened for reading"));
  std::stringstream text;
  text << file.rdbuf();
  absl::StatusOr<std::vector<ImageMapping>> mappings = ParseMaps(text.str(), path);
  if (!mappings.ok()) return mappings.status();
  if (mappings->empty()) return absl::InvalidArgumentError(absl::StrCat(path, ":1: expected mappings, found none"));
  ProcessImage image;
  image.mappings = *std::move(mappings);
  image.origin = absl::StrCat("maps ", path);
  Measure(&image);
  return image;
}

absl::StatusOr<ProcessImage> ImageFromTrace(const proto::TraceHeader& header, const std::string& path) {
  ProcessImage image;
  Addr end;
  for (int i = 0; i < header.mappings_size(); ++i) {
    if (header.mappings(i).name() == "[vsyscall]") continue;
    ImageMapping mapping = FromProto(header.mappings(i));
    if (const std::string expected = MappingFault(mapping, end); !expected.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": header, mapping ", i, ": expected ", expected, ", found \"", FormatMapsLine(mapping), "\""));
    }
    end = mapping.end;
    image.mappings.push_back(std::move(mapping));
  }
  image.origin = image.mappings.empty() ? "platform" : "trace";
  Measure(&image);
  return image;
}

const ImageMapping* FirstUnfit(const ProcessImage& image, const Platform& platform) {
  const auto found =
      std::find_if(image.mappings.begin(), image.mappings.end(),
                   [&platform](const ImageMapping& mapping) { return !PlatformFault(mapping, platform).empty(); });
  return found == image.mappings.end() ? nullptr : &*found;
}

}  // namespace reheap
