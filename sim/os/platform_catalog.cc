#include "sim/os/platform_catalog.h"

#include <algorithm>
#include <utility>

#include "alloc/check.h"
#include "sim/os/platform_checker.h"
#include "sim/os/platform_files.h"
#include "sim/os/platform_reader.h"
#include "sim/os/platform_text.h"

namespace reheap {
namespace {

absl::StatusOr<PlatformTexts> EmbeddedTexts() {
  PlatformTexts texts;
  for (const EmbeddedFile& file : PlatformFiles()) {
    if (const auto name = texts.Add(file.contents, file.name); !name.ok()) return name.status();
  }
  return texts;
}

absl::StatusOr<Platform> Make(const PlatformTexts& texts, const std::string& name) {
  const absl::StatusOr<PlatformText> text = texts.Resolve(name);
  if (!text.ok()) return text.status();
  std::vector<std::string> sources;
  if (absl::Status status = CheckPlatform(*text, &sources); !status.ok()) return status;
  Platform platform = ReadPlatform(text->rules);
  platform.sources = std::move(sources);
  return platform;
}

}  // namespace

absl::StatusOr<Platform> ParsePlatform(std::string_view text, std::string_view file) {
  absl::StatusOr<PlatformTexts> texts = EmbeddedTexts();
  if (!texts.ok()) return texts.status();
  const absl::StatusOr<std::string> name = texts->Add(text, file);
  if (!name.ok()) return name.status();
  const absl::StatusOr<std::vector<std::string>> releases = texts->ReleasesOf(*name);
  if (!releases.ok()) return releases.status();
  for (const std::string& release : *releases) {
    const absl::StatusOr<Platform> older = Make(*texts, *name + "@" + release);
    if (!older.ok()) return older.status();
  }
  return Make(*texts, *name);
}

absl::StatusOr<PlatformCatalog> PlatformCatalog::Load() {
  const absl::StatusOr<PlatformTexts> texts = EmbeddedTexts();
  if (!texts.ok()) return texts.status();
  PlatformCatalog catalog;
  for (const std::string& name : texts->Names()) {
    absl::StatusOr<Platform> platform = Make(*texts, name);
    if (!platform.ok()) return platform.status();
    absl::StatusOr<std::vector<std::string>> releases = texts->ReleasesOf(name);
    if (!releases.ok()) return releases.status();
    Entry entry{std::make_unique<const Platform>(*std::move(platform)), {}, *std::move(releases)};
    for (const std::string& release : entry.releases) {
      if (release == entry.own->release) continue;
      absl::StatusOr<Platform> older = Make(*texts, name + "@" + release);
      if (!older.ok()) return older.status();
      entry.older.push_back(std::make_unique<const Platform>(*std::move(older)));
    }
    catalog.entries_.push_back(std::move(entry));
  }
  return catalog;
}

const PlatformCatalog::Entry* PlatformCatalog::FindEntry(std::string_view name) const {
  for (const Entry& entry : entries_) {
    const auto& aliases = entry.own->aliases;
    if (entry.own->name == name || std::find(aliases.begin(), aliases.end(), name) != aliases.end()) {
      return &entry;
    }
  }
  return nullptr;
}

const Platform* PlatformCatalog::Find(std::string_view name) const {
  const size_t at = name.find('@');
  const Entry* entry = FindEntry(name.substr(0, at));
  if (entry == nullptr || at == std::string_view::npos) return entry == nullptr ? nullptr : entry->own.get();
  const std::string_view release = name.substr(at + 1);
  if (!release.empty() && release == entry->own->release) return entry->own.get();
  for (const auto& older : entry->older) {
    if (older->release == release) return older.get();
  }
  return nullptr;
}

std::vector<std::string> PlatformCatalog::Names() const {
  std::vector<std::string> names;
  for (const Entry& entry : entries_) names.push_back(entry.own->name);
  return names;
}

std::vector<std::string> PlatformCatalog::ReleasesOf(std::string_view name) const {
  const Entry* entry = FindEntry(name.substr(0, name.find('@')));
  return entry == nullptr ? std::vector<std::string>() : entry->releases;
}

const PlatformCatalog& Platforms() {
  static const PlatformCatalog* const catalog = [] {
    absl::StatusOr<PlatformCatalog> loaded = PlatformCatalog::Load();
    if (!loaded.ok()) internal::CheckFailed(__FILE__, __LINE__, loaded.status().ToString().c_str());
    return new PlatformCatalog(*std::move(loaded));
  }();
  return *catalog;
}

}  // namespace reheap
