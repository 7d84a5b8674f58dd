// Decimate: which points of a timeline a chart needs (row 11 of the walk).
//
// A curve of a million points on a screen of a thousand columns shows, in each column, the least and the
// greatest of a thousand. So the points are cut into buckets of equal number, and of each bucket the points
// with the least and the greatest value of every series are kept, with the first and the last of all: no peak
// is lost, and no value is shown that nobody measured.
//
//   points  . . : . | . ' . . | . . . :      4 per bucket
//   kept    .   :   |   ' .   | .     :      least, greatest, first, last
//
// Pure function, no state: the same timeline gives the same points. Time is linear in the points.
#ifndef REHEAP_SIM_REPORT_DECIMATE_H_
#define REHEAP_SIM_REPORT_DECIMATE_H_

#include <cstddef>
#include <vector>

#include "google/protobuf/repeated_field.h"
#include "proto/report.pb.h"

namespace reheap {

// Fewer than this cannot hold the extremes of one bucket of four series, and both ends.
inline constexpr size_t kLeastDecimatedPoints = 10;

// Indices, ascending, at most `most`; all of them when there are no more than that.
// Preconditions: most >= kLeastDecimatedPoints.
std::vector<int> DecimateTimeline(const google::protobuf::RepeatedPtrField<proto::TimelinePoint>& timeline,
                                  size_t most);

}  // namespace reheap

#endif  // REHEAP_SIM_REPORT_DECIMATE_H_
