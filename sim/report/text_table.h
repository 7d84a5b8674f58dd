// TextTable: cells in aligned columns.
//
// Used by report rendering and by the lists that tools print. Width of a cell is its number of bytes: keep to
// ASCII. Ownership: owns its cells. Threads: one.
#ifndef REHEAP_SIM_REPORT_TEXT_TABLE_H_
#define REHEAP_SIM_REPORT_TEXT_TABLE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace reheap {

class TextTable {
 public:
  enum class Align { kLeft, kRight };

  void AddColumn(absl::string_view title, Align align);
  // As many cells as there are columns.
  void AddRow(std::vector<std::string> cells);
  // A line below the last row, not in columns.
  void AddNote(std::string note);
  // Escape sequence put before one cell of the last row, and reset behind it; takes no width.
  void ColorLastRow(size_t column, absl::string_view escape);

  // A title line, then rows and notes; columns two spaces apart, no trailing space; lines end in '\n'.
  std::string Render() const;

 private:
  struct Column {
    std::string title;
    Align align;
    size_t width;
  };
  struct Line {
    std::vector<std::string> cells;
    std::string note;                       // when there are no cells
    std::map<size_t, std::string> escapes;  // by column
  };
  std::string RenderLine(const Line& line) const;

  std::vector<Column> columns_;
  std::vector<Line> lines_;
};

}  // namespace reheap

#endif  // REHEAP_SIM_REPORT_TEXT_TABLE_H_
