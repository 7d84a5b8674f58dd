#include "sim/strategies/strategy_catalog.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "sim/strategies/strategy_checks.h"
#include "sim/strategies/strategy_files.h"

namespace reheap {

namespace {

// Keeps protobuf's messages, which it would else print.
class SyntaxErrors final : public google::protobuf::io::ErrorCollector {
 public:
  explicit SyntaxErrors(absl::string_view file) : file_(file) {}

  // Lines count from 0 here; -1 = no line.
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    errors_.push_back(line < 0 ? absl::StrFormat("%s: %s", file_, message)
                               : absl::StrFormat("%s:%d:%d: %s", file_, line + 1, column + 1, message));
  }
  const std::vector<std::string>& errors() const { return errors_; }

 private:
  std::string file_;
  std::vector<std::string> errors_;
};

Firmness FromProto(proto::StrategyFirmness firmness) {
  switch (firmness) {
    case proto::RESERVE:
      return Firmness::kReserve;
    case proto::PRETEND:
      return Firmness::kPretend;
    case proto::PER_CHUNK:
      return Firmness::kPerChunk;
    default:
      return Firmness::kNothing;
  }
}

OnConflict FromProto(proto::StrategyOnConflict on_conflict) {
  switch (on_conflict) {
    case proto::NEXT_HINT:
      return OnConflict::kNextHint;
    case proto::DIE:
      return OnConflict::kDie;
    default:
      return OnConflict::kRelocate;
  }
}

PageMapKind FromProto(proto::StrategyPageMap kind) {
  switch (kind) {
    case proto::FLAT_INDEX:
      return PageMapKind::kFlatIndex;
    case proto::RADIX2:
      return PageMapKind::kRadix2;
    case proto::RADIX3:
      return PageMapKind::kRadix3;
    case proto::SPARSE_ARENAS:
      return PageMapKind::kSparseArenas;
    default:
      return PageMapKind::kFlat;
  }
}

TablePlace FromProto(proto::StrategyTablePlace place) {
  switch (place) {
    case proto::IMAGE_BSS:
      return TablePlace::kImageBss;
    case proto::IN_RESERVATION:
      return TablePlace::kInReservation;
    default:
      return TablePlace::kMapped;
  }
}

HintList FromProto(const proto::Strategy::Hints& text) {
  HintList hints;
  hints.base = Addr(text.base());
  hints.stride_bytes = text.stride_bytes();
  hints.count = text.count();
  hints.after_image = text.after_image();
  hints.image_align_bytes = text.image_align_bytes();
  return hints;
}

// Preconditions: StrategyChecks found nothing, so that each enum has a value.
ReservationStrategy FromProto(const proto::Strategy& text) {
  ReservationStrategy s;
  s.name = text.name();
  s.provenance = absl::StrJoin(text.source(), "; ");
  s.word_bits = static_cast<int>(text.word_bits());

  const auto& r = text.reservation();
  s.firmness = FromProto(r.firmness());
  s.heap_bytes = r.heap_bytes();
  s.reserve_chunk_bytes = r.reserve_chunk_bytes();
  s.hints = FromProto(r.hints());
  s.on_conflict = FromProto(r.on_conflict());
  s.on_refusal = r.on_refusal() == proto::RETURN_NULL ? OnRefusal::kReturnNull : OnRefusal::kDie;
  s.commit_method = r.commit_method() == proto::PROTECT ? CommitMethod::kProtect : CommitMethod::kMapFixed;
  s.access = r.access() == proto::READ_WRITE_EXECUTE ? Access::kReadWriteExecute : Access::kReadWrite;
  s.window_bytes = r.window_bytes();

  s.grow_min_bytes = text.growth().min_bytes();
  s.grow_round_bytes = text.growth().round_bytes();
  s.grow_retry_exact = text.growth().retry_exact();
  s.startup_heap_bytes = text.growth().startup_heap_bytes();

  const auto& tables = text.tables();
  s.heap_page_shift = static_cast<uint32_t>(std::countr_zero(tables.heap_page_bytes()));
  s.page_map = FromProto(tables.page_map());
  s.page_map_place = FromProto(tables.page_map_place());
  s.bitmap_bits_per_word = tables.bitmap_bits_per_word();
  s.bitmap_bytes = tables.bitmap_bytes();
  s.bitmap_chunk_bytes = tables.bitmap_chunk_bytes();
  s.metadata_chunk_bytes = tables.metadata_chunk_bytes();
  return s;
}

// "go-2010-radix.textproto" -> "go-2010-radix"
std::string NameOf(const EmbeddedFile& file) {
  return std::string(absl::StripSuffix(absl::string_view(file.name.data(), file.name.size()), ".textproto"));
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  if (stream) text << stream.rdbuf();
  if (!stream) return absl::NotFoundError(absl::StrCat(path, ": cannot read it: ", std::strerror(errno)));
  return std::move(text).str();
}

}  // namespace

std::vector<std::string> StrategyNames() {
  std::vector<std::string> names;
  for (const EmbeddedFile& file : StrategyFiles()) names.push_back(NameOf(file));
  std::sort(names.begin(), names.end());
  return names;
}

bool IsStrategyPath(absl::string_view name_or_path) {
  return absl::StrContains(name_or_path, '/') || absl::EndsWith(name_or_path, ".textproto");
}

absl::StatusOr<CatalogStrategy> LoadStrategy(absl::string_view name_or_path) {
  if (IsStrategyPath(name_or_path)) {
    absl::StatusOr<std::string> text = ReadFile(std::string(name_or_path));
    if (!text.ok()) return text.status();
    return ParseStrategy(*text, name_or_path);
  }
  for (const EmbeddedFile& file : StrategyFiles()) {
    if (NameOf(file) != name_or_path) continue;
    return ParseStrategy(absl::string_view(file.contents.data(), file.contents.size()),
                         absl::StrCat("sim/strategies/", NameOf(file), ".textproto"));
  }
  return absl::NotFoundError(absl::StrFormat("no strategy is called '%s'", name_or_path));
}

absl::StatusOr<CatalogStrategy> ParseStrategy(absl::string_view text, absl::string_view file) {
  CatalogStrategy result;
  result.file = std::string(file);
  SyntaxErrors syntax_errors(file);
  google::protobuf::TextFormat::ParseInfoTree tree;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&syntax_errors);
  parser.WriteLocationsTo(&tree);
  if (!parser.ParseFromString(std::string(text), &result.text)) {
    return absl::InvalidArgumentError(absl::StrJoin(syntax_errors.errors(), "\n"));
  }
  const std::vector<std::string> violations = StrategyChecks(result.text, tree, file).Run();
  if (!violations.empty()) return absl::InvalidArgumentError(absl::StrJoin(violations, "\n"));
  result.strategy = FromProto(result.text);
  return result;
}

}  // namespace reheap
