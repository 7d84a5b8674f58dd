// StudyChecks: what must hold of a study file beyond its schema, each violation with its line.
//
// Known to study_catalog.cc only. A function of its arguments: any thread.
#ifndef REHEAP_SIM_STUDIES_STUDY_CHECKS_H_
#define REHEAP_SIM_STUDIES_STUDY_CHECKS_H_

#include <string>

#include "proto/study.pb.h"
#include "sim/textproto/text_places.h"

namespace reheap {

// `folder` is what the study's paths start from. Complaints go to `places`.
void CheckStudy(const proto::Study& study, const std::string& folder, TextPlaces* places);

}  // namespace reheap

#endif  // REHEAP_SIM_STUDIES_STUDY_CHECKS_H_
