// Events by number become words, whether the trace has an index or was cut off.
#include "sim/replay/event_words.h"

#include <gtest/gtest.h>

#include "traces/trace_builder.h"

namespace reheap {
namespace {

proto::Run RunWithCauses(std::initializer_list<uint64_t> events) {
  proto::Run run;
  for (const uint64_t event : events) run.add_peak_causes()->set_event(event);
  run.add_peak_causes();  // at startup
  return run;
}

TEST(EventWordsTest, EachKindSaysWhatItIsAbout) {
  TraceEvent event;
  event.call = CallKind::kMalloc;
  event.size = 1 << 20;
  event.thread = 3;
  EXPECT_EQ(EventWords(event), "malloc of 1.0 MiB by thread 3");
  event.call = CallKind::kUnknown;
  event.alignment = 64;
  EXPECT_EQ(EventWords(event), "allocate of 1.0 MiB aligned to 64 B by thread 3");
  event.kind = EventKind::kResize;
  event.call = CallKind::kRealloc;
  EXPECT_EQ(EventWords(event), "realloc to 1.0 MiB by thread 3");
  event.kind = EventKind::kFree;
  event.call = CallKind::kFree;
  EXPECT_EQ(EventWords(event), "free by thread 3");
}

TEST(EventWordsTest, CallsAreLookedUpInWhateverBlockTheyAre) {
  TraceBuilder builder;
  constexpr uint64_t kEvents = 300000;  // several blocks
  builder.Thread(0);
  for (uint64_t i = 0; i < kEvents; i += 2) builder.Malloc(0, 1 + i).Free(0);
  const std::string path = testing::TempDir() + "/words.trace";
  ASSERT_TRUE(builder.WriteTo(path).ok());
  proto::Run first = RunWithCauses({299998, 4, 299998});
  proto::Run second = RunWithCauses({150001});
  second.mutable_refusal()->set_event(200000);
  ASSERT_TRUE(FillCalls(path, {&first, &second}).ok());
  EXPECT_EQ(first.peak_causes(0).call(), "malloc of 293.0 KiB by thread 0");
  EXPECT_EQ(first.peak_causes(1).call(), "malloc of 5 B by thread 0");
  EXPECT_EQ(first.peak_causes(2).call(), first.peak_causes(0).call());
  EXPECT_EQ(first.peak_causes(3).call(), "") << "startup";
  EXPECT_EQ(second.peak_causes(0).call(), "free by thread 0");
  EXPECT_EQ(second.refusal().call(), "malloc of 195.3 KiB by thread 0");
  EXPECT_FALSE(FillCalls(path + ".none", {&first}).ok());
}

}  // namespace
}  // namespace reheap
