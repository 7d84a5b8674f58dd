#include "sim/os/process_image_loader.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "sim/os/process_layout.h"
#include "sim/os/reservations.h"

namespace reheap {
namespace {

MappingKind KindOf(const ImageMapping& m) {
  if (m.name == "[guard]") return MappingKind::kGuard;
  if (m.name == "[stack gap]") return MappingKind::kStackGap;
  if (m.name.rfind("[stack", 0) == 0) return MappingKind::kStack;
  if (IsFile(m)) return MappingKind::kFile;
  const bool special = !m.name.empty() && m.name != "[heap]" && m.name.rfind("[anon", 0) != 0;
  return special ? MappingKind::kSpecial : MappingKind::kAnonymous;
}

class Loader {
 public:
  Loader(ProcessState* state, RangeLabels* labels) : s_(*state), labels_(*labels) {}

  void Load(const ImageMapping& m) {
    const MappingTraits traits = TraitsOf(m);
    // Without smaps: exec writes the stack and relocates data; the heap is only asked for to be written.
    const bool is_written = traits.kind == MappingKind::kStack || m.name == "[heap]" ||
                            (traits.kind == MappingKind::kFile && traits.write);
    const AddrRange range{m.start, m.end - m.start};
    s_.space.InsertImage(range, traits, m.has_details ? m.anonymous_bytes > 0 : is_written);
    s_.image_resident_bytes += m.anonymous_bytes;
    MakeTables(range, m.resident_bytes, traits.kind == MappingKind::kStack);
    if (traits.kind == MappingKind::kAnonymous) Label(range, "mapped before the start");
    NoteStackAndHeap(m, traits.kind);
  }

  // The program's data, and the BSS when it lies right behind.
  void NoteData(const ImageMapping& data) {
    loaded_.end = data.end;
    const AddressSpace::Id id = s_.space.Containing(data.end);
    if (id == AddressSpace::kNone) return;
    const Mapping& bss = s_.space.mapping(id);
    if (bss.start != data.end || bss.traits.kind != MappingKind::kAnonymous || !IsData(bss.traits)) return;
    loaded_.bss = bss.range();
    loaded_.end = bss.end;
    Label(loaded_.bss, data.name.substr(data.name.rfind('/') + 1) + " BSS");
  }

  const LoadedImage& loaded() const { return loaded_; }

 private:
  MappingTraits TraitsOf(const ImageMapping& m) {
    MappingTraits traits;
    traits.kind = KindOf(m);
    traits.read = m.perms[0] == 'r';
    traits.write = m.perms[1] == 'w';
    traits.execute = m.perms[2] == 'x';
    traits.shared = m.perms[3] == 's';
    traits.no_reserve = m.no_reserve;
    const bool is_charged =
        traits.write && !traits.shared && s_.platform->limits.commit_charge != CommitCharge::kNothing;
    traits.charged = m.has_details ? m.charged : is_charged;
    if (traits.kind != MappingKind::kAnonymous) traits.name = s_.space.InternName(m.name);
    if (traits.kind == MappingKind::kFile) traits.origin = m.start.value() - m.offset;
    // No VM_MAYWRITE, no VM_MAYEXEC (vdso_install_vvar_mapping, lib/vdso/datastore.c, linux 6.18).
    if (m.name.starts_with("[vvar")) traits.flags |= kReadForGood;
    if (traits.kind == MappingKind::kStack) {
      traits.flags |= kGrowsDown;
      if (const uint64_t made_at = s_.platform->placement.stack_made_at; made_at != 0) {
        traits.origin = m.end.value() - made_at;  // it was written before it moved
      }
    }
    if (s_.platform->machine.calls == CallFamily::kReserveAndCommit) {
      SetImageAllocation(s_.space, m.start, &traits);
    }
    return traits;
  }

  // The page tables above what is resident, at the end of the mapping where programs begin; how it is spread is not
  // known. All of them where the mapping needs no more than one.
  void MakeTables(AddrRange range, uint64_t resident_bytes, bool from_the_top) {
    const uint64_t covered = s_.resident.tables().covered_bytes();
    if (covered == 0 || resident_bytes == 0) return;
    const Addr first = RoundDown(range.start, covered), last = RoundDown(range.end() - 1, covered);
    uint64_t left = std::min((last - first) / covered, (resident_bytes - 1) / covered) + 1;
    for (Addr at = from_the_top ? last : first; left != 0; --left, at = from_the_top ? at - covered : at + covered) {
      s_.resident.MakeTables(at, 0);
    }
  }

  void NoteStackAndHeap(const ImageMapping& m, MappingKind kind) {
    if (kind == MappingKind::kStack) loaded_.stack_end = m.end;
    if (kind == MappingKind::kStackGap) s_.main_stack = {m.start, m.end - m.start};
    if (m.name == "[stack]") {
      const bool has_gap = s_.main_stack.bytes != 0 && s_.main_stack.end() == m.start;
      const Addr start = has_gap ? s_.main_stack.start : m.start;
      s_.main_stack = {start, m.end - start};
    }
    if (m.name == "[heap]") {
      if (!s_.break_start) s_.break_start = IsBss(m) ? m.end : m.start;
      s_.break_end = m.end;
    }
  }

  // Named for the heap that it touches. Who has no BSS, and a heap right behind the data, is taken for one
  // that has.
  bool IsBss(const ImageMapping& heap) const {
    if (!s_.platform->mappings.heap_name_at_edges) return false;
    const AddressSpace::Id before = s_.space.Previous(s_.space.Containing(heap.start));
    return before != AddressSpace::kNone && s_.space.mapping(before).end == heap.start &&
           s_.space.mapping(before).traits.kind == MappingKind::kFile;
  }

  void Label(AddrRange range, std::string_view holder) { labels_.Set(range, s_.space.InternName(holder)); }

  ProcessState& s_;
  RangeLabels& labels_;
  LoadedImage loaded_;
};

}  // namespace

const ImageMapping* DataOf(const std::vector<ImageMapping>& image) {
  const ImageMapping* executable = ProgramOf(image);
  for (const ImageMapping& m : image) {
    if (executable != nullptr && m.name == executable->name && m.perms.substr(0, 2) == "rw") return &m;
  }
  return nullptr;
}

LoadedImage LoadProcessImage(const std::vector<ImageMapping>& image, const std::optional<DataSegment>& segment,
                             uint64_t break_raised_bytes, ProcessState* state, RangeLabels* labels) {
  Loader loader(state, labels);
  for (const ImageMapping& m : image) {
    if (m.name != "[vsyscall]") loader.Load(m);  // else not a mapping of the process
  }
  const ImageMapping* const data = DataOf(image);
  if (data != nullptr) loader.NoteData(*data);
  if (!state->break_start) state->break_start = state->break_end = loader.loaded().end + break_raised_bytes;
  if (segment) {
    state->break_start = segment->break_start;
    state->break_end = segment->break_end;
    state->data_segment_bytes = segment->bytes;
  } else if (data != nullptr) {
    state->data_segment_bytes = data->end - data->start;
  }
  return loader.loaded();
}

}  // namespace reheap
