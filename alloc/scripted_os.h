// ScriptedOs: the real kernel behind a script, for tests of what lies above Os (row 9 of the walk).
//
// Passes every request on to a RealOs, and can do what a kernel does rarely: refuse the n-th request, place
// anonymous mappings below 4 GiB as a 32-bit OS does, or own a piece of image BSS. Remembers what it mapped,
// and gives it all back when it ends.
//
// Ownership: of every range that it handed out. Threads: one. Test-only.
#ifndef REHEAP_ALLOC_SCRIPTED_OS_H_
#define REHEAP_ALLOC_SCRIPTED_OS_H_

#include <sys/mman.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "alloc/addr.h"
#include "alloc/os.h"
#include "alloc/real_os.h"

namespace reheap {

class ScriptedOs final : public Os {
 public:
  ScriptedOs() = default;
  ~ScriptedOs() override {
    for (const AddrRange& range : mapped_) munmap(reinterpret_cast<void*>(range.start.value()), range.bytes);
  }

  // Of the requests from now on, the one with this number (from 0) is refused with kAddressLimit.
  void RefuseAfter(uint64_t requests) { refuse_in_ = static_cast<int64_t>(requests); }
  // Every Release from now on is refused (linux: no mapping left to split).
  void RefuseReleases() { refuse_releases_ = true; }
  // MapReady answers addresses from 256 MiB upward.
  void PlaceLow() { next_low_ = Addr(256 * kMiB); }
  // TakeImageBss gives out this range, once.
  void set_image_bss(AddrRange bss) { image_bss_ = bss; }

  const std::vector<AddrRange>& mapped() const { return mapped_; }
  uint64_t mapped_bytes() const {
    uint64_t bytes = 0;
    for (const AddrRange& range : mapped_) bytes += range.bytes;
    return bytes;
  }

  // OS pages of what is mapped that the kernel holds in memory. Pages that were only read count too (mincore
  // sees the shared zero page), so look before reading.
  uint64_t CountResidentPages() const {
    uint64_t pages = 0;
    for (const AddrRange& range : mapped_) {
      std::vector<unsigned char> in_core(range.bytes / os_page_bytes());
      REHEAP_CHECK(mincore(reinterpret_cast<void*>(range.start.value()), range.bytes, in_core.data()) == 0);
      for (unsigned char page : in_core) pages += page & 1;
    }
    return pages;
  }

  std::optional<AddrRange> TakeImageBss(uint64_t bytes) override {
    if (!image_bss_ || image_bss_->bytes < bytes) return std::nullopt;
    const AddrRange bss = *image_bss_;
    image_bss_.reset();
    return bss;
  }
  Addr image_end() const override { return real_.image_end(); }
  uint64_t os_page_bytes() const override { return real_.os_page_bytes(); }
  uint64_t granularity_bytes() const override { return real_.granularity_bytes(); }
  bool release_is_whole() const override { return real_.release_is_whole(); }
  OsUsage Usage() override { return real_.Usage(); }
  bool IsWhollyMapped(AddrRange range) override { return real_.IsWhollyMapped(range); }

 private:
  bool RefuseNow() { return refuse_in_ >= 0 && refuse_in_-- == 0; }
  static Refusal No(OsOperation operation, AddrRange range) {
    Refusal refusal;
    refusal.rule = Rule::kAddressLimit;
    refusal.operation = operation;
    refusal.asked_bytes = range.bytes;
    refusal.wanted = range.start;
    return refusal;
  }
  template <class Call>
  OsResult<AddrRange> Place(OsOperation operation, AddrRange wanted, Call call) {
    if (RefuseNow()) return No(operation, wanted);
    const OsResult<AddrRange> got = call();
    if (got.ok()) mapped_.push_back(got.value());
    return got;
  }

  OsResult<AddrRange> DoReserve(uint64_t bytes, Addr hint) override {
    return Place(OsOperation::kReserve, {hint, bytes}, [&] { return real_.Reserve(bytes, hint); });
  }
  OsResult<AddrRange> DoMapReady(uint64_t bytes, Access access, Addr hint) override {
    return Place(OsOperation::kMapReady, {hint, bytes}, [&]() -> OsResult<AddrRange> {
      if (!next_low_) return real_.MapReady(bytes, access, hint);
      for (; next_low_.value() + bytes < 4 * kGiB; next_low_ = next_low_ + bytes) {
        const AddrRange range{next_low_, bytes};
        if (!real_.MapReadyAt(range, access).ok()) continue;
        next_low_ = range.end();
        return range;
      }
      return No(OsOperation::kMapReady, {hint, bytes});
    });
  }
  OsResult<Done> DoMapReadyAt(AddrRange range, Access access) override {
    if (RefuseNow()) return No(OsOperation::kMapReadyAt, range);
    const OsResult<Done> done = real_.MapReadyAt(range, access);
    if (done.ok()) mapped_.push_back(range);
    return done;
  }
  OsResult<AddrRange> DoMap(uint64_t bytes, Addr hint, const MapTraits& traits) override {
    const OsOperation operation = traits.ready ? OsOperation::kMapReady : OsOperation::kReserve;
    return Place(operation, {hint, bytes}, [&] { return real_.Map(bytes, hint, traits); });
  }
  OsResult<Done> DoCommit(AddrRange range, Access access, CommitMethod method) override {
    if (RefuseNow()) return No(OsOperation::kCommit, range);
    return real_.Commit(range, access, method);
  }
  OsResult<Done> DoDiscard(AddrRange range) override { return real_.Discard(range); }
  OsResult<Done> DoReuse(AddrRange range) override { return real_.Reuse(range); }
  OsResult<Done> DoDecommit(AddrRange range) override { return real_.Decommit(range); }
  OsResult<Done> DoRelease(AddrRange range) override {
    if (refuse_releases_) return No(OsOperation::kRelease, range);
    std::erase(mapped_, range);
    return real_.Release(range);
  }

  RealOs real_;
  int64_t refuse_in_ = -1;  // negative: never
  bool refuse_releases_ = false;
  Addr next_low_;           // zero: where the kernel likes
  std::optional<AddrRange> image_bss_;
  std::vector<AddrRange> mapped_;
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_SCRIPTED_OS_H_
