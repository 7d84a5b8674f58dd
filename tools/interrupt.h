// Interrupt: SIGINT and SIGTERM as a wish that a long job looks at, for as long as one of these lives.
//
// The first signal is noted, so that the job can end tidily; a second one of the same kind kills as ever. Threads:
// one Interrupt at a time; Noted() from any.
#ifndef REHEAP_TOOLS_INTERRUPT_H_
#define REHEAP_TOOLS_INTERRUPT_H_

#include <csignal>

namespace reheap {

class Interrupt {
 public:
  Interrupt();
  ~Interrupt();  // the handlers before it are back
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  // The signal's number; 0 = none came.
  static int Noted();

 private:
  struct sigaction interrupt_before_;
  struct sigaction terminate_before_;
};

}  // namespace reheap

#endif  // REHEAP_TOOLS_INTERRUPT_H_
