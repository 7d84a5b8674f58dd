#include "traces/trace_anonymizer.h"

#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "traces/block_frame.h"
#include "traces/edited_trace_for_tests.h"
#include "traces/synthetic_trace.h"
#include "traces/trace_builder.h"

namespace reheap {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;

std::string Temp(const std::string& name) { return testing::TempDir() + "/" + name; }

constexpr const char* kSecrets[] = {
    "acme",   "payroll",       "--token", "hunter2", "libcustomer", "worker-7", "hostname-x",
    "mapped", "reheap record", "of: ",    "board-z", "hush",        "/home"};
constexpr uint64_t kProgramAt = 0x563a1c8f1000, kMapAt = 0x7f31c4a3d000, kNewMapAt = 0x7f31c9a3d000;

void AddMapping(uint64_t start, uint64_t end, const char* name, proto::TraceHeader* header) {
  proto::Mapping& mapping = *header->add_mappings();
  mapping.set_start(start);
  mapping.set_end(end);
  mapping.set_permissions("rw-p");
  mapping.set_offset(4096);
  mapping.set_name(name);
}

// A trace that says everything it should not, in every place that has room for words.
void WriteTalkative(const std::string& path) {
  TraceBuilder builder;
  proto::TraceHeader& header = builder.header();
  header.set_writer("reheap record, of: hush");
  header.set_time_resolution_ns(1000);
  header.add_unknown("acme's secret");
  header.add_unknown("alignment");
  proto::Process& process = *header.mutable_process();
  process.set_program("/home/acme/payroll");
  process.add_arguments("--token=hunter2");
  process.set_pid(0x5ec2e7);
  process.set_parent_pid(0x5ec2e8);
  process.set_start_time_unix_ns(0x17a5ec2e75ec2e7);
  process.set_word_bits(64);
  process.set_rlimit_as_bytes(4ull << 30);
  process.GetReflection()->MutableUnknownFields(&process)->AddLengthDelimited(77, "hush");
  header.GetReflection()->MutableUnknownFields(&header)->AddLengthDelimited(78, "hush");
  proto::Host& host = *header.mutable_host();
  host.set_kernel("6.1.27-acme-hostname-x");
  host.set_machine("board-z");
  host.set_thp_mode("hush");
  host.set_os_page_bytes(4096);
  host.set_ram_bytes((15ull << 30) + 12345);
  AddMapping(kProgramAt, kProgramAt + 0x1000, "/home/acme/payroll", &header);
  AddMapping(kProgramAt + 0x1000, kProgramAt + 0x2000, "/home/acme/libcustomer.so", &header);
  AddMapping(kProgramAt + 0x2000, kProgramAt + 0x3000, "/home/acme/payroll", &header);
  AddMapping(kProgramAt + 0x5000, kProgramAt + 0x6000, "[heap]", &header);
  AddMapping(kProgramAt + 0x7000, kProgramAt + 0x8000, "[anon:acme mapped]", &header);
  header.mutable_mappings(0)->set_permissions("hush");
  builder.Malloc(0, 111).Map(kMapAt, 0x3000, 3, 0x22);
  TraceEvent remap;
  remap.kind = EventKind::kRemap;
  remap.address = kMapAt;
  remap.alignment = 0x3000;
  remap.argument = kNewMapAt;
  remap.size = 0x5000;
  builder.Event(remap)
      .Unmap(kNewMapAt + 0x1000, 0x4000)
      .Break(kProgramAt + 0x9000)
      .MemorySample(7, 8)
      .Time(2000)
      .Free(0);
  TraceEvent odd;  // room that no reader looks at
  odd.kind = EventKind::kThreadEnd;
  odd.address = kMapAt;
  odd.argument = kNewMapAt;
  odd.time_ns = 2000;
  builder.Event(odd);
  auto writer = TraceWriter::Create(path, header);
  ASSERT_TRUE(writer.ok());
  proto::TraceThread thread;
  thread.set_tid(0x5ec2e9);
  thread.set_name("worker-7");
  (*writer)->AddThread(thread);
  ASSERT_TRUE((*writer)->Append(builder.events().data(), builder.events().size()).ok());
  ASSERT_TRUE((*writer)->Finish().ok());
}

// Every block of the file, unpacked.
std::string Unpacked(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  std::string all;
  BlockDecompressor decompressor;
  for (size_t at = kFileMagic.size(); at + kFrameBytes <= bytes.size();) {
    const auto frame = FrameHeader::Decode(std::string_view(bytes).substr(at, kFrameBytes));
    if (!frame.ok()) break;  // the footer
    std::string raw;
    EXPECT_TRUE(decompressor
                    .Decompress(std::string_view(bytes).substr(at + kFrameBytes, frame->stored_bytes),
                                frame->raw_bytes, &raw)
                    .ok());
    all += raw;
    at += kFrameBytes + frame->stored_bytes;
  }
  return all;
}

TEST(TraceAnonymizerTest, NoSecretIsInAnyBlockOfTheResult) {
  WriteTalkative(Temp("talkative.trace"));
  const std::string before = Unpacked(Temp("talkative.trace"));
  for (const char* secret : kSecrets)
    EXPECT_TRUE(absl::StrContains(before, secret)) << secret << ": the test can fail";
  const auto report = AnonymizeTrace(Temp("talkative.trace"), Temp("silent.trace"));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->named_files, 2u);
  const std::string after = Unpacked(Temp("silent.trace"));
  EXPECT_TRUE(absl::StrContains(after, "reheap trace anonymize")) << "blocks were found";
  for (const char* secret : kSecrets) EXPECT_FALSE(absl::StrContains(after, secret)) << secret;
  const TraceFile silent = ReadSoundTrace(Temp("silent.trace"));
  const std::string text = absl::StrCat(silent.header.DebugString(), silent.trailer.DebugString());
  for (const uint64_t number :
       std::initializer_list<uint64_t>{0x5ec2e7, 0x5ec2e8, 0x5ec2e9, 0x17a5ec2e75ec2e7, kProgramAt,
                                       kProgramAt + 0x5000, (15ull << 30) + 12345}) {
    EXPECT_FALSE(absl::StrContains(text, absl::StrCat(number))) << std::hex << number;
  }
}

TEST(TraceAnonymizerTest, WhatAReplayNeedsStays) {
  WriteTalkative(Temp("talkative.trace"));
  ASSERT_TRUE(AnonymizeTrace(Temp("talkative.trace"), Temp("silent.trace")).ok());
  const TraceFile silent = ReadSoundTrace(Temp("silent.trace"));
  const proto::TraceHeader& header = silent.header;
  EXPECT_EQ(header.process().word_bits(), 64u);
  EXPECT_EQ(header.process().rlimit_as_bytes(), 4ull << 30);
  EXPECT_FALSE(header.process().has_rlimit_stack_bytes());
  EXPECT_EQ(header.host().kernel(), "6.1.27");
  EXPECT_EQ(header.host().os_page_bytes(), 4096u);
  EXPECT_EQ(header.host().ram_bytes(), 16ull << 30);
  EXPECT_THAT(header.unknown(), ElementsAre("alignment", "program"));
  ASSERT_EQ(header.mappings_size(), 5);
  const char* names[] = {"/file-1", "/file-2", "/file-1", "[heap]", ""};
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(header.mappings(i).name(), names[i]);
    EXPECT_EQ(header.mappings(i).end() - header.mappings(i).start(), 0x1000u);
    EXPECT_EQ(header.mappings(i).permissions(), i == 0 ? "---p" : "rw-p");
  }
  const uint64_t program = header.mappings(0).start();
  EXPECT_NE(program, kProgramAt);
  EXPECT_EQ(header.mappings(3).start() - program, 0x5000u);
  const std::vector<TraceEvent>& events = silent.events;
  ASSERT_EQ(events.size(), 8u);
  const uint64_t map = events[1].address;
  EXPECT_NE(map, kMapAt);
  EXPECT_EQ(map % (2u << 20), kMapAt % (2u << 20));
  EXPECT_EQ(events[2].address, map);
  EXPECT_EQ(events[2].argument, map + (kNewMapAt - kMapAt));
  EXPECT_EQ(events[2].alignment, 0x3000u);
  EXPECT_EQ(events[3].address, events[2].argument + 0x1000);
  EXPECT_EQ(events[4].address, program + 0x9000);
  EXPECT_EQ(events[5].argument, 8u);
  EXPECT_EQ(events[7].address, 0u);
  EXPECT_EQ(events[7].argument, 0u);
}

TEST(TraceAnonymizerTest, EventsWithoutAddressesAreTheSame) {
  const std::string path = Temp("synthetic.trace");
  ASSERT_TRUE(WriteSyntheticTrace(path, {.seed = 3, .threads = 3}, 20000).ok());
  for (const std::string& source : {path, std::string("traces/corpus/surfaceflinger_head.v1.trace")}) {
    ASSERT_TRUE(AnonymizeTrace(source, Temp("same.trace")).ok());
    EXPECT_THAT(ReadSoundTrace(Temp("same.trace")).events, ElementsAreArray(ReadTrace(source).events));
  }
}

}  // namespace
}  // namespace reheap
