#include "sim/os/share_report.h"

#include <algorithm>
#include <map>

namespace reheap {
namespace {

// The holder of a piece of a mapping that nobody labelled.
std::string NameOf(const VirtualOs& os, const Mapping& m) {
  const std::string& name = os.space().NameOf(m.traits.name);
  switch (m.traits.kind) {
    case MappingKind::kFile:
      return name.substr(name.rfind('/') + 1);
    case MappingKind::kStack:
      return "[stack]";
    case MappingKind::kGuard:
    case MappingKind::kStackGap:
      return "guards";
    case MappingKind::kWindow:
      return "windows for physical pages";
    case MappingKind::kAnonymous:
      break;
    default:
      return "kernel pages";  // its own, or kept by it from everybody
  }
  if (m.start < os.program_break() && m.end > os.break_start()) return "[heap]";
  return m.traits.shared ? "shared memory" : "mapped by the program";
}

// Whether a mapping counts for `measure`.
bool Counts(const VirtualOs& os, const Mapping& m, ShareMeasure measure) {
  if (measure == ShareMeasure::kChargedBytes || measure == ShareMeasure::kOneRequest) return m.traits.charged;
  if (measure == ShareMeasure::kMappedBytes) return !IsGuard(m.traits);
  if (measure == ShareMeasure::kLockedBytes) return (m.traits.flags & kLocked) != 0;
  if (measure != ShareMeasure::kDataBytes) return true;
  switch (os.platform().limits.data) {
    case DataLimitRule::kPrivateWritable:
      return IsData(m.traits);
    case DataLimitRule::kBreakOnly:
      return m.start < os.program_break() && m.end > os.break_start();
    case DataLimitRule::kAccessibleAnonymous:
      return ClaimsMemory(m.traits);
    default:
      return true;
  }
}

class Shares {
 public:
  Shares(const VirtualOs& os, ShareMeasure measure) : os_(os), measure_(measure) {}

  void Add(const Mapping& m) {
    if (!Counts(os_, m, measure_)) return;
    bool counted = false;
    ForEachHolder(os_, m, [&](AddrRange piece, std::string_view name) {
      Holder& holder = by_name_[std::string(name)];
      holder.bytes += measure_ == ShareMeasure::kResidentBytes ? AnonymousBytesIn(piece) : piece.bytes;
      holder.mappings += counted ? 0 : 1;
      counted = true;
    });
  }

  // What no mapping shows.
  void Add(const std::string& name, uint64_t bytes) { by_name_[name].bytes += bytes; }

  std::vector<Holder> Sorted() const {
    std::vector<Holder> holders;
    for (const auto& [name, holder] : by_name_) {
      if (holder.bytes == 0) continue;
      holders.push_back(holder);
      holders.back().name = name;
    }
    const bool by_count = measure_ == ShareMeasure::kMappings;
    std::stable_sort(holders.begin(), holders.end(), [by_count](const Holder& a, const Holder& b) {
      return by_count ? a.mappings > b.mappings : a.bytes > b.bytes;
    });
    return holders;
  }

 private:
  uint64_t AnonymousBytesIn(AddrRange piece) const {
    return os_.resident().AnonymousPagesIn(piece) * os_.os_page_bytes();
  }

  const VirtualOs& os_;
  const ShareMeasure measure_;
  std::map<std::string, Holder> by_name_;
};

// The first mapping in the way of [wanted, wanted + asked).
void FindOccupant(const VirtualOs& os, const Refusal& refusal, ShareReport* report) {
  const AddressSpace& space = os.space();
  const AddressSpace::Id id = space.FirstEndingAbove(refusal.wanted);
  if (id == AddressSpace::kNone) return;
  const Mapping& m = space.mapping(id);
  const AddrRange wanted{refusal.wanted, refusal.asked_bytes};
  if (!m.range().Overlaps(wanted)) return;
  Shares alone(os, ShareMeasure::kPlace);
  Mapping piece = m;
  // Of a mapping that several share, the one whose part is in the way.
  if (m.traits.kind == MappingKind::kAnonymous) {
    bool found = false;
    os.labels().ForEachPiece(m.range(), [&](AddrRange part, RangeLabels::Label) {
      if (found || !part.Overlaps(wanted)) return;
      piece.start = part.start;
      piece.end = part.end();
      found = true;
    });
  }
  alone.Add(piece);
  report->holders = alone.Sorted();
  report->holders.front().start = piece.start;
}

// Pages of shared memory are the objects', mapped here or not; what the image brought is known as one sum.
void AddChargedBeside(const VirtualOs& os, Shares* shares) {
  shares->Add("shared memory", os.shared_memory_bytes());
  shares->Add("page tables", os.resident().tables().count() * os.os_page_bytes());
  shares->Add("mapped before the start", os.image_resident_bytes());
}

void MeasureGaps(const VirtualOs& os, ShareReport* report) {
  const Platform::Machine& machine = os.platform().machine;
  Addr at(machine.user_start);
  const auto add = [&](Addr end) {
    if (end <= at) return;
    report->free_bytes += end - at;
    report->largest_gap_bytes = std::max(report->largest_gap_bytes, end - at);
  };
  const AddressSpace& space = os.space();
  for (auto id = space.First(); id != AddressSpace::kNone; id = space.Next(id)) {
    add(space.mapping(id).start);
    at = std::max(at, space.mapping(id).end);
  }
  add(Addr(machine.user_end));
}

}  // namespace

// Only anonymous memory has holders that the kernel does not know. The brk area is [heap], whoever maps there.
void ForEachHolder(const VirtualOs& os, const Mapping& m,
                   const std::function<void(AddrRange piece, std::string_view holder)>& visit) {
  const std::string own_name = NameOf(os, m);
  if (m.traits.kind != MappingKind::kAnonymous) {
    visit(m.range(), own_name);
    return;
  }
  os.labels().ForEachPiece(m.range(), [&](AddrRange piece, RangeLabels::Label label) {
    visit(piece, label == 0 ? own_name : os.space().NameOf(label));
  });
}

ShareMeasure MeasureOf(Rule rule) {
  switch (rule) {
    case Rule::kAddressLimit: return ShareMeasure::kMappedBytes;
    case Rule::kMemoryMaximum: return ShareMeasure::kMappedBytes;
    case Rule::kDataLimit: return ShareMeasure::kDataBytes;
    case Rule::kCommitLimit: return ShareMeasure::kChargedBytes;
    case Rule::kJobLimit: return ShareMeasure::kChargedBytes;
    case Rule::kOvercommitHeuristic: return ShareMeasure::kOneRequest;
    case Rule::kMemoryCgroup: return ShareMeasure::kResidentBytes;
    case Rule::kLockedLimit: return ShareMeasure::kLockedBytes;
    case Rule::kMappingCount: return ShareMeasure::kMappings;
    case Rule::kAddressSpaceExhausted: return ShareMeasure::kFreeBytes;
    case Rule::kAddressTaken: return ShareMeasure::kPlace;
    default: return ShareMeasure::kNothing;
  }
}

ShareReport ReportShares(const VirtualOs& os, const Refusal& refusal) {
  ShareReport report;
  report.measure = MeasureOf(refusal.rule);
  if (report.measure == ShareMeasure::kNothing) return report;
  if (report.measure == ShareMeasure::kPlace) {
    FindOccupant(os, refusal, &report);
    return report;
  }
  Shares shares(os, report.measure);
  const AddressSpace& space = os.space();
  for (auto id = space.First(); id != AddressSpace::kNone; id = space.Next(id)) shares.Add(space.mapping(id));
  if (report.measure == ShareMeasure::kResidentBytes) AddChargedBeside(os, &shares);
  report.holders = shares.Sorted();
  if (report.measure == ShareMeasure::kFreeBytes) MeasureGaps(os, &report);
  return report;
}

std::string ExplainRefusal(const VirtualOs& os, const Refusal& refusal) {
  return RefusalText({RuleName(refusal.rule), refusal.asked_bytes, refusal.in_use_bytes, refusal.allowed_bytes,
                      ReportShares(os, refusal)});
}

}  // namespace reheap
