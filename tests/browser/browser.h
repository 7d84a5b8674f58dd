// Browser: a headless Chromium that a test steers through the DevTools protocol.
//
// The browser is a child that reads commands from a pipe and answers on another (--remote-debugging-pipe:
// JSON texts, each closed by a zero byte), so there is no port, no driver and nothing to poll: each call
// waits for its answer. It runs on a profile of its own in the test's temporary folder, with everything off
// that would speak to the network.
//
// Ownership: owns the child and ends it. Threads: one. Not for use outside tests.
#ifndef REHEAP_TESTS_BROWSER_BROWSER_H_
#define REHEAP_TESTS_BROWSER_BROWSER_H_

#include <google/protobuf/struct.pb.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace reheap {

class Browser {
 public:
  // `temporary`: an empty folder for the profile. The window is `width` x `height` points, one pixel each.
  static absl::StatusOr<std::unique_ptr<Browser>> Start(const std::string& temporary, int width, int height);
  ~Browser();
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;

  // Opens a page and waits until it has loaded and, with scripts, until it has been drawn. What earlier pages
  // complained about and asked for is forgotten.
  absl::Status Open(const std::string& url);
  // The value of an expression, as JSON. A promise is waited for. An exception is an error.
  absl::StatusOr<std::string> Evaluate(const std::string& expression);
  // One key, pressed and released: "Tab", "ArrowRight", "Enter", "Escape".
  absl::Status Press(const std::string& key);
  absl::Status Hover(int x, int y);
  // "prefers-color-scheme" -> "dark"; `medium`: "", "screen" or "print".
  absl::Status Emulate(const std::string& medium, const std::string& feature, const std::string& value);
  // Waits until what has been changed is on the screen: two frames. Preconditions: scripts are allowed.
  absl::Status AwaitFrames();
  absl::Status AllowScripts(bool allow);
  // The whole window as PNG.
  absl::StatusOr<std::string> Screenshot();

  // Warnings and errors of the console, exceptions, what the browser logged: of the open page.
  const std::vector<std::string>& complaints() const { return complaints_; }
  // Addresses that the open page asked for, itself included.
  const std::vector<std::string>& requests() const { return requests_; }

 private:
  Browser(pid_t child, int to_child, int from_child)
      : child_(child), to_child_(to_child), from_child_(from_child) {}

  absl::Status Attach(int width, int height);
  // Sends a command (its parameters as JSON) and waits for the result.
  absl::StatusOr<google::protobuf::Struct> Call(const std::string& method, const std::string& parameters);
  absl::StatusOr<google::protobuf::Struct> ReadMessage();
  void Note(const google::protobuf::Struct& event);

  const pid_t child_;
  const int to_child_;
  const int from_child_;
  std::string session_;
  std::string unread_;
  int last_id_ = 0;
  bool loaded_ = false;
  bool scripts_ = true;
  std::vector<std::string> complaints_;
  std::vector<std::string> requests_;
};

// `text` as a JSON string with its quotes.
std::string JsonString(const std::string& text);

}  // namespace reheap

#endif  // REHEAP_TESTS_BROWSER_BROWSER_H_
