// Who sits where. An address space of 2^47 bytes with a heap of 2^25 is all gap on a scale in bytes, so a
// piece is drawn as wide as its size has binary digits beyond the page: the order is kept, 4 KiB can be seen,
// and 17 GiB are wider than 17 MiB. Gaps are drawn the same way, narrower, and hatched.
#include <algorithm>
#include <bit>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "sim/report/html/html_text.h"
#include "sim/report/html/sections.h"
#include "sim/report/human_units.h"
#include "sim/report/run_text.h"

namespace reheap {

namespace {

using Kind = HtmlTable::Kind;

// Pieces on one page, over all runs: some 200 bytes of markup each, twice.
constexpr size_t kMaxPieces = 8000;
constexpr uint64_t kStripUnits = 10000;

struct Stretch {
  uint64_t start = 0;
  uint64_t end = 0;
  std::string holder;  // empty = a gap
  std::string permissions;
  uint64_t from = 0;  // on the strip
  uint64_t to = 0;
};

// In the order of addresses, pieces that touch and are alike joined, gaps between them. Pieces that overlap
// their predecessor or are empty (a forged report) are left out.
std::vector<Stretch> StretchesOf(const proto::AddressSpacePicture& picture) {
  std::vector<const proto::SpacePiece*> pieces;
  for (const proto::SpacePiece& piece : picture.pieces()) pieces.push_back(&piece);
  std::stable_sort(pieces.begin(), pieces.end(), [](const proto::SpacePiece* a, const proto::SpacePiece* b) {
    return a->start() < b->start();
  });
  std::vector<Stretch> stretches;
  uint64_t end = 0;
  for (const proto::SpacePiece* piece : pieces) {
    if (piece->start() < end || piece->end() <= piece->start()) continue;
    const bool alike = !stretches.empty() && piece->start() == end &&
                       stretches.back().holder == piece->holder() &&
                       stretches.back().permissions == piece->permissions();
    if (alike) {
      stretches.back().end = piece->end();
    } else {
      if (piece->start() > end) stretches.push_back({end, piece->start(), "", "", 0, 0});
      stretches.push_back({piece->start(), piece->end(), piece->holder(), piece->permissions(), 0, 0});
    }
    end = piece->end();
  }
  if (picture.user_end() > end) stretches.push_back({end, picture.user_end(), "", "", 0, 0});
  return stretches;
}

const char* StretchClass(const Stretch& stretch) {
  return stretch.holder.empty() ? "hold-gap" : HolderClass(stretch.holder);
}

// For the strip: neighbours of one colour are one piece, which names the first of them and counts the others.
std::vector<Stretch> ByColor(const std::vector<Stretch>& stretches) {
  std::vector<Stretch> joined;
  int others = 0;
  const auto close = [&] {
    if (others != 0) absl::StrAppend(&joined.back().holder, " and ", others, " more");
    others = 0;
  };
  for (const Stretch& stretch : stretches) {
    const bool alike = !joined.empty() && joined.back().end == stretch.start && !stretch.holder.empty() &&
                       StretchClass(joined.back()) == absl::string_view(StretchClass(stretch));
    if (alike) {
      joined.back().end = stretch.end;
      joined.back().permissions.clear();
      ++others;
    } else {
      close();
      joined.push_back(stretch);
    }
  }
  close();
  return joined;
}

// 1 for a page and less, then one more per doubling, in quarters; a gap a third of that.
uint64_t Weight(const Stretch& stretch) {
  const uint64_t bytes = stretch.end - stretch.start;
  const uint64_t digits = static_cast<uint64_t>(std::bit_width(bytes));
  const uint64_t doublings = digits > 12 ? digits - 12 : 0;
  return stretch.holder.empty() ? 6 + 4 * doublings : 18 + 12 * doublings;
}

void PlaceOnStrip(std::vector<Stretch>* stretches) {
  uint64_t total = 0;
  for (const Stretch& stretch : *stretches) total += Weight(stretch);
  uint64_t before = 0;
  for (Stretch& stretch : *stretches) {
    stretch.from = OnScale(before, total, kStripUnits);
    before += Weight(stretch);
    stretch.to = OnScale(before, total, kStripUnits);
  }
}

std::string StretchWords(const Stretch& stretch) {
  const std::string size = FormatBytes(stretch.end - stretch.start);
  if (stretch.holder.empty()) return absl::StrFormat("gap of %s from 0x%x", size, stretch.start);
  return absl::StrFormat("%s: %s from 0x%x%s%s", stretch.holder, size, stretch.start,
                         stretch.permissions.empty() ? "" : ", ", stretch.permissions);
}

// An address as a line across the strip; empty when it is not on it.
std::string Marker(const std::vector<Stretch>& stretches, uint64_t address, const char* css_class,
                   const std::string& label) {
  for (const Stretch& stretch : stretches) {
    if (address < stretch.start || address >= stretch.end) continue;
    const uint64_t x = stretch.from + OnScale(address - stretch.start, stretch.end - stretch.start,
                                              stretch.to - stretch.from);
    return absl::StrCat("<line class=\"", css_class, "\" x1=\"", x, "\" y1=\"-8\" x2=\"", x,
                        "\" y2=\"68\"><title>", HtmlText(label), "</title></line>");
  }
  return "";
}

std::string Strip(const proto::Run& run, const std::vector<Stretch>& stretches) {
  std::string drawing;
  for (const Stretch& stretch : stretches) {
    absl::StrAppend(&drawing, "<rect class=\"", StretchClass(stretch), "\" x=\"", stretch.from, "\" y=\"",
                    stretch.holder.empty() ? 22 : 0, "\" width=\"", stretch.to - stretch.from, "\" height=\"",
                    stretch.holder.empty() ? 16 : 60, "\"><title>", HtmlText(StretchWords(stretch)),
                    "</title></rect>");
  }
  const proto::Refusal& refusal = run.refusal();
  if (refusal.wanted_address() != 0) {
    absl::StrAppend(&drawing, Marker(stretches, refusal.wanted_address(), "wanted",
                                     absl::StrFormat("wanted 0x%x", refusal.wanted_address())));
  }
  if (refusal.obtained_address() != 0) {
    absl::StrAppend(&drawing, Marker(stretches, refusal.obtained_address(), "offered",
                                     absl::StrFormat("offered 0x%x", refusal.obtained_address())));
  }
  absl::StrAppend(&drawing, "<line class=\"limit\" x1=\"", kStripUnits, "\" y1=\"-8\" x2=\"", kStripUnits,
                  "\" y2=\"68\"><title>",
                  absl::StrFormat("end of the program's addresses, 0x%x", run.address_space().user_end()),
                  "</title></line>");
  return absl::StrCat(
      "<svg class=\"strip\" role=\"img\" viewBox=\"0 -10 ", kStripUnits,
      " 80\" preserveAspectRatio=\"none\" aria-label=\"address space of the run, from address 0 "
      "to the end; the table says the same\">",
      drawing, "</svg>\n");
}

// Ticks in words below the strip: both ends and what stands out.
std::string StripWords(const proto::Run& run) {
  const proto::Refusal& refusal = run.refusal();
  std::string text = absl::StrFormat(
      "<p class=\"strip-words\"><span>0x0</span><span>%s</span><span>0x%x</span></p>\n",
      refusal.wanted_address() == 0
          ? ""
          : absl::StrFormat("wanted 0x%x%s", refusal.wanted_address(),
                            refusal.obtained_address() == 0
                                ? ""
                                : absl::StrFormat(", offered 0x%x", refusal.obtained_address())),
      run.address_space().user_end());
  return text;
}

std::string PieceTable(const std::vector<Stretch>& stretches, const std::string& title) {
  HtmlTable table(title, "pieces");
  for (const char* name : {"from", "to"}) table.Column(name, Kind::kText);
  table.Column("size", Kind::kNumber);
  table.Column("permissions", Kind::kText);
  table.Column("who", Kind::kText);
  for (const Stretch& stretch : stretches) {
    table.Row({absl::StrFormat("0x%x", stretch.start), absl::StrFormat("0x%x", stretch.end),
               FormatBytes(stretch.end - stretch.start), HtmlText(stretch.permissions),
               stretch.holder.empty() ? "<i>gap</i>"
                                      : absl::StrCat("<i class=\"swatch ", StretchClass(stretch), "\"></i>",
                                                     HtmlText(stretch.holder))},
              stretch.holder.empty() ? "class=\"gap\"" : "");
  }
  return table.Markup();
}

std::string Picture(const proto::Report& report, int index) {
  const proto::Run& run = report.runs(index);
  const std::vector<Stretch> stretches = StretchesOf(run.address_space());
  std::vector<Stretch> strip = ByColor(stretches);
  PlaceOnStrip(&strip);
  const proto::Provenance provenance = ProvenanceOf(run, "peak_vsize_bytes");
  std::string text =
      absl::StrCat("<figure class=\"space\" id=\"space-", index + 1, "\"><figcaption><a href=\"#run-",
                   index + 1, "\">", HtmlText(RunTitle(report, index)), "</a>, <span class=\"verdict ",
                   OutcomeClass(run.outcome()), "\">", OutcomeWords(run.outcome()), "</span>, ",
                   HtmlText(run.address_space().when()), " ", FigureHtml("", provenance), "</figcaption>\n",
                   Strip(run, strip), StripWords(run), "<details><summary>as a table</summary>\n",
                   PieceTable(stretches, absl::StrCat("address space of run ", index + 1)), "</details>\n");
  if (run.address_space().left_out() != 0) {
    absl::StrAppend(&text, "<p class=\"left-out\">", FormatCount(run.address_space().left_out()),
                    " smaller pieces are not in the result.</p>\n");
  }
  return text + "</figure>\n";
}

constexpr char kLegend[] = R"html(<ul class="holders" aria-label="colours">
<li><i class="swatch hold-heap"></i>heap</li>
<li><i class="swatch hold-image"></i>files and memory of the image</li>
<li><i class="swatch hold-program"></i>mapped by the program</li>
<li><i class="swatch hold-stack"></i>stacks</li>
<li><i class="swatch hold-brk"></i>brk area</li>
<li><i class="swatch hold-squatters"></i>squatters</li>
<li><i class="swatch hold-kernel"></i>kernel pages</li>
<li><i class="swatch hold-gap"></i>gap</li>
</ul>
)html";

}  // namespace

std::string SpaceSection(const proto::Report& report) {
  size_t left_out = 0;
  std::string body;
  std::string survivors;
  size_t pieces = 0;
  for (const int run : ChooseRuns(
           report, [](const proto::Run& of) { return of.address_space().pieces_size() != 0; },
           kMaxRunDrawings, &left_out)) {
    pieces += static_cast<size_t>(report.runs(run).address_space().pieces_size());
    if (pieces > kMaxPieces) {
      ++left_out;
    } else {
      const bool survived = report.runs(run).outcome() == proto::SURVIVED;
      absl::StrAppend(survived ? &survivors : &body, Picture(report, run));
    }
  }
  if (!body.empty() && !survivors.empty()) {
    survivors =
        absl::StrCat("<details><summary>of runs that survived</summary>\n", survivors, "</details>\n");
  }
  body += survivors;
  if (body.empty() && left_out == 0) return "";
  return SectionHtml(
      "space", "Who sits where",
      "From address 0 on the left to the last one that a program can have, the upright line on the right. "
      "Widths grow with the logarithm of the size; the order is true. A dotted line is where the refused "
      "request wanted to be.",
      absl::StrCat(kLegend, body, LeftOutHtml(left_out, "address spaces")));
}

}  // namespace reheap
