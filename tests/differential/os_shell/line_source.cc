#include "tests/differential/os_shell/line_source.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "alloc/addr.h"

namespace reheap {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kHighest = 0x7ffffffff000;  // user addresses end here

std::vector<std::string> Split(const std::string& text, const std::string& at) {
  std::vector<std::string> parts;
  for (size_t begin = 0;;) {
    const size_t end = text.find(at, begin);
    parts.push_back(text.substr(begin, end - begin));
    if (end == std::string::npos) return parts;
    begin = end + at.size();
  }
}

template <class... Arguments>
std::string Line(const char* format, Arguments... arguments) {
  char text[200];
  std::snprintf(text, sizeof(text), format, arguments...);
  return text;
}

using Number = unsigned long long;  // what %llx takes

}  // namespace

Answered ParseAnswer(const std::string& line) {
  Answered answered;
  const std::vector<std::string> parts = Split(line, " ; ");
  if (parts.size() != 3 || parts[0].substr(0, 2) != "R " || parts[1].substr(0, 2) != "S ") return answered;
  answered.result = parts[0].substr(2);
  std::istringstream(parts[1].substr(2)) >> answered.vsize_pages >> answered.rss_pages >> answered.data_pages;
  for (const std::string& entry : Split(parts[2].substr(2), ",")) {
    const std::vector<std::string> fields = Split(entry, " ");
    AnsweredMapping mapping;
    mapping.start = std::strtoull(fields[0].c_str(), nullptr, 16);
    mapping.end = std::strtoull(fields[0].c_str() + fields[0].find('-') + 1, nullptr, 16);
    if (fields.size() > 1) mapping.perms = fields[1];
    if (fields.size() > 2) mapping.name = fields[2];
    answered.layout.push_back(mapping);
  }
  return answered;
}

LineSource::LineSource(uint64_t seed, const std::vector<AnsweredMapping>& own, uint64_t program_break)
    : random_(seed), own_(own), first_break_(program_break), break_(program_break) {}

// Few pages mostly, up to 64 GiB; around 2 MiB, where huge pages begin to matter, more often.
uint64_t LineSource::Bytes() {
  switch (Below(6)) {
    case 0:
      return 2 * kMiB * (1 + Below(8));
    case 1:
      return 2 * kMiB * (1 + Below(3)) + kPage * Below(3) - kPage;
    case 2:
      return kPage << Below(25);
    default:
      return kPage * (1 + Below(40));
  }
}

// In or next to what is mapped, else in the open.
LineSource::Place LineSource::SomePlace() {
  if (ours_.empty() || Chance(10)) return {(Chance(50) ? 0x7ff000000000 : 0x100000000000) + kPage * Below(1 << 20), Bytes()};
  const Place whole = ours_[Below(ours_.size())];
  const uint64_t pages = whole.bytes / kPage;
  switch (Below(5)) {
    case 0:
      return whole;
    case 1:
      return {whole.start - kPage * Below(4), whole.bytes + kPage * Below(8)};
    case 2:
      return {whole.start + whole.bytes, Bytes()};
    default:
      break;
  }
  const uint64_t first = Below(std::min<uint64_t>(pages, 64));
  return {whole.start + first * kPage, (1 + Below(std::min<uint64_t>(pages - first, 24))) * kPage};
}

uint64_t LineSource::Hint() {
  switch (Below(8)) {
    case 0:
      return SomePlace().start;
    case 1:
      return SomePlace().start + Below(kPage);
    case 2:
      return Below(3 * 65536);
    case 3:
      return kHighest - Bytes();
    case 4:
      return random_() >> Below(20);
    default:
      return 0;
  }
}

int LineSource::Protection() {
  constexpr int kChoices[] = {0, 0, 1, 3, 3, 3, 3, 2, 7, 5};
  return kChoices[Below(std::size(kChoices))];
}

std::string LineSource::Mmap() {
  Place place{Hint(), Bytes()};
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  if (Chance(15)) flags |= MAP_NORESERVE;
  if (Chance(8)) flags ^= MAP_PRIVATE | MAP_SHARED;
  if (Chance(2)) flags = MAP_ANONYMOUS;
  if (Chance(3)) place.bytes = Chance(50) ? 0 : random_() >> Below(24);
  if (Chance(10)) place.bytes -= Below(kPage);
  if (Chance(35)) {
    place = SomePlace();
    flags |= Chance(30) ? MAP_FIXED_NOREPLACE : MAP_FIXED;
    if (Chance(2)) place.start += Below(kPage);
    if (Chance(2)) place.start = kHighest - Below(8) * kPage;
    if (TouchesOwn(place)) return "";
  }
  return Line("mmap 0x%llx %llu %d 0x%x", Number{place.start}, Number{place.bytes}, Protection(), flags);
}

std::string LineSource::Mremap() {
  const Place from = SomePlace();
  const uint64_t bytes = Chance(30) ? from.bytes : Chance(50) ? Bytes() : from.bytes / 2 + Below(4) * kPage;
  int flags = Chance(20) ? 0 : MREMAP_MAYMOVE;
  Place to{0, bytes};
  if (Chance(25)) {
    flags |= MREMAP_FIXED;
    to.start = SomePlace().start;
  }
  if (TouchesOwn(from) || (to.start != 0 && TouchesOwn(to))) return "";
  return Line("mremap 0x%llx %llu %llu %d 0x%llx", Number{from.start + (Chance(2) ? 8 : 0)}, Number{from.bytes},
              Number{Chance(3) ? 0 : bytes}, flags, Number{to.start});
}

// Never below where it was: that is the executor's own heap. Not under a data limit, which counts the
// executable's data to the byte, where maps show pages.
std::string LineSource::Brk() {
  if (data_limited_) return "";
  const uint64_t used = break_ - first_break_;
  const uint64_t target = Chance(40) ? Below(used + 1) : used + Below(Chance(90) ? 16 * kMiB : kTiB);
  return Line("brk 0x%llx", Chance(3) ? Number{0} : Number{first_break_ + target});
}

std::string LineSource::Limit(const Answered& last) {
  const bool address = Chance(60);
  const uint64_t now = (address ? last.vsize_pages : last.data_pages) * kPage;
  const bool unlimited = Chance(50);
  if (!address) data_limited_ = !unlimited;
  return Line("rlimit %s %lld", address ? "as" : "data",
              unlimited ? -1ll : static_cast<long long>(now + Bytes() - Below(kPage)));
}

std::string LineSource::Touch() {
  const Place place = SomePlace();
  const uint64_t stride = Chance(70) ? kPage : Chance(50) ? Below(3 * kPage) : kPage * (1 + Below(4));
  // Strides below a page reach little; the reach is what must not meet the executor's own.
  const uint64_t count = 1 + Below(6);
  if (TouchesOwn({place.start, count * stride + kPage})) return "";
  return Line("touch 0x%llx %llu %llu %c", Number{place.start + Below(Chance(80) ? 1 : kPage)}, Number{count},
              Number{stride}, Chance(60) ? 'w' : 'r');
}

std::string LineSource::Draw(const Answered& last) {
  const Place place = SomePlace();
  const Number start = place.start + (Chance(3) ? Below(kPage) : 0), bytes = place.bytes;
  switch (Below(13)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return Mmap();
    case 4:
      return TouchesOwn(place) ? "" : Line("munmap 0x%llx 0x%llx", start, bytes);
    case 5:
    case 6:
      return TouchesOwn(place) ? ""
                               : Line("mprotect 0x%llx %llu %d", start, bytes, Chance(2) ? 0x20 : Protection());
    case 7:
      return TouchesOwn(place) ? "" : Line("madvise 0x%llx %llu %d", start, bytes, Chance(5) ? 99 : MADV_DONTNEED);
    case 8:
      return Brk();
    case 9:
      return Limit(last);
    case 10:
      return Mremap();
    default:
      return Touch();
  }
}

bool LineSource::IsOurs(const AnsweredMapping& mapping) const {
  // The heap that grew joins what was there: its own part is protected by Brk.
  return std::find(own_.begin(), own_.end(), mapping) == own_.end() && (mapping.name.empty() || mapping.perms[3] == 's');
}

bool LineSource::TouchesOwn(Place place) const {
  const uint64_t end = place.start + place.bytes + kPage;
  if (end < place.start) return true;
  // The break area may have grown since: all of it is the executor's.
  const bool in_heap = place.start < std::max(first_break_, break_) + kPage && end > own_.front().start;
  return in_heap || std::any_of(own_.begin(), own_.end(), [&](const AnsweredMapping& m) {
           return place.start < m.end && end > m.start;
         });
}

std::string LineSource::Next(const Answered& last) {
  ours_.clear();
  for (const AnsweredMapping& m : last.layout) {
    if (m.name == "[heap]") break_ = m.end;
    if (IsOurs(m)) ours_.push_back({m.start, m.end - m.start});
  }
  // Too many mappings make each comparison slow: sweep a wide range now and then.
  if (last.layout.size() > 200) return "munmap 0x100000000000 0x600000000000";
  for (;;) {
    const std::string line = Draw(last);
    if (!line.empty()) return line;
  }
}

}  // namespace reheap
