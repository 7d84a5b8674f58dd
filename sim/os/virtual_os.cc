#include "sim/os/virtual_os.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "alloc/check.h"
#include "sim/os/reservations.h"

namespace reheap {
namespace {

int Protection(Access access) {
  const int read_write = kProtRead | kProtWrite;
  return access == Access::kReadWriteExecute ? read_write | kProtExecute : read_write;
}

template <class T>
OsResult<T> Named(OsOperation operation, Refusal refusal) {
  refusal.operation = operation;
  return refusal;
}

OsResult<Done> Named(OsOperation operation, const OsResult<Done>& result) {
  return result.ok() ? result : Named<Done>(operation, result.refusal());
}

Platform WithSwitches(Platform platform, const std::optional<HostSwitches>& switches) {
  if (switches) {
    platform.placement.hint_floor = switches->hint_floor_bytes;
    Platform::Placement& placement = platform.placement;
    if (!placement.huge_alignment_for_files_only) placement.huge_alignment_bytes = switches->huge_alignment_bytes;
    placement.huge_alignment_for_files_only &= switches->huge_alignment_bytes == 0;
    platform.limits.protect_uncharges_unwritten = switches->protect_uncharges_unwritten;
    platform.mappings.written_joins_unwritten = switches->written_joins_unwritten;
    platform.mappings.new_joins_next_first = switches->new_joins_next_first;
    platform.limits.max_mappings = switches->max_mappings;
    if (platform.machine.remap) {
      platform.machine.remap->order =
          switches->remap_looks_first ? RemapOrder::kLooksFirst : RemapOrder::kChecksFirst;
      platform.machine.remap->beside_source = switches->beside_source;
    }
    if (!switches->has_guards) {
      std::erase_if(platform.advice, [](const AdviceWord& word) {
        return word.meaning == AdviceMeaning::kInstallGuard || word.meaning == AdviceMeaning::kRemoveGuard;
      });
    }
    platform.mappings.replace =
        switches->replace_checks_first ? ReplaceOrder::kRemoveThenCheck : ReplaceOrder::kCheckThenReplace;
  }
  return platform;
}

ProcessLimits WithSwitches(const VirtualProcess& process, ProcessLimits limits) {
  if (process.switches) {
    limits.ram_bytes = process.switches->ram_bytes;
    limits.swap_bytes = process.switches->swap_bytes;
    limits.overcommit = process.switches->overcommit;
    limits.overcommit_ratio = process.switches->overcommit_ratio;
    limits.overcommit_kbytes = process.switches->overcommit_kbytes;
    limits.user_reserve_bytes = process.switches->user_reserve_bytes;
    limits.admin_reserve_bytes = process.switches->admin_reserve_bytes;
    limits.huge_pool_bytes = process.switches->huge_pool_bytes;
    limits.is_privileged = process.switches->is_privileged;
  }
  return limits;
}

std::vector<ImageMapping> OwnImage(const Platform& platform) {
  auto image = ParseMaps(platform.image, platform.name + " image");
  REHEAP_CHECK(image.ok());  // ParsePlatform's promise
  return *std::move(image);
}

std::optional<uint64_t> StackLimit(const VirtualProcess& process) {
  if (process.limits.stack_unlimited) return std::nullopt;
  return process.limits.stack_bytes.value_or(process.platform->limits.default_stack_bytes);
}

// What exec decided, and what it left: of the platform's own small program, or as `process.image` tells.
LaidProcess LaidOf(const VirtualProcess& process) {
  const Platform platform = WithSwitches(*process.platform, process.switches);
  const auto data_start = [](const std::vector<ImageMapping>& image) {
    const ImageMapping* data = DataOf(image);
    return data == nullptr ? Addr() : data->start;
  };
  LaidProcess laid = process.image.empty()
                         ? LayProcess(platform, process.layout, StackLimit(process), data_start(OwnImage(platform)))
                         : LearnLayout(platform, process.layout, StackLimit(process), data_start(process.image),
                                       process.image);
  if (process.switches && process.switches->placement_base) laid.base = process.switches->placement_base;
  return laid;
}

std::vector<ImageMapping> ImageOf(const VirtualProcess& process) {
  if (!process.image.empty()) return process.image;
  std::vector<ImageMapping> image = OwnImage(*process.platform);
  return process.platform->placement.randomisation ? LayImage(LaidOf(process), std::move(image)) : image;
}

AddrRange IgnoredHints(const std::vector<ImageMapping>& image, Addr base) {
  if (image.empty() || image.front().start >= base) return {};
  return {image.front().start, base - image.front().start};
}

Placement MakePlacement(const Platform* platform, const VirtualProcess& process) {
  const Addr base = LaidOf(process).base;
  return Placement(platform, base, IgnoredHints(ImageOf(process), base));
}

}  // namespace

std::string PlatformFault(const ImageMapping& mapping, const Platform& platform) {
  const Platform::Machine& machine = platform.machine;
  char text[100];
  if (mapping.end.value() > machine.user_end) {
    std::snprintf(text, sizeof(text), "addresses below 0x%llx", static_cast<unsigned long long>(machine.user_end));
  } else if ((mapping.start.value() | mapping.end.value()) % machine.os_page_bytes != 0) {
    std::snprintf(text, sizeof(text), "whole OS pages of %llu bytes",
                  static_cast<unsigned long long>(machine.os_page_bytes));
  } else {
    return "";
  }
  return text + (" on " + platform.name);
}

VirtualOs::VirtualOs(const VirtualProcess& process)
    : platform_(LaidOf(process).platform),
      state_{&platform_,
             Limits(&platform_, WithSwitches(process, process.limits)),
             MakePlacement(&platform_, process),
             AddressSpace(platform_.mappings.merge, platform_.mappings.written_joins_unwritten),
             ResidentSet(platform_.machine.os_page_bytes, platform_.pages.huge_page_bytes,
                         static_cast<int>(platform_.pages.table_levels), platform_.pages.split_leaves_zero_page),
             ObjectPages(platform_.machine.os_page_bytes)},
      map_(&state_),
      remap_(&state_, &map_),
      faults_(&state_),
      protect_(&state_, &faults_),
      advice_(&state_, &faults_),
      lock_(&state_, &faults_),
      break_(&state_, &map_),
      fork_(&state_),
      seal_(&state_),
      reserve_(&state_),
      regions_(&state_),
      grow_(&state_) {
  state_.place_seed = process.layout.aslr_seed;
  state_.space.set_boundary_listener(this);
  heap_label_ = state_.space.InternName("heap");
  const std::vector<ImageMapping> image = ImageOf(process);
  image_ = LoadProcessImage(image, process.data_segment, LaidOf(process).break_raised_bytes, &state_, &labels_);
  if (reserves()) state_.table_charge_bytes = reserve_.RecountTableCharge();
  if (!process.image_bss_for_tables) image_.bss = AddrRange();
}

std::optional<AddrRange> VirtualOs::TakeImageBss(uint64_t bytes) {
  const uint64_t rounded = RoundUp(bytes, os_page_bytes());
  if (rounded == 0 || rounded > image_.bss.bytes) return std::nullopt;
  const AddrRange taken{image_.bss.end() - rounded, rounded};
  image_.bss = AddrRange();
  labels_.Set(taken, heap_label_);
  return taken;
}

OsUsage VirtualOs::Usage() {
  OsUsage usage;
  usage.vsize_bytes = state_.space.totals().mapped_bytes;
  usage.rss_anonymous_bytes = state_.AnonymousRssBytes();
  usage.commit_bytes = state_.CommitBytes();
  usage.mapping_count = state_.space.count();
  return usage;
}

OsResult<Done> VirtualOs::ChangeLimits(const ProcessLimits& limits) {
  const Refusal refusal = state_.limits.CheckNew(limits, state_.space.totals());
  if (refusal.rule != Rule::kNone) return refusal;
  set_limits(limits);
  return Done();
}

// ---- the platform's own calls ----

int VirtualOs::AddFile(std::string name, uint64_t bytes) {
  state_.files.push_back(state_.space.AddFile(name, bytes));
  return kFirstDescriptor + static_cast<int>(state_.files.size()) - 1;
}
OsResult<Addr> VirtualOs::Mmap(Addr addr, uint64_t bytes, int protection, int flags, MapFile file) {
  REHEAP_CHECK(maps());
  const OsResult<Addr> got = map_.Mmap(addr, bytes, protection, flags, file);
  if (got.ok()) PopulateNew({got.value(), RoundUp(bytes, os_page_bytes())}, flags);
  return Noted(got);
}
OsResult<Addr> VirtualOs::Mremap(Addr old_addr, uint64_t old_bytes, uint64_t new_bytes, int flags,
                                 Addr new_addr) {
  REHEAP_CHECK(maps());
  const OsResult<Addr> got = remap_.Mremap(old_addr, old_bytes, new_bytes, flags, new_addr);
  const uint64_t old_length = RoundUp(old_bytes, os_page_bytes()), length = RoundUp(new_bytes, os_page_bytes());
  if (got.ok() && length > old_length) PopulateNew({got.value() + old_length, length - old_length}, 0);
  return Noted(got);
}

// mm_populate at the end of mmap, brk and mremap, linux 6.12: MAP_POPULATE without MAP_NONBLOCK, or memory that is
// born locked.
void VirtualOs::PopulateNew(AddrRange range, int flags) {
  const MapExtras& extras = platform_.machine.map_extras;
  const AddressSpace::Id id = state_.space.Containing(range.start);
  const bool locked = id != AddressSpace::kNone && (state_.space.mapping(id).traits.flags & kLocked);
  const bool populates = extras.populate != 0 && (flags & (extras.populate | extras.non_block)) == extras.populate;
  if (locked || populates) (void)faults_.PopulateMapped(range, true);
}
OsResult<Done> VirtualOs::Munmap(Addr addr, uint64_t bytes) {
  REHEAP_CHECK(maps());
  return Noted(map_.Munmap(addr, bytes));
}
OsResult<Done> VirtualOs::Mprotect(Addr addr, uint64_t bytes, int protection) {
  REHEAP_CHECK(maps());
  return Noted(protect_.Mprotect(addr, bytes, protection));
}
OsResult<Done> VirtualOs::Madvise(Addr addr, uint64_t bytes, int advice) {
  REHEAP_CHECK(maps());
  return Noted(advice_.Madvise(addr, bytes, advice));
}
OsResult<Done> VirtualOs::Mlock(Addr addr, uint64_t bytes, int flags) {
  REHEAP_CHECK(maps());
  return Noted(lock_.Mlock(addr, bytes, flags));
}
OsResult<Done> VirtualOs::Munlock(Addr addr, uint64_t bytes) {
  REHEAP_CHECK(maps());
  return Noted(lock_.Munlock(addr, bytes));
}
OsResult<Done> VirtualOs::Mlockall(int flags) {
  REHEAP_CHECK(maps());
  return Noted(lock_.Mlockall(flags));
}
OsResult<Done> VirtualOs::Munlockall() {
  REHEAP_CHECK(maps());
  return Noted(lock_.Munlockall());
}
OsResult<Done> VirtualOs::Mseal(Addr addr, uint64_t bytes, uint64_t flags) {
  REHEAP_CHECK(platform_.machine.seals);
  return Noted(seal_.Mseal(addr, bytes, flags));
}
MmapResult VirtualOs::Brk(Addr addr) {
  REHEAP_CHECK(maps());
  const Addr before = RoundUp(state_.break_end, os_page_bytes());
  const MmapResult got = break_.Brk(addr);
  if (got.ok() && got.value() > before) {
    PopulateNew({before, RoundUp(got.value(), os_page_bytes()) - before}, 0);
  }
  return Noted(got);
}

// ---- the Os interface ----

bool VirtualOs::RefusedByTest() {
  if (!requests_left_) return false;
  if (*requests_left_ == 0) return true;
  --*requests_left_;
  return false;
}

Refusal VirtualOs::TestRefusal(OsOperation operation, AddrRange range) {
  last_refusal_ = Refused(Rule::kUnknown, platform_.machine.errors.out_of_memory, range);
  last_refusal_.operation = operation;
  return last_refusal_;
}

OsResult<AddrRange> VirtualOs::MapAnywhere(OsOperation operation, AddrRange wanted, int protection,
                                           uint32_t allocation) {
  if (RefusedByTest()) return TestRefusal(operation, wanted);
  const CallBits& bits = platform_.machine.bits;
  OsResult<Addr> got = Addr();
  if (reserves()) {
    got = reserve_.AllocateNear(wanted, allocation, AccessProtection(protection),
                                operation != OsOperation::kMapReadyAt);
  } else if (only_grows()) {
    got = grow_.Grow(wanted.bytes);
  } else {
    got = map_.Mmap(wanted.start, wanted.bytes, protection, bits.map_private | bits.map_anonymous);
  }
  if (!got.ok()) return Named<AddrRange>(operation, got.refusal());
  return AddrRange{got.value(), wanted.bytes};
}

OsResult<AddrRange> VirtualOs::DoReserve(uint64_t bytes, Addr hint) {
  return Labelled(MapAnywhere(OsOperation::kReserve, {hint, bytes}, 0, kMemReserve));
}

OsResult<AddrRange> VirtualOs::DoMapReady(uint64_t bytes, reheap::Access access, Addr hint) {
  return Labelled(
      MapAnywhere(OsOperation::kMapReady, {hint, bytes}, Protection(access), kMemReserve | kMemCommit));
}

OsResult<Done> VirtualOs::DoMapReadyAt(AddrRange range, reheap::Access access) {
  const OsOperation operation = OsOperation::kMapReadyAt;
  if (only_grows()) {
    const OsResult<Done> grown = RefusedByTest() ? TestRefusal(operation, range) : grow_.GrowAt(range);
    if (grown.ok()) labels_.Set(range, heap_label_);
    return Noted(Named(operation, grown));
  }
  const OsResult<AddrRange> got = Noted(MapAnywhere(operation, range, Protection(access), kMemReserve | kMemCommit));
  if (!got.ok()) return got.refusal();
  if (got.value().start == range.start) {
    labels_.Set(range, heap_label_);
    return Done();
  }
  if (reserves()) {
    (void)reserve_.VirtualFree(got.value().start, 0, kMemRelease);
  } else {
    (void)map_.Munmap(got.value().start, range.bytes);
  }
  Refusal refusal = Refused(Rule::kAddressTaken, 0, range);
  refusal.operation = operation;
  refusal.obtained = got.value().start;
  return Noted(OsResult<Done>(refusal));
}

OsResult<Done> VirtualOs::MapFixed(OsOperation operation, AddrRange range, int protection) {
  const CallBits& bits = platform_.machine.bits;
  const MmapResult got =
      map_.Mmap(range.start, range.bytes, protection, bits.map_private | bits.map_anonymous | bits.map_fixed);
  return Noted(got.ok() ? OsResult<Done>(Done()) : Named<Done>(operation, got.refusal()));
}

OsResult<Done> VirtualOs::DoCommit(AddrRange range, reheap::Access access, CommitMethod method) {
  const OsOperation operation = OsOperation::kCommit;
  if (RefusedByTest()) return TestRefusal(operation, range);
  if (only_grows()) return Noted(Named(operation, grow_.Zero(range)));
  const int protection = Protection(access);
  if (reserves()) {
    const auto got = reserve_.VirtualAlloc(range.start, range.bytes, kMemCommit, AccessProtection(protection));
    return Noted(got.ok() ? OsResult<Done>(Done()) : Named<Done>(operation, got.refusal()));
  }
  if (method == CommitMethod::kMapFixed) return MapFixed(operation, range, protection);
  return Noted(Named(operation, protect_.Mprotect(range.start, range.bytes, protection)));
}

OsResult<AddrRange> VirtualOs::DoMap(uint64_t bytes, Addr hint, const MapTraits& traits) {
  const OsOperation operation = traits.ready ? OsOperation::kMapReady : OsOperation::kReserve;
  const int protection = traits.ready ? Protection(traits.access) : 0;
  if (!maps()) {
    if (traits.over) return Named<AddrRange>(operation, Refused(Rule::kInvalidArgument, 0, {hint, bytes}));
    const uint32_t commit = traits.ready ? kMemCommit : 0;
    return Labelled(MapAnywhere(operation, {hint, bytes}, protection, kMemReserve | commit));
  }
  if (RefusedByTest()) return TestRefusal(operation, {hint, bytes});
  const CallBits& bits = platform_.machine.bits;
  int flags = bits.map_private | bits.map_anonymous;
  if (traits.no_reserve) flags |= bits.map_no_reserve;
  if (traits.low) flags |= platform_.machine.map_extras.low_window;
  if (traits.over) flags |= bits.map_fixed;
  const MmapResult got = map_.Mmap(hint, bytes, protection, flags);
  if (!got.ok()) return Noted(Named<AddrRange>(operation, got.refusal()));
  return Labelled(AddrRange{got.value(), bytes});
}

OsResult<AddrRange> VirtualOs::DoGrowBreak(uint64_t bytes) {
  const OsOperation operation = OsOperation::kMapReady;
  if (RefusedByTest()) return TestRefusal(operation, {Addr(), bytes});
  if (!maps() || !state_.break_start) {
    return Named<AddrRange>(operation, Refused(Rule::kInvalidArgument, 0, {Addr(), bytes}));
  }
  const Addr start = RoundUp(state_.break_end, os_page_bytes());
  const MmapResult got = break_.Brk(start + bytes);
  if (!got.ok()) return Noted(Named<AddrRange>(operation, got.refusal()));
  return Labelled(AddrRange{start, bytes});
}

bool VirtualOs::IsWhollyMapped(AddrRange range) {
  Addr reached = range.start;
  for (auto id = state_.space.FirstEndingAbove(range.start); id != AddressSpace::kNone && reached < range.end();
       id = state_.space.Next(id)) {
    const Mapping& m = state_.space.mapping(id);
    if (m.start > reached) return false;
    reached = m.end;
  }
  return reached >= range.end();
}

OsResult<Done> VirtualOs::DoDiscard(AddrRange range) {
  const OsOperation operation = OsOperation::kDiscard;
  if (RefusedByTest()) return TestRefusal(operation, range);
  if (only_grows()) return Noted(Named(operation, grow_.Zero(range)));
  if (reserves()) {
    NoteExecutable(range);
    return Noted(Named(operation, reserve_.VirtualFree(range.start, range.bytes, kMemDecommit)));
  }
  return Noted(Named(operation, advice_.Madvise(range.start, range.bytes, platform_.machine.bits.advice_discard)));
}

void VirtualOs::NoteExecutable(AddrRange range) {
  executable_.Set(range, 0);
  const AddressSpace& space = state_.space;
  for (auto id = space.FirstEndingAbove(range.start); id != AddressSpace::kNone; id = space.Next(id)) {
    const Mapping& m = space.mapping(id);
    if (m.start >= range.end()) break;
    const Addr start = std::max(m.start, range.start), end = std::min(m.end, range.end());
    if (m.traits.execute) executable_.Set({start, end - start}, 1);
  }
}

OsResult<Done> VirtualOs::DoReuse(AddrRange range) {
  const OsOperation operation = OsOperation::kReuse;
  if (RefusedByTest()) return TestRefusal(operation, range);
  if (!reserves()) return Done();
  OsResult<Done> done = Done();
  executable_.ForEachPiece(range, [&](AddrRange piece, RangeLabels::Label executes) {
    if (!done.ok()) return;
    const uint32_t protection = executes != 0 ? kPageExecuteReadWrite : kPageReadWrite;
    const OsResult<Addr> got = reserve_.VirtualAlloc(piece.start, piece.bytes, kMemCommit, protection);
    if (!got.ok()) done = Named<Done>(operation, got.refusal());
  });
  return Noted(done);
}

OsResult<Done> VirtualOs::DoDecommit(AddrRange range) {
  const OsOperation operation = OsOperation::kDecommit;
  if (RefusedByTest()) return TestRefusal(operation, range);
  if (only_grows()) return Noted(Named(operation, grow_.Zero(range)));
  if (reserves()) return Noted(Named(operation, reserve_.VirtualFree(range.start, range.bytes, kMemDecommit)));
  return MapFixed(operation, range, 0);
}

OsResult<Done> VirtualOs::DoRelease(AddrRange range) {
  const OsOperation operation = OsOperation::kRelease;
  if (RefusedByTest()) return TestRefusal(operation, range);
  if (only_grows()) return Noted(Named<Done>(operation, grow_.RefuseToShrink(range)));
  const OsResult<Done> released = reserves() ? reserve_.VirtualFree(range.start, 0, kMemRelease)
                                             : map_.Munmap(range.start, range.bytes);
  if (released.ok()) labels_.Set(range, 0);
  return Noted(Named(operation, released));
}

// ---- for people and tests ----

// A file's own name comes first, also that of the nameless file behind shared memory (shmem_zero_setup,
// mm/shmem.c), then [heap]; of a stack in pieces only the one where the program started is [stack], taken to be
// the highest (get_vma_name, fs/proc/task_mmu.c; vma_is_initial_heap and vma_is_initial_stack,
// include/linux/mm.h, linux 6.12).
std::string_view VirtualOs::LabelOf(const Mapping& m) const {
  if (m.traits.kind == MappingKind::kStack && m.end != image_.stack_end) return {};
  const std::string& name = state_.space.NameOf(m.traits.name);
  if (m.traits.shared && name.empty()) return "/dev/zero (deleted)";
  if (m.traits.kind != MappingKind::kAnonymous || m.traits.object != MemoryObjects::kNone) return name;
  // vma_is_initial_heap, include/linux/mm.h, linux 6.12; show_map_vma, fs/proc/task_mmu.c, 6.1: with what
  // touches it.
  const bool is_heap = platform_.mappings.heap_name_at_edges
                           ? m.start <= state_.break_end && m.end >= state_.break_start
                           : m.start < state_.break_end && m.end > state_.break_start;
  return is_heap ? std::string_view("[heap]") : std::string_view(name);
}

std::string VirtualOs::MapsText() const {
  std::string text;
  const AddressSpace& space = state_.space;
  for (auto id = space.First(); id != AddressSpace::kNone; id = space.Next(id)) {
    const Mapping& m = space.mapping(id);
    ImageMapping line;
    line.start = m.start;
    line.end = m.end;
    line.perms = {m.traits.read ? 'r' : '-', m.traits.write ? 'w' : '-', m.traits.execute ? 'x' : '-',
                  m.traits.shared ? 's' : 'p'};
    if (m.traits.kind == MappingKind::kFile || m.traits.object != MemoryObjects::kNone) {
      line.offset = m.start.value() - m.traits.origin;
      line.inode = 1;
    }
    line.name = LabelOf(m);
    text += FormatMapsLine(line) + "\n";
  }
  return text;
}

void VirtualOs::Squat(AddrRange range) {
  MappingTraits traits;
  traits.read = traits.write = true;
  traits.charged = platform_.limits.commit_charge != CommitCharge::kNothing;
  if (reserves()) {
    traits.origin = range.start.value();
    traits.page_protection = traits.allocation_protection = kPageReadWrite;
  }
  state_.space.Insert(range, traits);
  if (reserves()) state_.table_charge_bytes = reserve_.RecountTableCharge();
  Label(range, "squatters");
}

void VirtualOs::Label(AddrRange range, std::string_view holder) {
  labels_.Set(range, holder.empty() ? 0 : state_.space.InternName(holder));
}

void VirtualOs::CheckInvariants() const {
  state_.space.CheckInvariants();
  labels_.CheckInvariants();
  state_.resident.CheckInvariants();
  REHEAP_CHECK_EQ(state_.object_pages.Recount(), state_.object_pages.count());
  if (reserves()) REHEAP_CHECK_EQ(reserve_.RecountTableCharge(), state_.table_charge_bytes);
}

}  // namespace reheap
