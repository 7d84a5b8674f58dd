// RequestRunner: carries out lists of MapRequests (row 8 of the walk).
//
// A request is tried at its hints, then anywhere; then in smaller sizes; then by what stands instead of it;
// then it fails, or is done without. What became of it is remembered: the bytes held and the mode the program
// is in.
//
// Ownership: what it got lives until the process ends, or until Undo. Threads: one. Limits: a range that is
// believed in is not there: the refusal shows at its first use, as one of kCommit.
#ifndef REHEAP_ALLOC_REQUEST_RUNNER_H_
#define REHEAP_ALLOC_REQUEST_RUNNER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "alloc/addr.h"
#include "alloc/map_request.h"
#include "alloc/os.h"
#include "alloc/range_taker.h"
#include "alloc/reservation_strategy.h"

namespace reheap {

class RequestRunner {
 public:
  // Both are borrowed and outlive the runner.
  RequestRunner(Os& os, RangeTaker& taker) : os_(&os), taker_(&taker) {}

  // All of `requests`, in order, those of one list only as far as they go. A refusal names the purpose:
  // failed().
  OsResult<Done> Run(const std::vector<MapRequest>& requests, CommitMethod commit_method);

  // Gives everything back and forgets the modes.
  void Undo();

  uint64_t held_bytes() const { return held_bytes_; }
  // The purpose of the request that was refused last; empty = none.
  const std::string& failed() const { return failed_; }
  // What the program is in, from requests that were skipped or made smaller; empty = what it was meant to be.
  const std::string& degraded_mode() const { return degraded_mode_; }
  bool is_degraded() const { return is_degraded_; }

 private:
  OsResult<Done> RunOne(const MapRequest& request, CommitMethod commit_method);
  OsResult<AddrRange> TakeSize(const MapRequest& request, uint64_t bytes);
  OsResult<AddrRange> TakeAtHints(const MapRequest& request, uint64_t bytes, const MapTraits& traits);
  OsResult<Done> Keep(const MapRequest& request, AddrRange range, CommitMethod commit_method);
  void NoteMode(const MapRequest& request);

  Os* os_;
  RangeTaker* taker_;
  std::vector<AddrRange> held_;
  uint64_t held_bytes_ = 0;
  Addr next_;  // of the list's spare_is_next; zero = none
  std::string failed_;
  std::string degraded_mode_;
  bool is_degraded_ = false;
};

}  // namespace reheap

#endif  // REHEAP_ALLOC_REQUEST_RUNNER_H_
