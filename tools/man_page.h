// ManPage: reheap(1), made of the verbs' own descriptions.
//
// Pure function: no date, so that the same tables give the same bytes. Threads: any.
#ifndef REHEAP_TOOLS_MAN_PAGE_H_
#define REHEAP_TOOLS_MAN_PAGE_H_

#include <string>
#include <vector>

#include "tools/verb_description.h"

namespace reheap {

// In the man macros of groff and mandoc.
std::string ManPage(const std::vector<VerbDescription>& verbs);

}  // namespace reheap

#endif  // REHEAP_TOOLS_MAN_PAGE_H_
