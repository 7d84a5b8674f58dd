// CsvField: one field of a line of CSV as RFC 4180 has it: quoted when it must be, a quote doubled.
//
// Pure function: no ownership, any thread.
#ifndef REHEAP_SIM_REPORT_CSV_FIELD_H_
#define REHEAP_SIM_REPORT_CSV_FIELD_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"

namespace reheap {

inline std::string CsvField(absl::string_view text) {
  if (text.find_first_of(",\"\r\n") == absl::string_view::npos) return std::string(text);
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

}  // namespace reheap

#endif  // REHEAP_SIM_REPORT_CSV_FIELD_H_
