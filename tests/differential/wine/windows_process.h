// WindowsProcess: windows_executor.cc, built with MinGW and running under Wine, and its requests and answers
// as values.
//
// Owns the process and a Wine prefix of its own below the test's temporary folder; both are gone when it is.
// Threads: one.
#ifndef REHEAP_TESTS_DIFFERENTIAL_WINE_WINDOWS_PROCESS_H_
#define REHEAP_TESTS_DIFFERENTIAL_WINE_WINDOWS_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "sim/os/virtual_os.h"

namespace reheap {

struct WindowsRequest {
  enum Call : char {
    kAlloc = 'a',
    kFree = 'f',
    kProtect = 'p',
    kQuery = 'q',
    kRead = 'r',
    kWrite = 'w',
  } call = kQuery;
  uint64_t addr = 0;
  uint64_t bytes = 0;       // alloc, free, protect
  uint32_t type = 0;        // alloc, free
  uint32_t protection = 0;  // alloc, protect
};

struct WindowsAnswer {
  uint64_t value = 0;  // alloc: address; protect: old protection; read, write: 1 = no exception
  uint32_t error = 0;
  RegionInfo region;  // query

  friend bool operator==(const WindowsAnswer&, const WindowsAnswer&) = default;
};

std::string Text(const WindowsRequest& r);
std::string Text(const WindowsAnswer& a);

// What stops this machine from running it, in words; empty = nothing.
std::string WhyNoWine();

class WindowsProcess {
 public:
  // `executor_source` = the path of windows_executor.cc. Precondition: WhyNoWine() is empty.
  explicit WindowsProcess(const std::string& executor_source);
  ~WindowsProcess();
  WindowsProcess(const WindowsProcess&) = delete;
  WindowsProcess& operator=(const WindowsProcess&) = delete;

  WindowsAnswer Call(const WindowsRequest& request);
  // Its regions that are not free, lowest first.
  std::vector<RegionInfo> Regions();
  // Releases what this test reserved.
  void ReleaseAll();
  // 8 bytes at `a`; nullopt where the access raised an exception.
  std::optional<uint64_t> Read(Addr a);
  bool Write(Addr a, uint64_t value);

 private:
  void Send(const std::string& line);
  std::string Receive();

  std::string prefix_;
  std::string newest_request_;
  pid_t pid_ = -1;
  std::FILE* to_ = nullptr;
  std::FILE* from_ = nullptr;
};

}  // namespace reheap

#endif  // REHEAP_TESTS_DIFFERENTIAL_WINE_WINDOWS_PROCESS_H_
