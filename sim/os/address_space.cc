#include "sim/os/address_space.h"

#include <algorithm>
#include <utility>

#include "alloc/check.h"

namespace reheap {

AddressSpace::AddressSpace(MergeRule merge, bool written_joins_unwritten)
    : merge_(merge), written_joins_unwritten_(written_joins_unwritten), nodes_(1), names_(1) {}

// ---- the tree ----

void AddressSpace::UpdateGap(Id id) {
  Node& node = nodes_[id];
  const Addr below = node.previous == kNone ? Addr() : nodes_[node.previous].mapping.end;
  node.gap = node.mapping.start - below;
  UpdateGapsUpwards(id);
}

// Stops where nothing changes: what is above does not see a difference.
void AddressSpace::UpdateGapsUpwards(Id id) {
  uint64_t largest = LargestGap(id);
  for (Id above = nodes_[id].parent; above != kNone; id = above, above = nodes_[id].parent) {
    Node& parent = nodes_[above];
    const int side = parent.child[1] == id;
    if (parent.child_gap[side] == largest) return;
    parent.child_gap[side] = largest;
    largest = std::max({largest, parent.gap, parent.child_gap[!side]});
  }
}

void AddressSpace::RotateUp(Id id) {
  Node& node = nodes_[id];
  const Id above = node.parent;
  Node& parent = nodes_[above];
  const Id grandparent = parent.parent;
  const int side = parent.child[1] == id;
  const Id inner = node.child[!side];
  parent.child[side] = inner;
  parent.child_gap[side] = node.child_gap[!side];
  if (inner != kNone) nodes_[inner].parent = above;
  node.child[!side] = above;
  node.child_gap[!side] = LargestGap(above);
  parent.parent = id;
  node.parent = grandparent;
  if (grandparent == kNone) {
    root_ = id;
  } else {
    nodes_[grandparent].child[nodes_[grandparent].child[1] == above] = id;
  }
}

AddressSpace::Id AddressSpace::NewNode() {
  if (free_ != kNone) {
    const Id id = free_;
    free_ = nodes_[id].next;
    nodes_[id] = Node();
    return id;
  }
  nodes_.emplace_back();
  return static_cast<Id>(nodes_.size() - 1);
}

AddressSpace::Id AddressSpace::Link(AddrRange range, const MappingTraits& traits, uint32_t writer, Id next) {
  const Id id = NewNode();
  const Id previous = next == kNone ? last_ : nodes_[next].previous;
  Node& node = nodes_[id];
  node.mapping = {range.start, range.end(), traits, writer};
  node.previous = previous;
  node.next = next;
  random_ ^= random_ << 13;
  random_ ^= random_ >> 17;
  random_ ^= random_ << 5;
  node.priority = random_;
  (previous == kNone ? first_ : nodes_[previous].next) = id;
  (next == kNone ? last_ : nodes_[next].previous) = id;

  // In-order neighbours: one of the two has a free child on the facing side.
  if (previous != kNone && nodes_[previous].child[1] == kNone) {
    node.parent = previous;
    nodes_[previous].child[1] = id;
  } else if (next != kNone) {
    node.parent = next;
    nodes_[next].child[0] = id;
  } else {
    root_ = id;
  }
  UpdateGap(id);
  if (next != kNone) UpdateGap(next);
  while (nodes_[id].parent != kNone && nodes_[nodes_[id].parent].priority < nodes_[id].priority) RotateUp(id);

  finger_ = id;
  ++count_;
  Count(range.bytes, traits, true);
  if (traits.object != MemoryObjects::kNone) objects_.Mapped(traits.object);
  return id;
}

void AddressSpace::Unlink(Id id) {
  Count(nodes_[id].mapping.bytes(), nodes_[id].mapping.traits, false);
  if (const auto object = nodes_[id].mapping.traits.object; object != MemoryObjects::kNone) {
    totals_.charged_bytes -= objects_.charged_bytes();
    objects_.Unmapped(object);
    totals_.charged_bytes += objects_.charged_bytes();
  }
  --count_;
  for (;;) {
    const Id left = nodes_[id].child[0], right = nodes_[id].child[1];
    if (left == kNone || right == kNone) break;
    RotateUp(nodes_[left].priority > nodes_[right].priority ? left : right);
  }
  const int side = nodes_[id].child[0] == kNone;
  const Id child = nodes_[id].child[side];
  const Id parent = nodes_[id].parent;
  if (child != kNone) nodes_[child].parent = parent;
  if (parent == kNone) {
    root_ = child;
  } else {
    const int place = nodes_[parent].child[1] == id;
    nodes_[parent].child[place] = child;
    nodes_[parent].child_gap[place] = nodes_[id].child_gap[side];
  }
  const Id previous = nodes_[id].previous, next = nodes_[id].next;
  (previous == kNone ? first_ : nodes_[previous].next) = next;
  (next == kNone ? last_ : nodes_[next].previous) = previous;
  // The gap that grows comes first: mostly nothing above shrinks then.
  if (next != kNone) UpdateGap(next);
  if (parent != kNone) UpdateGapsUpwards(parent);
  finger_ = next != kNone ? next : previous;
  if (ceiling_ == id) ceiling_ = next;
  nodes_[id].next = free_;
  free_ = id;
}

void AddressSpace::Resize(Id id, Addr start, Addr end) {
  Mapping& m = nodes_[id].mapping;
  Count(m.bytes(), m.traits, false);
  const bool start_moved = m.start != start, end_moved = m.end != end;
  m.start = start;
  m.end = end;
  Count(m.bytes(), m.traits, true);
  if (start_moved) UpdateGap(id);
  if (end_moved && nodes_[id].next != kNone) UpdateGap(nodes_[id].next);
}

void AddressSpace::AddTo(MappingTotals* totals, uint64_t bytes, const MappingTraits& traits, bool add) {
  const uint64_t delta = add ? bytes : -bytes;
  if (!IsGuard(traits)) totals->mapped_bytes += delta;
  if (IsData(traits)) totals->data_bytes += delta;
  if (GrowsDown(traits)) totals->stack_bytes += delta;
  if (traits.charged) totals->charged_bytes += delta;
  if (ClaimsMemory(traits)) totals->claimed_bytes += delta;
  // is_exec_mapping, mm/vma.h, linux 6.12.
  if (traits.execute && !traits.write && !GrowsDown(traits)) totals->executable_bytes += delta;
  if (traits.flags & kLocked) totals->locked_bytes += delta;
}

// ---- looking ----

AddressSpace::Id AddressSpace::Find(Addr a, Id finger) const {
  if (finger != kNone) {
    if (IsFirstEndingAbove(finger, a)) return finger;
    const Id next = nodes_[finger].next, previous = nodes_[finger].previous;
    if (next != kNone && IsFirstEndingAbove(next, a)) return next;
    if (previous != kNone && IsFirstEndingAbove(previous, a)) return previous;
  }
  Id best = kNone;
  for (Id id = root_; id != kNone;) {
    const Node& node = nodes_[id];
    // A branch, so that the host guesses and reads on: half of the time that is the node that is needed.
    if (node.mapping.end > a) {
      best = id;
      id = node.child[0];
    } else {
      id = node.child[1];
    }
  }
  return best;
}

AddressSpace::Id AddressSpace::FirstEndingAbove(Addr a) const {
  const Id found = Find(a, finger_);
  if (found != kNone) finger_ = found;
  return found;
}

AddressSpace::Id AddressSpace::Containing(Addr a) const {
  const Id id = FirstEndingAbove(a);
  return id != kNone && nodes_[id].mapping.start <= a ? id : kNone;
}

bool AddressSpace::Overlaps(AddrRange range) const {
  const Id id = FirstEndingAbove(range.start);
  return id != kNone && nodes_[id].mapping.start < range.end();
}

AddressSpace::Id AddressSpace::OutermostGap(Id subtree, uint64_t bytes, int side) const {
  for (Id id = subtree;;) {
    const Node& node = nodes_[id];
    if (node.child_gap[side] >= bytes) {
      id = node.child[side];
    } else if (node.gap >= bytes) {
      return id;
    } else {
      id = node.child[!side];
    }
  }
}

AddressSpace::Id AddressSpace::NearestGap(Id id, uint64_t bytes, int side) const {
  if (nodes_[id].child_gap[side] >= bytes) return OutermostGap(nodes_[id].child[side], bytes, !side);
  for (;;) {
    const Id parent = nodes_[id].parent;
    if (parent == kNone) return kNone;
    const Node& node = nodes_[parent];
    if (node.child[!side] == id) {
      if (node.gap >= bytes) return parent;
      if (node.child_gap[side] >= bytes) return OutermostGap(node.child[side], bytes, !side);
    }
    id = parent;
  }
}

std::optional<Addr> AddressSpace::HighestFit(Addr lowest, Addr highest, uint64_t bytes) const {
  if (highest <= lowest || highest - lowest < bytes) return std::nullopt;
  // The gap at `highest` is clipped by it, so it is looked at by itself.
  Id id = ceiling_ = Find(highest - 1, ceiling_);
  Addr top = id == kNone || nodes_[id].mapping.start > highest ? highest : nodes_[id].mapping.start;
  for (;;) {
    const Id below = id == kNone ? last_ : nodes_[id].previous;
    const Addr bottom = std::max(lowest, below == kNone ? Addr() : nodes_[below].mapping.end);
    if (top >= bottom && top - bottom >= bytes) return top - bytes;
    if (bottom <= lowest) return std::nullopt;
    // below != kNone: its end is above `lowest`.
    id = nodes_[below].gap >= bytes ? below : NearestGap(below, bytes, 0);
    if (id == kNone) return std::nullopt;
    top = nodes_[id].mapping.start;
  }
}

std::optional<Addr> AddressSpace::LowestFit(Addr lowest, Addr highest, uint64_t bytes,
                                            uint64_t alignment) const {
  Addr bottom = lowest;
  for (Id id = FirstEndingAbove(lowest);;) {
    const Addr top = id == kNone ? highest : std::min(highest, nodes_[id].mapping.start);
    const Addr fit = RoundUp(bottom, alignment);
    if (fit >= bottom && fit < top && top - fit >= bytes) return fit;
    if (id == kNone || nodes_[id].mapping.start >= highest) return std::nullopt;
    id = NearestGap(id, bytes, 1);
    bottom = nodes_[id == kNone ? last_ : nodes_[id].previous].mapping.end;
  }
}

// ---- merging ----

bool AddressSpace::MayMerge(const MappingTraits& a, const MappingTraits& b) const {
  return a == b && a.kind != MappingKind::kSpecial;
}

// Both never written, one of them, or both by the same anon_vma (is_mergeable_anon_vma, mm/vma.c, 6.18). One
// object, or none yet (vm_map_mergeable_neighbors, sys/vm/vm_map.c, FreeBSD).
bool AddressSpace::MayShareWriter(const Mapping& a, const Mapping& b) const {
  if (merge_ == MergeRule::kSameObject) return a.writer == b.writer;
  return a.writer == 0 || b.writer == 0 || a.writer == b.writer;
}

bool AddressSpace::MayJoin(const Mapping& neighbour, const MappingTraits& traits, uint32_t writer,
                           bool existing) const {
  if (!MayMerge(neighbour.traits, traits)) return false;
  switch (merge_) {
    case MergeRule::kNever:
      return false;
    case MergeRule::kWithinReservation:
      return true;
    case MergeRule::kSameObject:
      return neighbour.writer == writer;
    case MergeRule::kOnlyWhenNew:
      return !existing;
    case MergeRule::kPreviousOnly:
    case MergeRule::kBothSidesSameWriter:
      break;
  }
  if (neighbour.writer == writer || writer == 0) return true;
  // A written piece into a never written neighbour: not on linux 6.1 and 6.12, allowed on 6.18.
  return neighbour.writer == 0 && written_joins_unwritten_;
}

AddressSpace::Id AddressSpace::Insert(AddrRange range, const MappingTraits& traits, uint32_t writer, Join join) {
  REHEAP_CHECK_GT(range.bytes, 0);
  const Id next = FirstEndingAbove(range.start);
  const Id previous = next == kNone ? last_ : nodes_[next].previous;
  REHEAP_CHECK(next == kNone || nodes_[next].mapping.start >= range.end());

  // An object grows to hold what is mapped right behind it (vm_object_coalesce, sys/vm/vm_object.c, FreeBSD;
  // how far it reached already is not modelled).
  const auto extends = [&](const Mapping& m) {
    return merge_ == MergeRule::kSameObject ? MayMerge(m.traits, traits) : MayJoin(m, traits, writer, false);
  };
  const bool may_left = join != Join::kNone && join != Join::kRight;
  const bool may_right = join != Join::kNone && join != Join::kLeft && merge_ != MergeRule::kPreviousOnly;
  bool left = may_left && previous != kNone && nodes_[previous].mapping.end == range.start &&
              extends(nodes_[previous].mapping);
  bool right = may_right && next != kNone && nodes_[next].mapping.start == range.end() &&
               MayJoin(nodes_[next].mapping, traits, writer, false);
  if (left && right && join == Join::kNextFirst) {
    // Asked as if it were the next one's already (__mmap_region, mm/mmap.c, 6.1).
    left = MayJoin(nodes_[previous].mapping, traits, nodes_[next].mapping.writer, false);
  } else if (left && right && !MayShareWriter(nodes_[previous].mapping, nodes_[next].mapping)) {
    // Each fine but not with each other: joins the left only (can_vma_merge_right, mm/vma.c, 6.12).
    right = false;
  }

  if (!left && !right) return Link(range, traits, writer, next);
  const Id into = left ? previous : next;
  Mapping& whole = nodes_[into].mapping;
  if (whole.writer == 0) whole.writer = writer;
  if (left && right) {
    const Mapping absorbed = nodes_[next].mapping;
    Unlink(next);
    if (whole.writer == 0) whole.writer = absorbed.writer;
    Resize(into, whole.start, absorbed.end);
  } else {
    Resize(into, left ? whole.start : range.start, left ? range.end() : whole.end);
  }
  return into;
}

void AddressSpace::InsertImage(AddrRange range, const MappingTraits& traits, bool written) {
  const Id next = FirstEndingAbove(range.start);
  REHEAP_CHECK(next == kNone || nodes_[next].mapping.start >= range.end());
  Link(range, traits, written ? ++last_writer_ : 0, next);
}

// Whatever is split gets its object first, so that the pieces know each other again (vm_map_entry_clone,
// sys/vm/vm_map.c, FreeBSD).
void AddressSpace::NoteSplit(Id id) {
  Mapping& m = nodes_[id].mapping;
  if (merge_ == MergeRule::kSameObject && m.writer == 0 && !IsGuard(m.traits)) m.writer = ++last_writer_;
}

void AddressSpace::SplitAt(Addr a) {
  const Id id = Containing(a);
  if (id == kNone || nodes_[id].mapping.start == a) return;
  NoteSplit(id);
  NoteBoundary(a);
  const Mapping whole = nodes_[id].mapping;
  Resize(id, whole.start, a);
  Link({a, whole.end - a}, whole.traits, whole.writer, nodes_[id].next);
}

void AddressSpace::Remove(AddrRange range) {
  const Addr end = range.end();
  Id id = FirstEndingAbove(range.start);
  while (id != kNone && nodes_[id].mapping.start < end) {
    if (nodes_[id].mapping.start < range.start || nodes_[id].mapping.end > end) NoteSplit(id);
    const Mapping m = nodes_[id].mapping;
    const Id next = nodes_[id].next;
    if (m.start < range.start) NoteBoundary(range.start);
    if (m.end > end) NoteBoundary(end);
    if (m.start < range.start) {
      Resize(id, m.start, range.start);
      if (m.end > end) Link({end, m.end - end}, m.traits, m.writer, nodes_[id].next);
    } else if (m.end > end) {
      Resize(id, end, m.end);
    } else {
      Unlink(id);
    }
    id = next;
  }
}

bool AddressSpace::WouldJoinPrevious(Id id, AddrRange range, const MappingTraits& traits) const {
  const Mapping& m = nodes_[id].mapping;
  const Id previous = nodes_[id].previous;
  return range.start == m.start && previous != kNone && nodes_[previous].mapping.end == m.start &&
         MayJoin(nodes_[previous].mapping, traits, m.writer, true);
}

bool AddressSpace::WouldJoinNext(Id id, AddrRange range, const MappingTraits& traits) const {
  const Mapping& m = nodes_[id].mapping;
  const Id next = nodes_[id].next;
  return merge_ != MergeRule::kPreviousOnly && range.end() == m.end && next != kNone &&
         nodes_[next].mapping.start == m.end && MayJoin(nodes_[next].mapping, traits, m.writer, true);
}

AddressSpace::Id AddressSpace::SetTraits(Id id, AddrRange range, const MappingTraits& traits) {
  REHEAP_CHECK(nodes_[id].mapping.range().Contains(range));
  const bool left = WouldJoinPrevious(id, range, traits);
  bool right = WouldJoinNext(id, range, traits);
  if (left && right) {
    right = MayShareWriter(nodes_[nodes_[id].previous].mapping, nodes_[nodes_[id].next].mapping);
  }
  SplitAt(range.start);
  if (nodes_[id].mapping.start != range.start) id = nodes_[id].next;
  SplitAt(range.end());

  Mapping& m = nodes_[id].mapping;
  Count(m.bytes(), m.traits, false);
  m.traits = traits;
  Count(m.bytes(), m.traits, true);
  const auto absorb = [this](Id into, Id gone) {
    const Mapping absorbed = nodes_[gone].mapping;
    Unlink(gone);
    Mapping& whole = nodes_[into].mapping;
    if (whole.writer == 0) whole.writer = absorbed.writer;
    Resize(into, std::min(whole.start, absorbed.start), std::max(whole.end, absorbed.end));
  };
  if (right) absorb(id, nodes_[id].next);
  if (left) {
    const Id previous = nodes_[id].previous;
    absorb(previous, id);
    return previous;
  }
  return id;
}

// The next one's anon_vma first, then the previous one's, when they differ in r/w/x at most
// (find_mergeable_anon_vma and anon_vma_compatible, mm/vma.c, 6.12).
void AddressSpace::NoteFirstWrite(Id id) {
  Mapping& m = nodes_[id].mapping;
  if (m.writer != 0) return;
  const auto lends = [&m](const Mapping& neighbour) {
    MappingTraits theirs = neighbour.traits;
    theirs.read = m.traits.read;
    theirs.write = m.traits.write;
    theirs.execute = m.traits.execute;
    return neighbour.writer != 0 && theirs == m.traits;
  };
  const Id next = nodes_[id].next, previous = nodes_[id].previous;
  if (merge_ != MergeRule::kBothSidesSameWriter) {
    m.writer = ++last_writer_;  // an object or amap of its own
  } else if (next != kNone && nodes_[next].mapping.start == m.end && lends(nodes_[next].mapping)) {
    m.writer = nodes_[next].mapping.writer;
  } else if (previous != kNone && nodes_[previous].mapping.end == m.start &&
             lends(nodes_[previous].mapping)) {
    m.writer = nodes_[previous].mapping.writer;
  } else {
    m.writer = ++last_writer_;
  }
}

MemoryObjects::Id AddressSpace::AddFile(std::string_view name, uint64_t bytes) {
  return objects_.AddFile(InternName(name), bytes);
}

MemoryObjects::Id AddressSpace::AddShared(uint64_t bytes, bool charged) {
  if (charged) totals_.charged_bytes += bytes;
  return objects_.AddShared(bytes, charged ? bytes : 0);
}

uint32_t AddressSpace::InternName(std::string_view name) {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found != names_.end()) return static_cast<uint32_t>(found - names_.begin());
  names_.emplace_back(name);
  return static_cast<uint32_t>(names_.size() - 1);
}

// ---- checking ----

MappingTotals AddressSpace::Recount() const {
  MappingTotals totals;
  for (MemoryObjects::Id id = 1; id < objects_.size(); ++id) totals.charged_bytes += objects_[id].charged_bytes;
  for (Id id = first_; id != kNone; id = nodes_[id].next) {
    AddTo(&totals, nodes_[id].mapping.bytes(), nodes_[id].mapping.traits, true);
  }
  return totals;
}

void AddressSpace::CheckInvariants() const {
  uint64_t count = 0;
  Addr end;
  Id previous = kNone;
  for (Id id = first_; id != kNone; previous = id, id = nodes_[id].next) {
    const Node& node = nodes_[id];
    ++count;
    REHEAP_CHECK_LT(node.mapping.start.value(), node.mapping.end.value());
    REHEAP_CHECK_GE(node.mapping.start.value(), end.value());
    REHEAP_CHECK_EQ(node.previous, previous);
    end = node.mapping.end;
    REHEAP_CHECK_EQ(node.gap, node.mapping.start - (previous == kNone ? Addr() : nodes_[previous].mapping.end));
    for (int side = 0; side < 2; ++side) {
      const Id child = node.child[side];
      REHEAP_CHECK_EQ(node.child_gap[side], child == kNone ? 0 : LargestGap(child));
      if (child == kNone) continue;
      REHEAP_CHECK_EQ(nodes_[child].parent, id);
      REHEAP_CHECK_LE(nodes_[child].priority, node.priority);
      REHEAP_CHECK((nodes_[child].mapping.start > node.mapping.start) == (side == 1));
    }
    REHEAP_CHECK((node.parent == kNone) == (root_ == id));
  }
  REHEAP_CHECK_EQ(previous, last_);
  REHEAP_CHECK_EQ(count, count_);
  REHEAP_CHECK(Recount() == totals_);
}

}  // namespace reheap
