#include "tests/differential/lockstep/model_side.h"

#include <cerrno>

#include "alloc/check.h"

namespace reheap {
namespace {

constexpr uint64_t kOsPage = 4096;

Answer From(const OsResult<Addr>& result) {
  Answer answer;
  if (result.ok()) {
    answer.value = result.value().value();
  } else {
    answer.error = static_cast<uint32_t>(result.refusal().os_error);
  }
  return answer;
}

Answer From(const OsResult<Done>& result) {
  Answer answer;
  if (!result.ok()) answer.error = static_cast<uint32_t>(result.refusal().os_error);
  return answer;
}

Answer Mmap(VirtualOs& os, const uint64_t* a) {
  return From(os.Mmap(Addr(a[0]), a[1], static_cast<int>(a[2]), static_cast<int>(a[3]),
                      {static_cast<int>(a[4]), a[5]}));
}
Answer Mremap(VirtualOs& os, const uint64_t* a) {
  return From(os.Mremap(Addr(a[0]), a[1], a[2], static_cast<int>(a[3]), Addr(a[4])));
}
Answer MakeFile(VirtualOs& os, const uint64_t* a) {
  Answer answer;
  answer.value = static_cast<uint64_t>(os.AddFile("file", a[0]));
  return answer;
}
Answer Munmap(VirtualOs& os, const uint64_t* a) { return From(os.Munmap(Addr(a[0]), a[1])); }
Answer Mprotect(VirtualOs& os, const uint64_t* a) {
  return From(os.Mprotect(Addr(a[0]), a[1], static_cast<int>(a[2])));
}
Answer Madvise(VirtualOs& os, const uint64_t* a) {
  return From(os.Madvise(Addr(a[0]), a[1], static_cast<int>(a[2])));
}

Answer Mlock(VirtualOs& os, const uint64_t* a) { return From(os.Mlock(Addr(a[0]), a[1])); }
Answer Munlock(VirtualOs& os, const uint64_t* a) { return From(os.Munlock(Addr(a[0]), a[1])); }

Answer Mseal(VirtualOs& os, const uint64_t* a) {
  if (os.platform().machine.seals) return From(os.Mseal(Addr(a[0]), a[1], a[2]));
  Answer no_such_call;
  no_such_call.error = ENOSYS;
  return no_such_call;
}

// The system call answers the break, moved or not.
Answer Brk(VirtualOs& os, const uint64_t* a) {
  (void)os.Brk(Addr(a[0]));
  Answer answer;
  answer.value = os.program_break().value();
  return answer;
}

uint32_t ErrorOf(TouchOutcome outcome) {
  switch (outcome) {
    case TouchOutcome::kDone:
      return 0;
    case TouchOutcome::kFault:
      return kErrorSegmentationFault;
    case TouchOutcome::kOutOfMemoryKill:
      return kErrorKilled;
    case TouchOutcome::kBusError:
      return kErrorBusError;
  }
  REHEAP_CHECK(false);
}

Answer Touch(VirtualOs& os, const uint64_t* a) {
  Answer answer;
  for (; answer.value < a[1] && answer.error == 0; answer.value += answer.error == 0) {
    answer.error = ErrorOf(os.Access(Addr(a[0] + answer.value * a[2]), a[3] != 0));
  }
  return answer;
}

Answer SetLimit(VirtualOs& os, const uint64_t* a) {
  ProcessLimits limits = os.limits();
  const auto bytes = a[1] == kNoLimit ? std::nullopt : std::optional<uint64_t>(a[1]);
  switch (a[0]) {
    case kResourceAddress:
      limits.address_bytes = bytes;
      break;
    case kResourceData:
      limits.data_bytes = bytes;
      break;
    case kResourceStack:
      limits.stack_unlimited = a[1] == kNoLimit;
      limits.stack_bytes = bytes;
      break;
    default:
      REHEAP_CHECK(false);
  }
  os.set_limits(limits);
  return Answer();
}

uint64_t LayoutOf(const VirtualOs& os, bool inherited_only, uint32_t* count) {
  const AddressSpace& space = os.space();
  LayoutHash hash;
  for (auto id = space.First(); id != AddressSpace::kNone; id = space.Next(id)) {
    const Mapping& m = space.mapping(id);
    const MappingTraits& t = m.traits;
    if (inherited_only && !IsInherited(t)) continue;
    const uint32_t access = t.read * 1u | t.write * 2u | t.execute * 4u | t.shared * 8u;
    const bool has_offset = t.kind == MappingKind::kFile && !t.shared;
    hash.Add(m.start.value(), m.end.value(), access, has_offset ? m.start.value() - t.origin : 0);
    ++*count;
  }
  return hash.value();
}

// The executor's child ends at once, so that its charge goes again.
Answer Fork(VirtualOs& os, const uint64_t*) {
  const ProcessLimits before = os.limits();
  Answer answer = From(os.Fork());
  os.set_limits(before);
  if (answer.error != 0) return answer;
  const ForkedChild sizes = os.Child();
  Answer child;
  child.vsize_pages = sizes.vsize_bytes / kOsPage;
  child.data_pages = (sizes.data_bytes + sizes.stack_bytes) / kOsPage;
  child.rss_anonymous_pages = sizes.rss_anonymous_bytes / kOsPage;
  child.layout_hash = LayoutOf(os, true, &child.mapping_count);
  answer.value = ChildView(child);
  return answer;
}

struct Row {
  OperationKind kind;
  Answer (*carry)(VirtualOs& os, const uint64_t* arguments);
};
constexpr Row kRows[] = {
    {OperationKind::kMmap, &Mmap},
    {OperationKind::kMunmap, &Munmap},
    {OperationKind::kMprotect, &Mprotect},
    {OperationKind::kMadvise, &Madvise},
    {OperationKind::kMremap, &Mremap},
    {OperationKind::kFile, &MakeFile},
    {OperationKind::kMlock, &Mlock},
    {OperationKind::kMunlock, &Munlock},
    {OperationKind::kBrk, &Brk},
    {OperationKind::kTouch, &Touch},
    {OperationKind::kRlimit, &SetLimit},
    {OperationKind::kFork, &Fork},
    {OperationKind::kMseal, &Mseal},
};

const Row* RowOf(OperationKind kind) {
  for (const Row& row : kRows) {
    if (row.kind == kind) return &row;
  }
  return nullptr;
}

}  // namespace

bool ModelKnows(OperationKind kind) { return RowOf(kind) != nullptr; }

Answer CarryOnModel(VirtualOs& os, const Operation& operation, uint32_t observe) {
  const Row* const row = RowOf(operation.kind);
  REHEAP_CHECK(row != nullptr);
  Answer answer = row->carry(os, operation.arguments);
  const OsUsage usage = os.Usage();
  answer.vsize_pages = usage.vsize_bytes / kOsPage;
  answer.rss_anonymous_pages = usage.rss_anonymous_bytes / kOsPage;
  if (observe & kObserveLayout) {
    answer.data_pages = (os.space().totals().data_bytes + os.space().totals().stack_bytes) / kOsPage;
    answer.layout_hash = LayoutOf(os, false, &answer.mapping_count);
  }
  return answer;
}

}  // namespace reheap
