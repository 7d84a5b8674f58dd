#include "sim/report/html/html_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "alloc/check.h"
#include "sim/report/run_text.h"

namespace reheap {

namespace {

// A bar's drawing is so many units wide, whatever the width on the screen.
constexpr uint64_t kBarUnits = 10000;
// Pieces are at least so wide: about two points on a screen.
constexpr uint64_t kLeastUnits = 30;

const char* KindClass(HtmlTable::Kind kind) {
  switch (kind) {
    case HtmlTable::Kind::kText:
      return "";
    case HtmlTable::Kind::kNumber:
      return " class=\"number\"";
    case HtmlTable::Kind::kBar:
      return " class=\"bar-cell\"";
  }
  return "";
}

}  // namespace

std::string HtmlText(absl::string_view text) {
  std::string escaped;
  escaped.reserve(text.size() + text.size() / 8);
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      case '\t':
      case '\n':
        escaped += c;
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          escaped += "\xef\xbf\xbd";
        } else {
          escaped += c;
        }
    }
  }
  return escaped;
}

std::string FigureHtml(absl::string_view text, proto::Provenance provenance) {
  if (provenance == proto::PROVENANCE_UNSPECIFIED) return HtmlText(text);
  const char* const word = ProvenanceText(provenance);
  return absl::StrCat(HtmlText(text), " <small class=\"source ", word, "\">", word, "</small>");
}

std::string PercentText(uint64_t part, uint64_t whole) {
  if (whole == 0) return "-";
  const unsigned __int128 permille = static_cast<unsigned __int128>(part) * 1000 / whole;
  if (permille > 10000) return "over 1000 %";
  const uint64_t tenths = static_cast<uint64_t>(permille);
  return absl::StrCat(tenths / 10, ".", tenths % 10, " %");
}

HtmlTable::HtmlTable(absl::string_view title, absl::string_view css_class)
    : title_(title), css_class_(css_class) {}

void HtmlTable::Column(absl::string_view title, Kind kind) { columns_.emplace_back(title, kind); }

void HtmlTable::Row(const std::vector<std::string>& cells, absl::string_view attributes) {
  REHEAP_CHECK(cells.size() == columns_.size());
  absl::StrAppend(&rows_, "<tr", attributes.empty() ? "" : " ", attributes, ">");
  for (size_t i = 0; i < cells.size(); ++i) {
    const char* const tag = i == 0 ? "th" : "td";
    absl::StrAppend(&rows_, "<", tag, i == 0 ? " scope=\"row\"" : "", KindClass(columns_[i].second), ">",
                    cells[i], "</", tag, ">");
  }
  rows_ += "</tr>\n";
}

void HtmlTable::Note(const std::string& markup, absl::string_view css_class) {
  absl::StrAppend(&rows_, "<tr class=\"note ", css_class, "\"><td></td><td colspan=\"", columns_.size() - 1,
                  "\">", markup, "</td></tr>\n");
}

std::string HtmlTable::Markup() const {
  std::string head;
  for (const auto& [title, kind] : columns_) {
    absl::StrAppend(&head, "<th scope=\"col\"", KindClass(kind), ">", HtmlText(title), "</th>");
  }
  return absl::StrCat("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"", HtmlText(title_),
                      "\"><table class=\"", css_class_, "\"><caption>", HtmlText(title_),
                      "</caption>\n<thead><tr>", head, "</tr></thead>\n<tbody>\n", rows_,
                      "</tbody></table></div>\n");
}

uint64_t OnScale(uint64_t value, uint64_t scale, uint64_t length) {
  if (scale == 0) return 0;
  const unsigned __int128 product = static_cast<unsigned __int128>(std::min(value, scale)) * length;
  return static_cast<uint64_t>(product / scale);
}

std::string BarHtml(const std::vector<BarPart>& parts, uint64_t scale, std::optional<uint64_t> limit,
                    absl::string_view limit_label) {
  std::string drawing;
  uint64_t sum = 0;
  uint64_t drawn_to = 0;
  std::string words;
  for (const BarPart& part : parts) {
    if (part.amount == 0) continue;
    sum = part.amount > UINT64_MAX - sum ? UINT64_MAX : sum + part.amount;
    const uint64_t end = std::max(OnScale(sum, scale, kBarUnits), drawn_to + kLeastUnits);
    absl::StrAppend(&drawing, "<rect class=\"", part.css_class, "\" x=\"", drawn_to, "\" y=\"0\" width=\"",
                    end - drawn_to, "\" height=\"20\"><title>", HtmlText(part.label), "</title></rect>");
    absl::StrAppend(&words, words.empty() ? "" : ", ", part.label);
    drawn_to = end;
  }
  if (limit.has_value()) {
    const uint64_t x = OnScale(*limit, scale, kBarUnits);
    absl::StrAppend(&drawing, "<line class=\"limit\" x1=\"", x, "\" y1=\"-3\" x2=\"", x,
                    "\" y2=\"23\"><title>", HtmlText(limit_label), "</title></line>");
    absl::StrAppend(&words, words.empty() ? "" : "; ", "the line: ", limit_label);
  }
  return absl::StrCat("<svg class=\"bar\" role=\"img\" viewBox=\"0 -3 ", kBarUnits,
                      " 26\" preserveAspectRatio=\"none\" aria-label=\"", HtmlText(words), "\">", drawing,
                      "</svg>");
}

std::string SectionHtml(absl::string_view id, absl::string_view title, absl::string_view introduction,
                        const std::string& body) {
  if (body.empty()) return "";
  return absl::StrCat("<section id=\"", id, "\" aria-labelledby=\"", id, "-title\">\n<h2 id=\"", id,
                      "-title\">", HtmlText(title), "</h2>\n",
                      introduction.empty() ? "" : absl::StrCat("<p class=\"lead\">", introduction, "</p>\n"),
                      body, "</section>\n");
}

}  // namespace reheap
