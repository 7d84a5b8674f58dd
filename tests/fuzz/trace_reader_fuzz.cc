// No input breaks the trace reader: libFuzzer's entry, and the input that both it and the plain test feed.
//
//   ./tools/bazel build --config=fuzz //tests/fuzz:trace_reader_fuzz
//   bazel-bin/tests/fuzz/trace_reader_fuzz -max_len=65536 NEW_FOLDER tests/fuzz/corpus
//
// Four readings of the same bytes: as they are, strict and tolerant; and with every checksum mended, strict
// and tolerant, so that mutations get past the checksums to the code behind.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/fuzz/mend_checksums.h"
#include "traces/trace_checker.h"
#include "traces/trace_reader.h"

namespace reheap {
namespace {

void ReadAll(std::string_view bytes, bool tolerant) {
  absl::StatusOr<std::unique_ptr<TraceReader>> reader =
      TraceReader::Open(MemoryByteSource(bytes, "fuzz"), {tolerant});
  if (!reader.ok()) return;
  // Anywhere the index leads; then from the front.
  TraceBlock block;
  for (size_t number = (*reader)->block_count(); number-- > 0 && number < 4;) {
    if ((*reader)->SeekToBlock(number).ok()) (*reader)->NextBlock(&block).status().IgnoreError();
  }
  reader = TraceReader::Open(MemoryByteSource(bytes, "fuzz"), {tolerant});
  // Whatever is readable must be checkable, whatever the events say.
  CheckTrace(*std::move(reader), {.max_violations = 10}).status().IgnoreError();
}

}  // namespace
}  // namespace reheap

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string mended = reheap::MendChecksums(bytes);
  for (const bool tolerant : {false, true}) {
    reheap::ReadAll(bytes, tolerant);
    reheap::ReadAll(mended, tolerant);
  }
  return 0;
}
