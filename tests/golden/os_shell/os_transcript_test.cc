// The transcripts of tests/golden/os_shell, said again.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tools/cmd_os.h"

namespace reheap {
namespace {

constexpr char kFolder[] = "tests/golden/os_shell";

// One process: its options and what is said to it.
struct Conversation {
  std::string options;
  std::vector<std::string> lines;  // with the remarks
};

std::vector<Conversation> ConversationsOf(const std::string& transcript) {
  std::vector<Conversation> conversations;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(transcript, '\n'))) {
    if (line.starts_with("$ ")) conversations.push_back({line.substr(2), {}});
    if (conversations.empty()) continue;
    if (line.starts_with("> ") || line.starts_with("#")) conversations.back().lines.push_back(line);
  }
  return conversations;
}

// The answers to `lines`, in order. Each is asked of a process of its own that has heard all before it, so
// that what an answer belongs to is beyond doubt.
std::string AnswerTo(const Conversation& conversation, size_t upto) {
  std::string input;
  for (size_t i = 0; i < upto; ++i) {
    const std::string& line = conversation.lines[i];
    absl::StrAppend(&input, line.starts_with("> ") ? line.substr(2) : line, "\n");
  }
  size_t at = 0;
  std::ostringstream out, err;
  Terminal terminal{out, err, false, false, "reheap os", [&](char* to, size_t bytes) {
                      const size_t size = std::min(bytes, input.size() - at);
                      std::memcpy(to, input.data() + at, size);
                      at += size;
                      return size;
                    }};
  OsCommand(absl::StrSplit(conversation.options, ' ', absl::SkipEmpty()), terminal);
  return out.str() + err.str();
}

std::string Said(const std::string& transcript) {
  std::string text = transcript.substr(0, transcript.find("$ "));
  for (const Conversation& conversation : ConversationsOf(transcript)) {
    absl::StrAppend(&text, "$ ", conversation.options, "\n");
    std::string before = AnswerTo(conversation, 0);
    text += before;  // of options that are refused
    for (size_t i = 0; i < conversation.lines.size(); ++i) {
      const std::string now = AnswerTo(conversation, i + 1);
      absl::StrAppend(&text, conversation.lines[i], "\n", now.substr(before.size()));
      before = now;
    }
  }
  return text;
}

TEST(OsTranscriptTest, EveryLineIsAnsweredAsItWas) {
  size_t transcripts = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() != ".txt") continue;
    ++transcripts;
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string golden(std::istreambuf_iterator<char>(in), {});
    const std::string said = Said(golden);
    if (std::getenv("REHEAP_UPDATE") != nullptr) std::ofstream(entry.path(), std::ios::binary) << said;
    EXPECT_EQ(said, golden) << entry.path();
  }
  EXPECT_GE(transcripts, 5u);
}

}  // namespace
}  // namespace reheap
