#include "sim/os/resident_set.h"

#include <algorithm>
#include <vector>

#include "alloc/check.h"

namespace reheap {

ResidentSet::ResidentSet(uint64_t os_page_bytes, uint64_t huge_page_bytes, int table_levels,
                         bool split_leaves_zero_page)
    : huge_page_bytes_(std::max(os_page_bytes, huge_page_bytes)),
      huge_pages_(huge_page_bytes_ / os_page_bytes),
      split_leaves_zero_page_(split_leaves_zero_page),
      anonymous_(os_page_bytes),
      zero_(os_page_bytes),
      shared_(os_page_bytes),
      file_(os_page_bytes),
      guard_(os_page_bytes),
      lazy_(os_page_bytes),
      blank_(os_page_bytes),
      folio_(os_page_bytes),
      reusable_(os_page_bytes),
      huge_anonymous_(huge_page_bytes_),
      huge_zero_(huge_page_bytes_),
      tables_(os_page_bytes, table_levels) {}

PageBits& ResidentSet::Set(PageState state) {
  switch (state) {
    case PageState::kAnonymous:
      return anonymous_;
    case PageState::kZero:
      return zero_;
    case PageState::kShared:
      return shared_;
    case PageState::kFile:
      return file_;
    case PageState::kGuard:
      return guard_;
    case PageState::kAbsent:
      break;
  }
  REHEAP_CHECK(false);
}

PageState ResidentSet::At(Addr a) const {
  if (HasAnonymous(a)) return PageState::kAnonymous;
  if (zero_.Contains(a) || huge_zero_.Contains(a)) return PageState::kZero;
  if (shared_.Contains(a)) return PageState::kShared;
  if (file_.Contains(a)) return PageState::kFile;
  return guard_.Contains(a) ? PageState::kGuard : PageState::kAbsent;
}

void ResidentSet::Put(Addr a, PageState state, bool blank) {
  const PageState before = At(a);
  if (before == state) return;
  if (before != PageState::kAbsent) {
    Set(before).Remove(a);
    if (before == PageState::kAnonymous) {
      for (PageBits* const set : {&lazy_, &blank_, &folio_, &reusable_}) set->Remove(a);
    }
  }
  Set(state).Add(a);
  if (blank) blank_.Add(a);
  tables_.Make(a);
}

void ResidentSet::PutAll(AddrRange range, PageState state) {
  REHEAP_CHECK(state != PageState::kAnonymous);
  if (range.empty()) return;
  Set(state).AddAll(range);
  const uint64_t covered = tables_.covered_bytes();
  if (covered == 0) return;
  for (Addr at = RoundDown(range.start, covered); at < range.end(); at = at + covered) tables_.Make(at);
}

void ResidentSet::PutHuge(Addr a, PageState state) {
  REHEAP_CHECK(state == PageState::kAnonymous || state == PageState::kZero);
  (state == PageState::kAnonymous ? huge_anonymous_ : huge_zero_).Add(a);
  if (state == PageState::kAnonymous) blank_.AddAll(HugeRange(a));
  tables_.Make(a);
}

void ResidentSet::BreakHuge(Addr a) {
  for (const PageState state : {PageState::kAnonymous, PageState::kZero}) {
    PageBits& huge = state == PageState::kAnonymous ? huge_anonymous_ : huge_zero_;
    if (!huge.Remove(a)) continue;
    Set(state).AddAll(HugeRange(a));
    if (state == PageState::kAnonymous) folio_.AddAll(HugeRange(a));
  }
}

void ResidentSet::ClearButGuards(AddrRange range) {
  if (range.empty()) return;
  if (huge_anonymous_.count() + huge_zero_.count() != 0) {
    BreakHugeAt(range.start);
    BreakHugeAt(range.end());
    for (PageBits* const huge : {&huge_anonymous_, &huge_zero_}) {
      huge->ForEach(range, [this](Addr a) { tables_.Drop(a); });
      huge->Clear(range);
    }
  }
  for (PageBits* const set : {&anonymous_, &lazy_, &blank_, &folio_, &reusable_, &zero_, &shared_, &file_}) {
    set->Clear(range);
  }
}

void ResidentSet::DropEmptyTables(AddrRange range) {
  std::vector<Addr> empty;
  tables_.ForEachWithin(range, [&](Addr a) {
    const AddrRange covered{a, tables_.covered_bytes()};
    bool used = false;
    const auto note = [&used](Addr) { used = true; };
    for (const PageBits* set : {&anonymous_, &zero_, &shared_, &file_, &guard_, &huge_anonymous_, &huge_zero_}) {
      if (!used) set->ForEach(covered, note);
    }
    if (!used) empty.push_back(a);
  });
  for (const Addr a : empty) tables_.Drop(a);
}

void ResidentSet::Move(AddrRange range, Addr to, AddrRange with_tables) {
  BreakHugeAt(range.start);
  BreakHugeAt(range.end());
  // As one where it can be, else by OS pages (move_page_tables, mm/mremap.c, linux 6.12).
  if ((to.value() - range.start.value()) % huge_page_bytes_ != 0) {
    std::vector<Addr> huge;
    huge_anonymous_.ForEach(range, [&](Addr a) { huge.push_back(a); });
    huge_zero_.ForEach(range, [&](Addr a) { huge.push_back(a); });
    for (const Addr a : huge) BreakHuge(a);
  }
  struct Moved {
    PageBits* set;
    Addr at;
  };
  std::vector<Moved> moved;
  for (PageBits* const set : {&anonymous_, &zero_, &shared_, &file_, &guard_, &lazy_, &blank_, &reusable_,
                              &huge_anonymous_, &huge_zero_}) {
    set->ForEach(range, [&](Addr a) { moved.push_back({set, to + (a - range.start)}); });
  }
  tables_.Move(with_tables, to - (range.start - with_tables.start));
  for (PageBits* const set : {&anonymous_, &lazy_, &blank_, &folio_, &reusable_, &zero_, &shared_, &file_, &guard_,
                              &huge_anonymous_, &huge_zero_}) {
    set->Clear(range);
  }
  for (const Moved& page : moved) page.set->Add(page.at);
}

bool ResidentSet::TakesFoliosApart(AddrRange range, uint64_t distance) const {
  bool apart = false;
  const auto note = [&apart](Addr) { apart = true; };
  folio_.ForEach(range, note);
  if (huge_anonymous_.count() == 0) return apart;
  if (distance % huge_page_bytes_ != 0) huge_anonymous_.ForEach(range, note);
  for (const Addr edge : {range.start, range.end()}) {
    apart |= edge.value() % huge_page_bytes_ != 0 && huge_anonymous_.Contains(edge);
  }
  return apart;
}

// ---- lazily freed ----

void ResidentSet::ClearLazySlow(Addr a) {
  if (huge_anonymous_.Contains(a)) {
    lazy_.Clear(HugeRange(a));
  } else {
    lazy_.Remove(a);
  }
}

void ResidentSet::MarkLazy(AddrRange range) {
  SplitFolios(range);
  anonymous_.ForEach(range, [this](Addr a) { lazy_.Add(a); });
  huge_anonymous_.ForEach(range, [this](Addr a) { lazy_.AddAll(HugeRange(a)); });
}

uint64_t ResidentSet::AnonymousPagesIn(AddrRange range) const {
  uint64_t pages = 0;
  anonymous_.ForEach(range, [&pages](Addr) { ++pages; });
  if (huge_anonymous_.count() == 0) return pages;
  const Addr first = RoundDown(range.start, huge_page_bytes_);
  huge_anonymous_.ForEach({first, range.end() - first}, [&](Addr a) {
    const uint64_t bytes = std::min(a + huge_page_bytes_, range.end()) - std::max(a, range.start);
    pages += bytes / os_page_bytes();
  });
  return pages;
}

void ResidentSet::MarkReusable(AddrRange range) {
  anonymous_.ForEach(range, [this](Addr a) { reusable_.Add(a); });
  huge_anonymous_.ForEach(range, [this](Addr a) { reusable_.AddAll(HugeRange(a)); });
}

void ResidentSet::SplitFolios(AddrRange range) {
  if (folio_.count() + huge_anonymous_.count() == 0) return;
  std::vector<Addr> cut;
  for (const Addr edge : {range.start, range.end()}) {
    if (edge.value() % huge_page_bytes_ != 0 && huge_anonymous_.Contains(edge)) cut.push_back(edge);
  }
  // Of those mapped by OS pages, the ones that are not there as a whole, or stick out.
  Addr last = Addr(~uint64_t{0});
  folio_.ForEach(range, [&](Addr a) {
    const AddrRange folio = HugeRange(a);
    if (folio.start == last) return;
    last = folio.start;
    uint64_t pages = 0;
    folio_.ForEach(folio, [&pages](Addr) { ++pages; });
    if (pages < huge_pages_ || !range.Contains(folio)) cut.push_back(a);
  });
  for (const Addr a : cut) SplitFolio(a);
}

void ResidentSet::SplitFolio(Addr a) {
  if (huge_anonymous_.Contains(a)) BreakHuge(a);
  const AddrRange folio = HugeRange(a);
  std::vector<Addr> zeros;
  folio_.ForEach(folio, [&](Addr page) {
    if (split_leaves_zero_page_ && blank_.Contains(page)) zeros.push_back(page);
  });
  folio_.Clear(folio);
  for (const Addr page : zeros) Put(page, PageState::kZero);
}

uint64_t ResidentSet::TakeLazy(uint64_t pages) {
  std::vector<Addr> taken;
  lazy_.ForEach(kEverything, [&](Addr a) {
    if (taken.size() < pages) taken.push_back(a);
  });
  for (const Addr a : taken) ClearButGuards({a, os_page_bytes()});
  return taken.size();
}

void ResidentSet::TakeLazyIn(AddrRange range) {
  std::vector<Addr> taken;
  lazy_.ForEach(range, [&](Addr a) { taken.push_back(a); });
  for (const Addr a : taken) ClearButGuards({a, os_page_bytes()});
}

bool ResidentSet::Collapse(Addr a) {
  const AddrRange range = HugeRange(a);
  if (IsHuge(a)) return true;
  bool guarded = false;
  guard_.ForEach(range, [&](Addr) { guarded = true; });
  if (!tables_.Has(a) || guarded) return false;
  std::vector<Addr> with_contents;
  anonymous_.ForEach(range, [&](Addr page) {
    if (!blank_.Contains(page)) with_contents.push_back(page);
  });
  ClearButGuards(range);
  PutHuge(a, PageState::kAnonymous);
  for (const Addr page : with_contents) blank_.Remove(page);
  return true;
}

// ---- checking ----

uint64_t ResidentSet::memory_bytes() const {
  uint64_t bytes = tables_.memory_bytes();
  for (const PageBits* set :
       {&anonymous_, &zero_, &shared_, &file_, &guard_, &lazy_, &blank_, &folio_, &reusable_, &huge_anonymous_,
        &huge_zero_}) {
    bytes += set->memory_bytes();
  }
  return bytes;
}

void ResidentSet::CheckInvariants() const {
  for (const PageBits* set :
       {&anonymous_, &zero_, &shared_, &file_, &guard_, &lazy_, &blank_, &folio_, &reusable_, &huge_anonymous_,
        &huge_zero_}) {
    REHEAP_CHECK_EQ(set->Recount(), set->count());
  }
  REHEAP_CHECK_EQ(tables_.Recount(), tables_.count());
  const PageBits* const states[] = {&anonymous_, &zero_, &shared_, &file_, &guard_};
  for (const PageBits* set : states) {
    set->ForEach(kEverything, [&](Addr a) {
      for (const PageBits* other : states) REHEAP_CHECK(other == set || !other->Contains(a));
      REHEAP_CHECK(!IsHuge(a));
      REHEAP_CHECK(tables_.covered_bytes() == 0 || tables_.Has(a));
    });
  }
  lazy_.ForEach(kEverything, [&](Addr a) { REHEAP_CHECK(HasAnonymous(a)); });
  blank_.ForEach(kEverything, [&](Addr a) { REHEAP_CHECK(HasAnonymous(a)); });
  reusable_.ForEach(kEverything, [&](Addr a) { REHEAP_CHECK(HasAnonymous(a)); });
  folio_.ForEach(kEverything, [&](Addr a) { REHEAP_CHECK(anonymous_.Contains(a)); });
  huge_anonymous_.ForEach(kEverything, [&](Addr a) {
    REHEAP_CHECK(!huge_zero_.Contains(a));
    REHEAP_CHECK(tables_.covered_bytes() == 0 || tables_.Has(a));
  });
}

}  // namespace reheap
