// ImageCatalog: process images to start from, by name, loaded from sim/os/images/*.textproto (row 9).
//
// A heap's fate depends on who is in the process before it: "static" and "dynamic" are the two shapes of a C
// program, "go" is one of the runtime that the strategies of 2011 are of, "perl" and "python3" are larger ones. Captured where a kernel could be asked; the files are part
// of the binary and each names its source.
//
// Ownership: Images() owns them for the life of the process. Threads: any, once loaded.
#ifndef REHEAP_SIM_OS_IMAGE_CATALOG_H_
#define REHEAP_SIM_OS_IMAGE_CATALOG_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sim/os/maps_text.h"

namespace reheap {

struct NamedImage {
  std::string name;
  std::vector<std::string> platforms;
  std::string summary;
  std::string source;
  std::vector<ImageMapping> mappings;
};

// One file's image; `file` is its name in errors.
absl::StatusOr<NamedImage> ParseNamedImage(std::string_view text, std::string_view file);

// The embedded ones, by name. That they load is our own promise (tested).
const std::vector<NamedImage>& NamedImages();
// The one made for `platform`, else any of that name (to take its sizes from); null when there is none.
// A release ("linux-amd64@6.1") is its platform.
const NamedImage* FindNamedImage(std::string_view name, std::string_view platform);
// Sorted, each once.
std::vector<std::string> NamedImageNames();
bool IsImageOf(const NamedImage& image, std::string_view platform);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_IMAGE_CATALOG_H_
