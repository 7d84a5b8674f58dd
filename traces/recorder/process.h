// The process image's side of the spool: making the file, its pool of segments, forks (rows 1 and 2 of the walk).
//
// Everything here is slow-path: once per process image, per segment or per thread. System calls go through
// syscall(2)'s wrapper, because the libc functions are cancellation points or are hooked by the
// recorder itself.
//
// Ownership: the spool mapping lives as long as the image; the file is the collector's to remove. Threads: any.
// Limits: Linux 4.14 for MADV_WIPEONFORK; without it nothing is recorded.
#ifndef REHEAP_TRACES_RECORDER_PROCESS_H_
#define REHEAP_TRACES_RECORDER_PROCESS_H_

#include "traces/recorder/lane.h"
#include "traces/recorder/recorder_config.h"

namespace reheap::recorder {

// Makes this image's spool if it has none yet (first event, or first event after a fork). False: not recording.
bool BeginProcess(ThreadState& thread);
bool HasCollector();
// The collector that there was at the start. Not visible: no file (chroot), no descriptor.
enum CollectorSight { kThere, kGone, kNotVisible };
CollectorSight SeeCollector();
// This image records no more, for good.
void GiveUp();

// A segment in state kClaimed, or null: all are in use and no more can be made.
Segment* TakeFreeSegment();
void SetSegmentState(Segment* segment, spool::SegmentState state);

// The second reading of both clocks in the control page.
void NoteClockAgain();

// Calls EndLane when this thread's destructors have had their last round.
void ArmThreadExit();
void EndLane(ThreadState& thread);
void ForgetLanesAfterFork(ThreadState& thread);

}  // namespace reheap::recorder

#endif  // REHEAP_TRACES_RECORDER_PROCESS_H_
