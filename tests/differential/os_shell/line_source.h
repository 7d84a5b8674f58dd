// LineSource: random lines for `reheap os` and a kernel in lockstep, most of them meaningful: they go by the
// layout that the last answer showed, and never touch the mappings that the executor itself lives on.
//
// A value that knows no model: what is mapped it learns from answers. Threads: one. The same seed and answers
// give the same lines.
#ifndef REHEAP_TESTS_DIFFERENTIAL_OS_SHELL_LINE_SOURCE_H_
#define REHEAP_TESTS_DIFFERENTIAL_OS_SHELL_LINE_SOURCE_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace reheap {

struct AnsweredMapping {
  uint64_t start = 0;  // address
  uint64_t end = 0;    // address
  std::string perms;
  std::string name;

  friend bool operator==(const AnsweredMapping&, const AnsweredMapping&) = default;
};

// One line "R ... ; S ... ; M ...", taken apart as a simple reader would: by " ; ", ',' and ' '.
struct Answered {
  std::string result;  // "7ffff7ff6000 0"
  uint64_t vsize_pages = 0;
  uint64_t rss_pages = 0;
  uint64_t data_pages = 0;
  std::vector<AnsweredMapping> layout;
};
Answered ParseAnswer(const std::string& line);

class LineSource {
 public:
  // `own` = what the executor lives on.
  LineSource(uint64_t seed, const std::vector<AnsweredMapping>& own, uint64_t program_break);

  // After an answer that showed `layout`.
  std::string Next(const Answered& last);

 private:
  struct Place {
    uint64_t start = 0;
    uint64_t bytes = 0;
  };

  uint64_t Below(uint64_t n) { return random_() % n; }
  bool Chance(int percent) { return Below(100) < static_cast<uint64_t>(percent); }
  uint64_t Bytes();
  Place SomePlace();
  uint64_t Hint();
  int Protection();
  std::string Mmap();
  std::string Mremap();
  std::string Brk();
  std::string Limit(const Answered& last);
  std::string Touch();
  std::string Draw(const Answered& last);
  bool IsOurs(const AnsweredMapping& mapping) const;
  bool TouchesOwn(Place place) const;

  std::mt19937_64 random_;
  const std::vector<AnsweredMapping> own_;
  const uint64_t first_break_;
  uint64_t break_;
  bool data_limited_ = false;
  std::vector<Place> ours_;
};

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_OS_SHELL_LINE_SOURCE_H_
