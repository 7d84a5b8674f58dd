// MappingTable: what a program's address-space calls came to, up to one moment.
//
// `reheap trace cut` throws the calls before the cut away and puts in their place the shortest list of calls
// that leads from the mappings in the header to the same mappings: what the program unmapped of its image,
// one mmap per piece that is left of its own mappings with its protection of that moment, and where its break
// stands. Advice leaves no trace here: it changes what is resident, not what is mapped. Calls about addresses
// that are neither the image's nor the program's own are passed over, as a replay passes over them
// (sim/replay/foreign_mappings.h).
//
// Values only. Threads: one at a time. Limits: about 100 bytes per mapping alive; of 63-bit addresses.
#ifndef REHEAP_TRACES_MAPPING_TABLE_H_
#define REHEAP_TRACES_MAPPING_TABLE_H_

#include <cstdint>
#include <map>
#include <vector>

#include "proto/trace.pb.h"
#include "traces/trace_event.h"

namespace reheap {

class MappingTable {
 public:
  // The image and the size of OS pages that sizes are rounded up to.
  explicit MappingTable(const proto::TraceHeader& header);

  // An address-space event that did not fail; `number` is its place in the trace. Others are ignored.
  void Take(const TraceEvent& event, uint64_t number);

  struct Call {
    uint64_t number = 0;         // of the event that it stands for, 0 for changes of the image
    bool by_any_thread = false;  // it stands for more than one call
    TraceEvent event;            // without time; thread unless by_any_thread
  };
  // In an order in which they can be carried out: changes of the image, then by number.
  std::vector<Call> CallsToRemake() const;

 private:
  struct Piece {
    uint64_t end = 0;
    uint64_t protection_and_flags = 0;
    uint64_t number = 0;
    uint32_t thread = 0;
    bool image = false;
    bool protection_changed = false;
  };

  // False: no such range.
  bool RangeOf(uint64_t address, uint64_t size, uint64_t* end) const;
  void CutAt(uint64_t address);
  void Remove(uint64_t start, uint64_t end);
  void Protect(uint64_t start, uint64_t end, uint64_t protection);
  void Remap(const TraceEvent& event);
  void MoveBreak(const TraceEvent& event, uint64_t number);

  uint64_t os_page_bytes_ = 4096;
  std::map<uint64_t, Piece> pieces_;         // by start
  std::map<uint64_t, uint64_t> image_gone_;  // start -> end
  uint64_t break_ = 0;                       // 0 = never moved
  uint64_t break_step_ = 0;                  // all steps that are known, added up modulo 2^64
  uint64_t break_number_ = 0;
};

}  // namespace reheap

#endif  // REHEAP_TRACES_MAPPING_TABLE_H_
