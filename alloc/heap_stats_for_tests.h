// ExpectSameStats: two HeapStats field by field, so that a failure names the counter. Test-only.
#ifndef REHEAP_ALLOC_HEAP_STATS_FOR_TESTS_H_
#define REHEAP_ALLOC_HEAP_STATS_FOR_TESTS_H_

#include <gtest/gtest.h>

#include "alloc/heap_stats.h"

namespace reheap {

// All that running counters and a recount can disagree on.
inline void ExpectSameStats(const HeapStats& a, const HeapStats& b) {
  EXPECT_EQ(a.heap_bytes, b.heap_bytes);
  EXPECT_EQ(a.free_bytes, b.free_bytes);
  EXPECT_EQ(a.discarded_bytes, b.discarded_bytes);
  EXPECT_EQ(a.small_span_bytes, b.small_span_bytes);
  EXPECT_EQ(a.large_span_bytes, b.large_span_bytes);
  EXPECT_EQ(a.live_objects, b.live_objects);
  EXPECT_EQ(a.live_bytes, b.live_bytes);
  EXPECT_EQ(a.large_objects, b.large_objects);
  EXPECT_EQ(a.large_requested_bytes, b.large_requested_bytes);
  EXPECT_EQ(a.cached_objects, b.cached_objects);
  EXPECT_EQ(a.cached_bytes, b.cached_bytes);
  EXPECT_EQ(a.central_bytes, b.central_bytes);
  EXPECT_EQ(a.small_spans, b.small_spans);
  EXPECT_EQ(a.span_records, b.span_records);
}

}  // namespace reheap

#endif  // REHEAP_ALLOC_HEAP_STATS_FOR_TESTS_H_
