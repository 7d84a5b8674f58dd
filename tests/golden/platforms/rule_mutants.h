// RuleMutants: the proof that the golden tables can fail: each rule of a platform, changed alone, must make some
// row of that platform fail.
//
// Every rule of the schema is found by reflection: each enum takes every other value, each switch the other one,
// each error number another, each advice word another meaning. A changed platform goes through the loader, which
// may refuse it; else every row that ExpectRules was asked about that platform in this program runs on it, in a
// process of its own, since a rule that does not belong there may also trip a check. What no row notices is listed
// by the caller with its reason; a reason that is no longer needed is a failure as well.
//
// Plain functions; one thread. Limits: numbers (addresses, sizes) and the image are not changed.
#ifndef REHEAP_TESTS_GOLDEN_PLATFORMS_RULE_MUTANTS_H_
#define REHEAP_TESTS_GOLDEN_PLATFORMS_RULE_MUTANTS_H_

#include <string>
#include <vector>

namespace reheap {

// A change that no row notices: "limits.data" is the rule with whatever value, "limits.data=WHOLE_MAP" one change.
struct UnseenMutant {
  std::string mutant;
  std::string reason;
};

struct MutatedPlatform {
  std::string platform;
  std::vector<UnseenMutant> unseen;
};

// Call once, before main: checks `platforms` when all tests of this program have run. Does nothing when only some
// were asked for (--gtest_filter).
bool CheckMutantsAtTheEnd(std::vector<MutatedPlatform> platforms);

}  // namespace reheap

#endif  // REHEAP_TESTS_GOLDEN_PLATFORMS_RULE_MUTANTS_H_
