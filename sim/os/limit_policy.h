// LimitPolicies: one small class per rule by which a kernel counts address space and data (row 9).
//
// Each policy answers one question of sums: what does this limit have in use, and what would a request add?
// Limits (limits.h) compares the answer with what the process may use and says no. A platform's file names
// its rules; the objects have no state, so one of each serves every process.
//
// Ownership: static objects. Threads: any. Limits: addresses are not their business.
#ifndef REHEAP_SIM_OS_LIMIT_POLICY_H_
#define REHEAP_SIM_OS_LIMIT_POLICY_H_

#include <cstdint>
#include <optional>

#include "sim/os/address_space.h"
#include "sim/os/platform.h"

namespace reheap {

// What a request would add, and what it replaces.
struct Demand {
  uint64_t bytes = 0;
  uint64_t replaced_bytes = 0;  // mapped already, where it goes
  bool data = false;            // the new mapping is IsData
  bool claims = false;          // the new mapping is ClaimsMemory
};

// What an mprotect does to `bytes` of one mapping.
struct ProtectDemand {
  uint64_t bytes = 0;
  bool was_data = false;      // IsData before
  bool becomes_data = false;  // and after
};

// What the process may use, in whole OS pages; all ones = unlimited.
struct Allowances {
  uint64_t address_bytes = ~uint64_t{0};
  uint64_t data_bytes = ~uint64_t{0};
};

// A limit's view of a request.
struct LimitedSum {
  uint64_t in_use_bytes = 0;
  uint64_t added_bytes = 0;
};

// in_use + added > allowed, without overflow.
constexpr bool Exceeds(LimitedSum sum, uint64_t allowed) {
  return sum.added_bytes > allowed || sum.in_use_bytes > allowed - sum.added_bytes;
}

// RLIMIT_AS and its like: a limit on what is mapped.
class AddressLimitPolicy {
 public:
  virtual ~AddressLimitPolicy() = default;
  // nullopt = the request is none of its business.
  virtual std::optional<LimitedSum> OnMap(const MappingTotals& totals, const Demand& demand) const = 0;
  // Whether a limit may be set that the process is above already.
  virtual bool MayBeSetBelowUse() const { return true; }
};

// RLIMIT_DATA: a limit on what kernels variously call data.
class DataLimitPolicy {
 public:
  virtual ~DataLimitPolicy() = default;
  virtual std::optional<LimitedSum> OnMap(const MappingTotals& totals, const Demand& demand) const = 0;
  // One mapping's share of an mprotect, before it is carried out.
  virtual bool RefusesProtect(const MappingTotals&, const ProtectDemand&, const AddressLimitPolicy&,
                              const Allowances&) const {
    return false;
  }
  // A whole mprotect, before any of it: `claimed_bytes` become ClaimsMemory that were not.
  virtual std::optional<LimitedSum> OnClaim(const MappingTotals&, uint64_t /*claimed_bytes*/) const {
    return std::nullopt;
  }
  // Whether OnClaim ever answers.
  virtual bool CountsClaims() const { return false; }
  virtual bool CoversBreak() const { return false; }
  virtual bool MayBeSetBelowUse() const { return true; }
};

const AddressLimitPolicy& PolicyOf(AddressLimitRule rule);
const DataLimitPolicy& PolicyOf(DataLimitRule rule);

}  // namespace reheap

#endif  // REHEAP_SIM_OS_LIMIT_POLICY_H_
