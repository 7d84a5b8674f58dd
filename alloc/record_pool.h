// RecordPool: fixed-size records for the allocator's own bookkeeping (row 7 of the walk; Go's FixAlloc).
//
//   Os --MapReady, metadata_chunk_bytes at a time--> ChunkStream --carves--> RecordPool --hands out--> records
//
// A stream is shared by pools of different sizes; a pool never gives a record's memory to another pool, so a stale
// reference to a span always finds a span record, in use or zero. A free record is zero but for its first 8 bytes,
// the link to the next one; Allocate hands it out all zero.
//
// Ownership: chunks are kept for ever, as FixAlloc kept them. Threads: as the heap. Limits: a record is a power of
// two, 16 bytes or more; one larger than a chunk gets a chunk of its own size.
#ifndef REHEAP_ALLOC_RECORD_POOL_H_
#define REHEAP_ALLOC_RECORD_POOL_H_

#include <algorithm>
#include <cstdint>

#include "alloc/addr.h"
#include "alloc/check.h"
#include "alloc/memory.h"
#include "alloc/os.h"

namespace reheap {

class ChunkStream {
 public:
  ChunkStream(Os& os, uint64_t chunk_bytes, Access access)
      : os_(&os), chunk_bytes_(RoundUp(chunk_bytes, os.os_page_bytes())), access_(access) {}

  // The next chunk, before it is needed.
  OsResult<Done> Start() { return NextChunk(chunk_bytes_); }

  // `bytes` of zero, aligned to min(bytes, OS page). Preconditions: a power of two.
  OsResult<Addr> Carve(uint64_t bytes) {
    const uint64_t alignment = std::min(bytes, os_->os_page_bytes());
    if (!Fits(bytes, alignment)) {
      const OsResult<Done> chunk = NextChunk(std::max(chunk_bytes_, RoundUp(bytes, os_->os_page_bytes())));
      if (!chunk.ok()) return chunk.refusal();
    }
    const Addr record = RoundUp(next_, alignment);
    next_ = record + bytes;
    return record;
  }

  uint64_t mapped_bytes() const { return mapped_bytes_; }

 private:
  bool Fits(uint64_t bytes, uint64_t alignment) const { return RoundUp(next_, alignment) + bytes <= end_; }

  OsResult<Done> NextChunk(uint64_t bytes) {
    const OsResult<AddrRange> chunk = os_->MapReady(bytes, access_);
    if (!chunk.ok()) return chunk.refusal();
    mapped_bytes_ += bytes;
    // The OS may put it beside the last one; then the rest of that is not lost.
    if (chunk.value().start != end_) next_ = chunk.value().start;
    end_ = chunk.value().end();
    return Done();
  }

  Os* os_;
  uint64_t chunk_bytes_;
  Access access_;
  Addr next_;
  Addr end_;
  uint64_t mapped_bytes_ = 0;
};

template <Memory M>
class RecordPool {
 public:
  RecordPool() = default;
  // Neither is owned.
  void Init(M& memory, ChunkStream& stream, uint64_t record_bytes) {
    REHEAP_CHECK_GE(record_bytes, 16);
    REHEAP_CHECK_EQ(record_bytes & (record_bytes - 1), 0);
    memory_ = &memory;
    stream_ = &stream;
    record_bytes_ = record_bytes;
  }

  // A record, all zero when it was so when it was freed.
  OsResult<Addr> Allocate() {
    const OsResult<Done> some = Ensure(1);
    if (!some.ok()) return some.refusal();
    const Addr record = first_free_;
    Addr& link = memory_->template Write<Addr>(record);
    first_free_ = link;
    link = Addr();
    --free_records_;
    ++live_records_;
    return record;
  }

  // Preconditions: all zero but for the first 8 bytes (pools whose users clear records themselves: any contents).
  void Free(Addr record) {
    memory_->template Write<Addr>(record) = first_free_;
    first_free_ = record;
    ++free_records_;
    REHEAP_CHECK_GT(live_records_, 0);
    --live_records_;
  }

  // Makes sure that the next `records` calls of Allocate cannot be refused.
  OsResult<Done> Ensure(uint64_t records) {
    while (free_records_ < records) {
      const OsResult<Addr> record = stream_->Carve(record_bytes_);
      if (!record.ok()) return record.refusal();
      ++live_records_;
      Free(record.value());
    }
    return Done();
  }

  uint64_t live_records() const { return live_records_; }
  uint64_t live_bytes() const { return live_records_ * record_bytes_; }

  void CheckInvariants() const {
    uint64_t seen = 0;
    for (Addr record = first_free_; record; record = memory_->template Read<Addr>(record)) {
      REHEAP_CHECK_LT(seen, free_records_);
      ++seen;
    }
    REHEAP_CHECK_EQ(seen, free_records_);
  }

 private:
  M* memory_ = nullptr;
  ChunkStream* stream_ = nullptr;
  uint64_t record_bytes_ = 0;
  Addr first_free_;
  uint64_t free_records_ = 0;
  uint64_t live_records_ = 0;
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_RECORD_POOL_H_
