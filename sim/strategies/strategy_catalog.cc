#include "sim/strategies/strategy_catalog.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "sim/strategies/strategy_files.h"
#include "sim/strategies/strategy_resolver.h"

namespace reheap {

namespace {

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
  auto source = StrategySource::Parse(text, file, &result.text);
  if (!source.ok()) return source.status();
  result.source = *std::move(source);
  absl::StatusOr<ReservationStrategy> plan = ResolveStrategy(result, StrategyEnvironment());
  if (!plan.ok()) return plan.status();
  result.strategy = *std::move(plan);
  return result;
}

}  // namespace reheap
