#include "sim/report/text_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "alloc/check.h"

namespace reheap {

void TextTable::AddColumn(absl::string_view title, Align align) {
  columns_.push_back({std::string(title), align, title.size()});
}

void TextTable::AddRow(std::vector<std::string> cells) {
  REHEAP_CHECK_EQ(cells.size(), columns_.size());
  for (size_t i = 0; i < cells.size(); ++i) columns_[i].width = std::max(columns_[i].width, cells[i].size());
  lines_.push_back({std::move(cells), "", {}});
}

void TextTable::AddNote(std::string note) { lines_.push_back({{}, std::move(note), {}}); }

void TextTable::ColorLastRow(size_t column, absl::string_view escape) {
  REHEAP_CHECK(!lines_.empty());
  REHEAP_CHECK_LT(column, columns_.size());
  lines_.back().escapes[column] = std::string(escape);
}

std::string TextTable::RenderLine(const Line& line) const {
  if (line.cells.empty()) return absl::StrCat(line.note, "\n");
  constexpr char kReset[] = "\033[0m";
  std::string text;
  size_t padding = 0;  // owed before the next cell, so that no line ends in spaces
  for (size_t i = 0; i < columns_.size(); ++i) {
    const std::string& cell = line.cells[i];
    const size_t missing = columns_[i].width - cell.size();
    if (columns_[i].align == Align::kRight) padding += missing;
    const auto escape = line.escapes.find(i);
    const bool colored = escape != line.escapes.end();
    if (!cell.empty()) {
      absl::StrAppend(&text, std::string(padding, ' '), colored ? escape->second : "", cell,
                      colored ? kReset : "");
      padding = 0;
    }
    padding += 2;
    if (columns_[i].align == Align::kLeft) padding += missing;
  }
  return absl::StrCat(text, "\n");
}

std::string TextTable::Render() const {
  Line title;
  for (const Column& column : columns_) title.cells.push_back(column.title);
  std::string text = columns_.empty() ? "" : RenderLine(title);
  for (const Line& line : lines_) absl::StrAppend(&text, RenderLine(line));
  return text;
}

}  // namespace reheap
