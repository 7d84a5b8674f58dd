// Table: the rows of one .csv file of this folder, for the tests that hold the model against them. Test-only.
//
//   # comment                    says where the rows below it come from
//   column,column,...,note       the first line that is none
//   value,value,...,any text     the last column may have commas
//
// Values only: no ownership, no threads.
#ifndef REHEAP_TESTS_STORY_HISTORY_TABLE_H_
#define REHEAP_TESTS_STORY_HISTORY_TABLE_H_

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace reheap {

struct TableRow {
  std::string where;  // "limits.csv:17"
  std::map<std::string, std::string> cells;

  const std::string& text(const std::string& column) const { return cells.at(column); }
  bool has(const std::string& column) const { return !text(column).empty(); }
  uint64_t number(const std::string& column) const {
    uint64_t value = 0;
    const std::string& cell = text(column);
    const bool good =
        absl::StartsWith(cell, "0x") ? absl::SimpleHexAtoi(cell, &value) : absl::SimpleAtoi(cell, &value);
    EXPECT_TRUE(good) << where << ": " << column << ": '" << cell << "' is no number";
    return value;
  }
};

inline std::vector<TableRow> ReadTable(const std::string& name) {
  std::ifstream file("tests/story/history/" + name);
  EXPECT_TRUE(file.good()) << name;
  std::vector<std::string> columns;
  std::vector<TableRow> rows;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty() || line[0] == '#') continue;
    const size_t most = columns.empty() ? 100 : columns.size() - 1;
    const std::vector<std::string> cells = absl::StrSplit(line, absl::MaxSplits(',', static_cast<int>(most)));
    if (columns.empty()) {
      columns = cells;
      continue;
    }
    TableRow row;
    row.where = absl::StrCat(name, ":", number);
    EXPECT_EQ(cells.size(), columns.size()) << row.where;
    for (size_t n = 0; n < cells.size() && n < columns.size(); ++n) row.cells[columns[n]] = cells[n];
    rows.push_back(row);
  }
  EXPECT_FALSE(rows.empty()) << name;
  return rows;
}

// One figure against history's. `model` empty: the two must agree to within `tolerance`. Else the row is a
// known miss: it must say why, the figure must be what it says, and it must not have become right by itself.
inline void Compare(const TableRow& row, uint64_t measured, uint64_t tolerance, uint64_t got) {
  const uint64_t off = got > measured ? got - measured : measured - got;
  const std::string figures =
      absl::StrCat(row.where, ": history ", measured, ", model ", got, ", may differ by ", tolerance);
  if (!row.has("model")) {
    EXPECT_LE(off, tolerance) << figures;
    return;
  }
  EXPECT_EQ(got, row.number("model")) << figures << ": the known miss has changed";
  EXPECT_GT(off, tolerance) << figures << ": no longer a miss, take `model` out";
  EXPECT_TRUE(row.has("note")) << figures << ": a miss says why";
}

}  // namespace reheap

#endif  // REHEAP_TESTS_STORY_HISTORY_TABLE_H_
