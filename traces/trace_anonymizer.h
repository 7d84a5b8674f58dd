// AnonymizeTrace: what a program asked for, and nothing of who asked (`reheap trace anonymize`; from row 5 of
// the walk to row 3).
//
// Everything in the result is there because it is named here; nothing is copied whole.
//   kept   events in order, kinds, call kinds, failures, threads as numbers, objects as slots, sizes,
//          alignments, times since the start, protections and advice, memory samples; words of FORMAT.md's
//          table in `unknown`; word size, resource limits, OS page size, overcommit and THP mode, mappings
//          allowed; mappings' sizes, permissions, file offsets and the kernel's own names ([heap], [stack],
//          ...)
//   less   kernel to its version's numbers; machine when it is a known one; RAM and swap to whole GiB; files'
//          paths to /file-1, /file-2, ..., the same path the same number; threads' ids to 1, 2, ...;
//          addresses by address_relocation.h
//   gone   program, arguments, process ids, wall clock, thread names, paths, earlier writers, fields that
//          nobody knows
// What sizes, times and their order say of a program by themselves stays: a replay is made of them.
//
// Function of files; any thread. Limits: one block and SoundEvents' tables; the file is read twice when it
// has address-space events.
#ifndef REHEAP_TRACES_TRACE_ANONYMIZER_H_
#define REHEAP_TRACES_TRACE_ANONYMIZER_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "proto/trace.pb.h"
#include "traces/address_relocation.h"

namespace reheap {

struct TraceAnonymizeReport {
  uint64_t events = 0;
  uint64_t moved_addresses = 0;
  uint64_t named_files = 0;  // different paths of mappings
};

absl::StatusOr<TraceAnonymizeReport> AnonymizeTrace(const std::string& path, const std::string& out);

// The header's part of it, for tests.
proto::TraceHeader AnonymousHeader(const proto::TraceHeader& source, const AddressRelocation& addresses);

}  // namespace reheap

#endif  // REHEAP_TRACES_TRACE_ANONYMIZER_H_
