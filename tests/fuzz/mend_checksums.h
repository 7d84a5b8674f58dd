// MendChecksums: a trace file whose frames and footer have the checksums of the bytes they now hold.
//
// Random changes never get past a CRC; mended, they reach the decoder. Pure function; any thread.
#ifndef REHEAP_TESTS_FUZZ_MEND_CHECKSUMS_H_
#define REHEAP_TESTS_FUZZ_MEND_CHECKSUMS_H_

#include <string>
#include <string_view>

namespace reheap {

// Also packs payloads that are not zstd, as if they were meant unpacked: a corpus file can then hold
// plain protobuf that a fuzzer changes more cleverly than compressed bytes.
std::string MendChecksums(std::string_view bytes);

}  // namespace reheap

#endif  // REHEAP_TESTS_FUZZ_MEND_CHECKSUMS_H_
