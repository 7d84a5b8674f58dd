#include "sim/os/platform_catalog.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "alloc/check.h"
#include "sim/os/platform_checker.h"
#include "sim/os/platform_reader.h"
#include "sim/os/platform_source.h"
#include "sim/os/platform_text.h"

namespace reheap {
namespace {

absl::StatusOr<Platform> Make(const PlatformTexts& texts, const std::string& name) {
  const absl::StatusOr<PlatformText> text = texts.Resolve(name);
  if (!text.ok()) return text.status();
  std::vector<std::string> sources;
  if (absl::Status status = CheckPlatform(*text, &sources); !status.ok()) return status;
  Platform platform = ReadPlatform(text->rules);
  platform.sources = std::move(sources);
  return platform;
}

absl::StatusOr<Platform> MakeChecked(const UserPlatformTexts& user) {
  const absl::StatusOr<std::vector<std::string>> releases = user.texts.ReleasesOf(user.name);
  if (!releases.ok()) return releases.status();
  for (const std::string& release : *releases) {
    const absl::StatusOr<Platform> older = Make(user.texts, user.name + "@" + release);
    if (!older.ok()) return older.status();
  }
  return Make(user.texts, user.name);
}

}  // namespace

absl::StatusOr<Platform> ParsePlatform(std::string_view text, std::string_view file) {
  const absl::StatusOr<UserPlatformTexts> user = WithPlatformText(text, file);
  if (!user.ok()) return user.status();
  return MakeChecked(*user);
}

absl::StatusOr<const Platform*> FindPlatform(std::string_view name_or_path) {
  if (!IsPlatformPath(name_or_path)) {
    const Platform* found = Platforms().Find(name_or_path);
    if (found != nullptr) return found;
    return absl::NotFoundError(absl::StrCat("platform '", std::string(name_or_path), "' is not known"));
  }
  static absl::Mutex mutex;
  static auto* const loaded = new std::map<std::string, std::unique_ptr<const Platform>, std::less<>>();
  absl::MutexLock lock(&mutex);
  if (const auto it = loaded->find(name_or_path); it != loaded->end()) return it->second.get();
  const absl::StatusOr<UserPlatformTexts> user = WithPlatformFile(std::string(name_or_path));
  if (!user.ok()) return user.status();
  absl::StatusOr<Platform> platform = MakeChecked(*user);
  if (!platform.ok()) return platform.status();
  auto& kept = (*loaded)[std::string(name_or_path)];
  kept = std::make_unique<const Platform>(*std::move(platform));
  return kept.get();
}

absl::StatusOr<PlatformCatalog> PlatformCatalog::Load() {
  const absl::StatusOr<PlatformTexts> texts = EmbeddedPlatformTexts();
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
