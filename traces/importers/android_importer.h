// ImportAndroidTrace: bionic's `record_allocs` text (what memory_replay reads) becomes a trace (row 3 of the
// walk).
//
//   TID: malloc PTR SIZE            TID: realloc NEW_PTR OLD_PTR SIZE     TID: free PTR
//   TID: calloc PTR COUNT SIZE      TID: memalign PTR ALIGNMENT SIZE      TID: thread_done 0x0
//
// One event a line, in the order in which they happened; every line may end with two times in nanoseconds,
// begin and end (thread_done: with one). Pointers become slots. What the text cannot say goes into the
// header's `unknown`: which C++ operator or which aligned function was called, the process's mappings, limits
// and address-space calls, the host, and in files before 2023 the times. Nothing is invented in their place.
//
// Pure function of its input. Limits: memory grows with live objects; lines of up to 1,023 characters.
#ifndef REHEAP_TRACES_IMPORTERS_ANDROID_IMPORTER_H_
#define REHEAP_TRACES_IMPORTERS_ANDROID_IMPORTER_H_

#include <cstdint>
#include <istream>
#include <string>

#include "absl/status/statusor.h"
#include "traces/trace_writer.h"

namespace reheap {

struct AndroidImportOptions {
  // A line that breaks a trace's rules (free of an unknown pointer, allocation at a live one) is an error;
  // lenient: it is repaired as the report counts.
  bool lenient = false;
  TraceWriterOptions writer = {.events_per_block = 65536, .zstd_level = 3};
};

struct AndroidImportReport {
  uint64_t lines = 0;
  uint64_t events = 0;
  // Lenient repairs:
  uint64_t unknown_frees = 0;        // dropped
  uint64_t unknown_reallocs = 0;     // taken for an allocation
  uint64_t doubled_allocations = 0;  // the object that lived there is freed first
  // Threads overlap, so a line's time can lie before its predecessor's: raised to that.
  uint64_t raised_times = 0;
};

// `in_path` may be a pipe: `unzip -p trace.zip | ... /dev/stdin`.
absl::StatusOr<AndroidImportReport> ImportAndroidTrace(const std::string& in_path,
                                                       const std::string& out_path,
                                                       const AndroidImportOptions& options = {});
// `name` stands for the input in messages.
absl::StatusOr<AndroidImportReport> ImportAndroidTrace(std::istream& in, const std::string& name,
                                                       const std::string& out_path,
                                                       const AndroidImportOptions& options = {});

}  // namespace reheap

#endif  // REHEAP_TRACES_IMPORTERS_ANDROID_IMPORTER_H_
