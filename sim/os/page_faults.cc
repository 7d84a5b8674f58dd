#include "sim/os/page_faults.h"

#include "sim/os/region_calls.h"

namespace reheap {

bool PageFaults::Touch(Addr a, bool write) {
  AddressSpace::Id id = s_.space.Containing(a);
  if (id == AddressSpace::kNone || s_.space.mapping(id).traits.kind == MappingKind::kStackGap) {
    id = stack_growth_.GrowTo(a);
  }
  if (id == AddressSpace::kNone) return false;
  const MappingTraits& traits = s_.space.mapping(id).traits;
  if (write ? !traits.write : !traits.read && !traits.write) {
    DropGuard(&s_, id, a);
    return false;
  }
  if (s_.IsBeyondObject(s_.space.mapping(id), a)) return false;
  // Only private memory becomes anonymous pages; the zero page that a read sees is not resident.
  if (write && !traits.shared) {
    s_.space.NoteFirstWrite(id);
    s_.resident.Add(a);
  }
  return true;
}

}  // namespace reheap
