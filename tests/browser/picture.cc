#include "tests/browser/picture.h"

#include <png.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"

namespace reheap {

absl::StatusOr<Picture> Picture::Decode(const std::string& png) {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  Picture picture;
  if (png_image_begin_read_from_memory(&image, png.data(), png.size()) != 0) {
    image.format = PNG_FORMAT_RGB;
    picture.width_ = static_cast<int>(image.width);
    picture.height_ = static_cast<int>(image.height);
    picture.rgb_.resize(PNG_IMAGE_SIZE(image));
    if (png_image_finish_read(&image, nullptr, picture.rgb_.data(), 0, nullptr) != 0) return picture;
  }
  const std::string message = image.message;
  png_image_free(&image);
  return absl::DataLossError(absl::StrCat("PNG: ", message));
}

Color Picture::At(int x, int y) const {
  const uint8_t* const pixel =
      &rgb_[(static_cast<size_t>(y) * static_cast<size_t>(width_) + static_cast<size_t>(x)) * 3];
  return {pixel[0], pixel[1], pixel[2]};
}

int Picture::Count(Color color, int left, int top, int width, int height) const {
  return CountNear(color, 0, left, top, width, height);
}

int Picture::CountNear(Color color, int tolerance, int left, int top, int width, int height) const {
  const auto near = [&](uint8_t a, uint8_t b) { return std::abs(a - b) <= tolerance; };
  int count = 0;
  for (int y = std::max(top, 0); y < std::min(top + height, height_); ++y) {
    for (int x = std::max(left, 0); x < std::min(left + width, width_); ++x) {
      const Color at = At(x, y);
      count += near(at.red, color.red) && near(at.green, color.green) && near(at.blue, color.blue) ? 1 : 0;
    }
  }
  return count;
}

int Picture::Colors(int left, int top, int width, int height) const {
  std::set<std::tuple<uint8_t, uint8_t, uint8_t>> seen;
  for (int y = std::max(top, 0); y < std::min(top + height, height_); ++y) {
    for (int x = std::max(left, 0); x < std::min(left + width, width_); ++x) {
      const Color color = At(x, y);
      seen.insert({color.red, color.green, color.blue});
    }
  }
  return static_cast<int>(seen.size());
}

}  // namespace reheap
