#include "sim/replay/transplant_image.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "alloc/check.h"
#include "sim/os/virtual_os.h"

namespace reheap {
namespace {

bool IsAnonymous(const ImageMapping& m) { return m.name.empty() && m.inode == 0; }

// Neighbours that belong together: the segments of a file, and the BSS right behind its writable one.
using Group = std::vector<ImageMapping>;

std::vector<Group> GroupsOf(const std::vector<ImageMapping>& image) {
  std::vector<Group> groups;
  for (const ImageMapping& m : image) {
    const ImageMapping* last = groups.empty() ? nullptr : &groups.back().back();
    const bool same_file = last != nullptr && IsFile(m) && groups.back().front().name == m.name;
    const bool bss = last != nullptr && IsAnonymous(m) && IsFile(*last) && last->end == m.start && last->perms[1] == 'w';
    if (same_file || bss) {
      groups.back().push_back(m);
    } else {
      groups.push_back({m});
    }
  }
  return groups;
}

uint64_t SpanOf(const Group& group) { return group.back().end - group.front().start; }

// The group as it is, from `start`, in whole OS pages of `page_bytes`.
Group MovedTo(const Group& group, Addr start, uint64_t page_bytes) {
  Group moved = group;
  Addr end = start;
  for (ImageMapping& m : moved) {
    const uint64_t bytes = RoundUp(m.end - m.start, page_bytes);
    m.start = std::max(end, RoundDown(start + (m.start - group.front().start), page_bytes));
    m.end = end = m.start + bytes;
    m.offset = RoundDown(m.offset, page_bytes);
    m.has_details = false;
    m.anonymous_bytes = 0;
  }
  return moved;
}

// The platform's own: its loader and libc are there in the platform's image if its programs have them.
bool IsLoaderOrLibc(const Group& group) {
  const std::string& path = group.front().name;
  const std::string name = path.substr(path.rfind('/') + 1);
  return absl::StartsWith(name, "ld-") || absl::StartsWith(name, "libc.") || absl::StartsWith(name, "libc-");
}

absl::Status DoesNotFit(const Group& group, const Platform& platform) {
  return absl::InvalidArgumentError(absl::StrCat("no room for the recorded \"", FormatMapsLine(group.front()),
                                                 "\" in a process of ", platform.name));
}

// Where the platform puts `bytes` that may go anywhere. The first file of an image is its program, so where the
// lowest hole lies below the program the lowest one above it is taken (windows keeps DLLs high: not verified).
OsResult<Addr> PlaceFor(uint64_t bytes, Addr program_end, VirtualOs* os) {
  const Platform::Machine& machine = os->platform().machine;
  if (machine.calls == CallFamily::kReserveAndCommit) {
    const std::optional<Addr> above = os->space().LowestFit(program_end, Addr(machine.user_end), bytes,
                                                            machine.granularity_bytes);
    return os->VirtualAlloc(above.value_or(Addr()), bytes, kMemReserve, kPageNoAccess);
  }
  if (os->only_grows()) return os->MemoryGrow(bytes);
  return os->Mmap(Addr(), bytes, 0, machine.bits.map_private | machine.bits.map_anonymous);
}

void Sort(std::vector<ImageMapping>* image) {
  std::sort(image->begin(), image->end(),
            [](const ImageMapping& a, const ImageMapping& b) { return a.start < b.start; });
}

// The first mapping that overlaps the one before it, or is no mapping of the platform; null: all is well.
const ImageMapping* FirstFault(const std::vector<ImageMapping>& image, const Platform& platform) {
  Addr end;
  for (const ImageMapping& m : image) {
    if (!MappingFault(m, end).empty() || m.end.value() > platform.machine.user_end) return &m;
    end = m.end;
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<std::vector<ImageMapping>> TransplantImage(const std::vector<ImageMapping>& recorded,
                                                          const Platform& platform) {
  if (platform.machine.calls == CallFamily::kGrowOnly) {
    return absl::InvalidArgumentError(absl::StrCat(platform.name, " has one memory and no mappings in it"));
  }
  absl::StatusOr<std::vector<ImageMapping>> own = ParseMaps(platform.image, platform.name + " image");
  if (!own.ok()) return own.status();
  const std::vector<Group> own_groups = GroupsOf(*own);
  const auto own_program = std::find_if(own_groups.begin(), own_groups.end(),
                                        [](const Group& group) { return IsFile(group.front()); });
  std::vector<Group> groups = GroupsOf(recorded);
  const auto program =
      std::find_if(groups.begin(), groups.end(), [](const Group& group) { return IsFile(group.front()); });
  if (own_program == own_groups.end() || program == groups.end()) return own;

  const uint64_t page_bytes = platform.machine.os_page_bytes;
  std::vector<ImageMapping> image = MovedTo(*program, own_program->front().start, page_bytes);
  bool has_libc = false;
  for (const Group& group : own_groups) {
    if (&group == &*own_program) continue;
    has_libc = has_libc || IsFile(group.front());
    image.insert(image.end(), group.begin(), group.end());
  }
  Sort(&image);
  if (FirstFault(image, platform) != nullptr) return DoesNotFit(*program, platform);

  const Addr program_end =
      own_program->front().start + SpanOf(MovedTo(*program, own_program->front().start, page_bytes));
  VirtualProcess process;
  process.platform = &platform;
  process.image = image;
  VirtualOs os(process);
  std::vector<Group> to_place;
  for (auto group = groups.begin(); group != groups.end(); ++group) {
    const ImageMapping& first = group->front();
    const bool stays_out = group == program || (!IsFile(first) && !IsAnonymous(first));
    if (!stays_out && !(has_libc && IsLoaderOrLibc(*group))) to_place.push_back(*group);
  }
  for (auto group = to_place.rbegin(); group != to_place.rend(); ++group) {
    // Recorded segments start on 4 KiB; larger OS pages push them apart.
    const Group spread = MovedTo(*group, Addr(), page_bytes);
    const OsResult<Addr> place = PlaceFor(SpanOf(spread), program_end, &os);
    if (!place.ok()) return DoesNotFit(*group, platform);
    const Group moved = MovedTo(*group, place.value(), page_bytes);
    image.insert(image.end(), moved.begin(), moved.end());
  }
  Sort(&image);
  const ImageMapping* fault = FirstFault(image, platform);
  if (fault != nullptr) return DoesNotFit({*fault}, platform);
  return image;
}

}  // namespace reheap
