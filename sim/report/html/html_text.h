// HtmlText: the few forms of markup that the page is made of (row 11 of the walk).
//
// Everything that comes out of a report goes through HtmlText() once, on its way into the page. Tables,
// figures and bars are made here only, so that they look and read alike: a figure always has its source
// beside it, a bar is a drawing inside a cell of a table whose other cells say the same in words.
//
// Values and pure functions: no ownership, any thread. Drawings are in integers, so that every machine makes
// the same bytes.
#ifndef REHEAP_SIM_REPORT_HTML_HTML_TEXT_H_
#define REHEAP_SIM_REPORT_HTML_HTML_TEXT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "proto/report.pb.h"

namespace reheap {

// Text as it may stand between tags and inside quoted attributes. What no page may hold (control characters)
// becomes U+FFFD.
std::string HtmlText(absl::string_view text);

// "35.9 MiB modelled": the figure and, smaller, who says so. Nobody: the figure alone.
std::string FigureHtml(absl::string_view text, proto::Provenance provenance);

// "12.3 %"; "-" of nothing, "over 1000 %" beyond that.
std::string PercentText(uint64_t part, uint64_t whole);

// A table with its title; cells are markup already.
class HtmlTable {
 public:
  enum class Kind { kText, kNumber, kBar };

  // `title` is text.
  HtmlTable(absl::string_view title, absl::string_view css_class);

  void Column(absl::string_view title, Kind kind);
  // As many cells as there are columns; the first names the row. `attributes`: of the row, markup.
  void Row(const std::vector<std::string>& cells, absl::string_view attributes = "");
  // A line across all columns that belongs to the row above.
  void Note(const std::string& markup, absl::string_view css_class);
  bool empty() const { return rows_.empty(); }
  std::string Markup() const;

 private:
  std::string title_;
  std::string css_class_;
  std::vector<std::pair<std::string, Kind>> columns_;
  std::string rows_;
};

// One piece of a bar, in any unit.
struct BarPart {
  uint64_t amount = 0;
  std::string css_class;
  std::string label;  // text: what the piece is and how much
};

// Pieces side by side on a line from 0 to `scale`; what is beyond the end is cut off. `limit`: an upright
// line. A piece of more than 0 is never drawn with no width. `css_class` says which kind of bar.
std::string BarHtml(const std::vector<BarPart>& parts, uint64_t scale, std::optional<uint64_t> limit,
                    absl::string_view limit_label);

// A section with a heading; nothing when `body` is empty.
std::string SectionHtml(absl::string_view id, absl::string_view title, absl::string_view introduction,
                        const std::string& body);

// Position of `value` on a line of `length` steps for 0..scale, without overflow. 0 when the scale is 0.
uint64_t OnScale(uint64_t value, uint64_t scale, uint64_t length);

}  // namespace reheap

#endif  // REHEAP_SIM_REPORT_HTML_HTML_TEXT_H_
