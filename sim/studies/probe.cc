#include "sim/studies/probe.h"

#include <algorithm>
#include <utility>

#include "sim/replay/op_stream.h"
#include "sim/replay/process_image.h"

namespace reheap {
namespace {

class TraceFeed final : public OpFeed {
 public:
  explicit TraceFeed(std::unique_ptr<OpStream> stream) : stream_(std::move(stream)) {}
  absl::StatusOr<size_t> Next(ReplayOp* ops, size_t capacity, ForeignOp* foreign, BatchTimes* times) override {
    return stream_->Next(ops, capacity, foreign, times);
  }

 private:
  std::unique_ptr<OpStream> stream_;
};

class TraceSource final : public ProbeSource {
 public:
  TraceSource(const ReplayRequest* request, const TraceSetup* setup) : request_(request), setup_(setup) {}

  absl::StatusOr<std::unique_ptr<OpFeed>> Open() const override {
    absl::StatusOr<std::unique_ptr<OpStream>> stream =
        OpStream::Open(request_->trace_path, request_->allow_cut_off);
    if (!stream.ok()) return stream.status();
    return std::make_unique<TraceFeed>(*std::move(stream));
  }
  const ReplayRequest& request() const override { return *request_; }
  const TraceSetup& setup() const override { return *setup_; }
  bool ends_at_first_failure() const override { return false; }

 private:
  const ReplayRequest* request_;
  const TraceSetup* setup_;
};

// A run ends at its first failure, to within a batch: with small ones, few calls after it are made for nothing.
constexpr size_t kBlocksPerBatch = 64;

class BlockFeed final : public OpFeed {
 public:
  BlockFeed(uint64_t block_bytes, uint32_t blocks) : block_bytes_(block_bytes), blocks_(blocks) {}
  absl::StatusOr<size_t> Next(ReplayOp* ops, size_t capacity, ForeignOp*, BatchTimes* times) override {
    times->count = 0;
    const size_t n = std::min<size_t>({capacity, kBlocksPerBatch, blocks_ - next_});
    for (size_t i = 0; i < n; ++i) {
      ops[i] = ReplayOp();
      ops[i].kind = ReplayOpKind::kAllocate;
      ops[i].size = block_bytes_;
      ops[i].slot = next_++;
    }
    return n;
  }

 private:
  const uint64_t block_bytes_;
  const uint32_t blocks_;
  uint32_t next_ = 0;
};

class BlockSource final : public ProbeSource {
 public:
  BlockSource(const ReplayRequest* request, ProcessImage image, uint64_t block_bytes, uint32_t blocks)
      : request_(request), block_bytes_(block_bytes) {
    setup_.facts.slot_count = blocks;
    setup_.facts.event_count = blocks;
    setup_.demand.events_at_peak = ~uint64_t{0};  // nobody asks for a picture
    setup_.image = std::move(image);
  }
  absl::StatusOr<std::unique_ptr<OpFeed>> Open() const override {
    return std::make_unique<BlockFeed>(block_bytes_, setup_.facts.slot_count);
  }
  const ReplayRequest& request() const override { return *request_; }
  const TraceSetup& setup() const override { return setup_; }
  bool ends_at_first_failure() const override { return true; }

 private:
  const ReplayRequest* request_;
  const uint64_t block_bytes_;
  TraceSetup setup_;
};

}  // namespace

std::unique_ptr<ProbeSource> MakeTraceSource(const ReplayRequest* request, const TraceSetup* setup) {
  return std::make_unique<TraceSource>(request, setup);
}

absl::StatusOr<std::unique_ptr<ProbeSource>> MakeBlockSource(const ReplayRequest* request, uint64_t block_bytes,
                                                             uint64_t up_to_bytes) {
  constexpr uint64_t kMostBlocks = 1u << 26;  // a gigabyte of slots
  const uint64_t blocks = up_to_bytes / block_bytes;
  if (blocks == 0 || blocks > kMostBlocks) {
    return absl::InvalidArgumentError("usable_heap: up_to must be 1 to 67,108,864 blocks");
  }
  ProcessImage image;
  image.origin = "platform";
  if (!request->maps_path.empty()) {
    absl::StatusOr<ProcessImage> read = ImageFromMapsFile(request->maps_path);
    if (!read.ok()) return read.status();
    image = *std::move(read);
  }
  return std::make_unique<BlockSource>(request, std::move(image), block_bytes, static_cast<uint32_t>(blocks));
}

}  // namespace reheap
