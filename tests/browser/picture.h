// Picture: the pixels of a PNG, for tests that ask what can be seen.
//
// A value. Threads: any.
#ifndef REHEAP_TESTS_BROWSER_PICTURE_H_
#define REHEAP_TESTS_BROWSER_PICTURE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace reheap {

struct Color {
  uint8_t red = 0;
  uint8_t green = 0;
  uint8_t blue = 0;
  friend bool operator==(const Color&, const Color&) = default;
};

class Picture {
 public:
  static absl::StatusOr<Picture> Decode(const std::string& png);

  int width() const { return width_; }
  int height() const { return height_; }
  // Preconditions: within the picture.
  Color At(int x, int y) const;
  // Pixels of exactly this colour in [left, left + width) x [top, top + height), cut to the picture.
  int Count(Color color, int left, int top, int width, int height) const;
  // The same for thin lines, whose edges are mixed with what lies below: every part within `tolerance`.
  int CountNear(Color color, int tolerance, int left, int top, int width, int height) const;
  // Different colours there: blank places have one.
  int Colors(int left, int top, int width, int height) const;

 private:
  int width_ = 0;
  int height_ = 0;
  std::vector<uint8_t> rgb_;
};

}  // namespace reheap

#endif  // REHEAP_TESTS_BROWSER_PICTURE_H_
