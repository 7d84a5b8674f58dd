// ImageGuard: which operations would destroy the executor that carries them out.
//
// An executor lives on the mappings that it started with: text, data, stack, and the kernel's own. Values
// only. Threads: any.
#ifndef REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_IMAGE_GUARD_H_
#define REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_IMAGE_GUARD_H_

#include <cstdint>
#include <vector>

#include "sim/os/virtual_os.h"
#include "tests/differential/lockstep/operation.h"

namespace reheap {

class ImageGuard {
 public:
  // What `os` has mapped now is the image.
  explicit ImageGuard(const VirtualOs& os);

  bool Harms(const Operation& operation) const;
  // In order of address.
  const std::vector<AddrRange>& image() const { return image_; }

 private:
  bool Touches(uint64_t addr, uint64_t bytes) const;
  bool IsKernelDataKept(const uint64_t* mprotect) const;

  std::vector<AddrRange> image_;
  std::vector<AddrRange> kernel_data_;  // of it, what the kernel keeps from being written
};

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_LOCKSTEP_IMAGE_GUARD_H_
