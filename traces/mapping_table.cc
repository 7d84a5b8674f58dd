#include "traces/mapping_table.h"

#include <algorithm>
#include <bit>
#include <iterator>

namespace reheap {
namespace {

// No process has an address beyond.
constexpr uint64_t kAddressLimit = uint64_t{1} << 63;

// Bits of mmap(2) on linux, in which traces are spelled.
constexpr uint64_t kRead = 1, kWrite = 2, kExecute = 4;
constexpr uint64_t kPrivateAnonymous = uint64_t{0x22} << 32;
constexpr uint64_t kProtectionMask = 0xffffffff;

uint64_t ProtectionOf(const std::string& permissions) {
  uint64_t protection = 0;
  if (permissions.find('r') != std::string::npos) protection |= kRead;
  if (permissions.find('w') != std::string::npos) protection |= kWrite;
  if (permissions.find('x') != std::string::npos) protection |= kExecute;
  return protection;
}

MappingTable::Call RangeCall(EventKind kind, uint64_t start, uint64_t end) {
  MappingTable::Call call;
  call.event.kind = kind;
  call.event.address = start;
  call.event.size = end - start;
  return call;
}

}  // namespace

MappingTable::MappingTable(const proto::TraceHeader& header) {
  const uint64_t page = header.host().os_page_bytes();
  if (std::has_single_bit(page) && page < kAddressLimit / 2) os_page_bytes_ = page;
  for (const proto::Mapping& mapping : header.mappings()) {
    if (mapping.start() >= mapping.end() || mapping.end() > kAddressLimit) continue;
    Remove(mapping.start(), mapping.end());  // of a header that contradicts itself the last one counts
    Piece piece;
    piece.end = mapping.end();
    piece.protection_and_flags = ProtectionOf(mapping.permissions()) | kPrivateAnonymous;
    piece.image = true;
    pieces_[mapping.start()] = piece;
  }
  image_gone_.clear();
}

bool MappingTable::RangeOf(uint64_t address, uint64_t size, uint64_t* end) const {
  if (size == 0 || address >= kAddressLimit || size > kAddressLimit - address) return false;
  const uint64_t rounded = (size + os_page_bytes_ - 1) & ~(os_page_bytes_ - 1);
  if (rounded > kAddressLimit - address) return false;
  *end = address + rounded;
  return true;
}

void MappingTable::CutAt(uint64_t address) {
  auto piece = pieces_.upper_bound(address);
  if (piece == pieces_.begin()) return;
  --piece;
  if (piece->first == address || piece->second.end <= address) return;
  const Piece tail = piece->second;
  piece->second.end = address;
  pieces_.emplace_hint(std::next(piece), address, tail);
}

void MappingTable::Remove(uint64_t start, uint64_t end) {
  CutAt(start);
  CutAt(end);
  auto piece = pieces_.lower_bound(start);
  while (piece != pieces_.end() && piece->first < end) {
    if (piece->second.image) image_gone_[piece->first] = piece->second.end;
    piece = pieces_.erase(piece);
  }
}

void MappingTable::Protect(uint64_t start, uint64_t end, uint64_t protection) {
  CutAt(start);
  CutAt(end);
  for (auto piece = pieces_.lower_bound(start); piece != pieces_.end() && piece->first < end; ++piece) {
    uint64_t& bits = piece->second.protection_and_flags;
    const uint64_t changed = (bits & ~kProtectionMask) | (protection & kProtectionMask);
    if (changed != bits) piece->second.protection_changed = true;
    bits = changed;
  }
}

void MappingTable::Remap(const TraceEvent& event) {
  uint64_t old_end = 0, new_end = 0;
  auto old = pieces_.upper_bound(event.address);
  const bool is_own = old != pieces_.begin() && (--old)->second.end > event.address;
  if (!is_own || !RangeOf(event.address, event.alignment, &old_end) ||
      !RangeOf(event.argument, event.size, &new_end)) {
    return;
  }
  Piece piece = old->second;
  piece.image = false;
  piece.end = new_end;
  Remove(event.address, old_end);
  Remove(event.argument, new_end);
  pieces_[event.argument] = piece;
}

// The step as a replay reads it: said, or the way from the last break.
void MappingTable::MoveBreak(const TraceEvent& event, uint64_t number) {
  if (event.argument != 0) {
    break_step_ += event.argument;
  } else if (break_ != 0) {
    break_step_ += event.address - break_;
  }
  break_ = event.address;
  break_number_ = number;
}

void MappingTable::Take(const TraceEvent& event, uint64_t number) {
  uint64_t end = 0;
  if (event.kind == EventKind::kBreak) return MoveBreak(event, number);
  if (event.kind == EventKind::kRemap) return Remap(event);
  if (!RangeOf(event.address, event.size, &end)) return;
  if (event.kind == EventKind::kMap) {
    Remove(event.address, end);
    pieces_[event.address] = {end, event.argument, number, event.thread, false, false};
  } else if (event.kind == EventKind::kUnmap) {
    Remove(event.address, end);
  } else if (event.kind == EventKind::kProtect) {
    Protect(event.address, end, event.argument);
  }
}

std::vector<MappingTable::Call> MappingTable::CallsToRemake() const {
  std::vector<Call> calls;
  for (const auto& [start, end] : image_gone_) {
    calls.push_back(RangeCall(EventKind::kUnmap, start, end));
    calls.back().by_any_thread = true;
  }
  for (const auto& [start, piece] : pieces_) {
    if (piece.image && !piece.protection_changed) continue;
    calls.push_back(RangeCall(piece.image ? EventKind::kProtect : EventKind::kMap, start, piece.end));
    Call& call = calls.back();
    call.by_any_thread = piece.image;
    call.event.thread = piece.thread;
    call.event.argument = piece.protection_and_flags & (piece.image ? kProtectionMask : ~uint64_t{0});
    call.number = piece.number;
  }
  if (break_ != 0) {
    Call call;
    call.event.kind = EventKind::kBreak;
    call.event.address = break_;
    call.event.argument = break_step_;
    call.by_any_thread = true;
    call.number = break_number_;
    calls.push_back(call);
  }
  std::stable_sort(calls.begin(), calls.end(),
                   [](const Call& a, const Call& b) { return a.number < b.number; });
  return calls;
}

}  // namespace reheap
