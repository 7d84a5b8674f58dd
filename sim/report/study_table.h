// StudyTable: the answers of a study, as text for people (row 11 of the walk).
//
// Runs of its grid as RenderTable has them, then one section per kind of question: smallest limits with their
// bands, usable heap, time to failure, what would have helped. All figures are modelled. Pure function: the same
// report gives the same bytes. Any thread.
#ifndef REHEAP_SIM_REPORT_STUDY_TABLE_H_
#define REHEAP_SIM_REPORT_STUDY_TABLE_H_

#include <string>

#include "proto/report.pb.h"
#include "sim/report/report.h"

namespace reheap {

// Lines end in '\n'. A report without study is its runs alone.
std::string RenderStudy(const proto::Report& report, TableStyle style);

}  // namespace reheap

#endif  // REHEAP_SIM_REPORT_STUDY_TABLE_H_
