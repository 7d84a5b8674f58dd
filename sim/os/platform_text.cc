#include "sim/os/platform_text.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "sim/textproto/nearest_field.h"

namespace reheap {
namespace {

namespace pb = google::protobuf;
using Locations = pb::TextFormat::ParseInfoTree;

// Keeps the first parse error.
class FirstError final : public pb::io::ErrorCollector {
 public:
  explicit FirstError(std::string_view file) : file_(file) {}
  void AddError(int line, int, const std::string& message) override {
    if (!text_.empty()) return;
    text_ = absl::StrCat(std::string(file_), ":", std::max(line, 0) + 1, ": ", message,
                         NearestField(message, proto::Platform::descriptor()));
  }
  const std::string& text() const { return text_; }

 private:
  std::string_view file_;
  std::string text_;
};

std::string Joined(const std::string& path, const std::string& name) {
  return path.empty() ? name : absl::StrCat(path, ".", name);
}

// Lays the rules that `from` gives over those of `onto`: a rule as a whole with its source, a group rule by
// rule.
class Overlay {
 public:
  Overlay(RuleOrigin origin, PlatformText* onto) : origin_(std::move(origin)), onto_(onto) {}

  // `line` is where `from` begins.
  void Apply(const pb::Message& from, const Locations* locations, const std::string& path, int line,
             pb::Message* to) {
    Note(path, line);
    const pb::Reflection& reflection = *from.GetReflection();
    for (int i = 0; i < from.GetDescriptor()->field_count(); ++i) {
      const pb::FieldDescriptor* field = from.GetDescriptor()->field(i);
      if (field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE || field->is_repeated() ||
          !reflection.HasField(from, field)) {
        continue;
      }
      const int start = locations == nullptr ? line : locations->GetLocation(field, -1).line + 1;
      const Locations* inner = locations == nullptr ? nullptr : locations->GetTreeForNested(field, -1);
      const pb::Message& part = reflection.GetMessage(from, field);
      pb::Message* whole = reflection.MutableMessage(to, field);
      if (part.GetDescriptor()->FindFieldByName("source") != nullptr) {
        whole->CopyFrom(part);
        Note(Joined(path, field->name()), start);
      } else {
        Apply(part, inner, Joined(path, field->name()), start, whole);
      }
    }
  }

 private:
  void Note(const std::string& path, int line) {
    RuleOrigin& origin = onto_->origins[path];
    origin = origin_;
    origin.line = line;
  }

  const RuleOrigin origin_;
  PlatformText* onto_;
};

// Takes the optional rule or group at `path` away; false when there is none.
bool Remove(const std::string& path, PlatformText* text) {
  pb::Message* message = &text->rules;
  for (std::string_view rest = path;;) {
    const size_t dot = rest.find('.');
    const pb::FieldDescriptor* field =
        message->GetDescriptor()->FindFieldByName(std::string(rest.substr(0, dot)));
    if (field == nullptr || field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE ||
        field->is_repeated() || !message->GetReflection()->HasField(*message, field)) {
      return false;
    }
    if (dot != std::string_view::npos) {
      message = message->GetReflection()->MutableMessage(message, field);
      rest.remove_prefix(dot + 1);
      continue;
    }
    if (!field->has_optional_keyword()) return false;
    message->GetReflection()->ClearField(message, field);
    return true;
  }
}

int LineOf(const Locations& locations, const char* field, int index = -1) {
  const pb::FieldDescriptor* descriptor = proto::Platform::descriptor()->FindFieldByName(field);
  return std::max(locations.GetLocation(descriptor, index).line, 0) + 1;
}

std::string NameOf(std::string_view name) { return std::string(name.substr(0, name.find('@'))); }
std::string ReleaseOf(std::string_view name) {
  const size_t at = name.find('@');
  return at == std::string_view::npos ? "" : std::string(name.substr(at + 1));
}

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

std::string At(const RuleOrigin& origin) { return absl::StrCat(origin.file, ":", origin.line, ": "); }

const RuleOrigin& PlatformText::OriginOf(std::string path) const {
  for (;;) {
    const auto found = origins.find(path);
    if (found != origins.end()) return found->second;
    const size_t dot = path.rfind('.');
    path.resize(dot == std::string::npos ? 0 : dot);  // "" is always there
  }
}

struct PlatformTexts::File {
  std::string file;
  proto::Platform message;
  Locations locations;

  absl::Status Error(const char* field, int index, const std::string& what) const {
    return absl::InvalidArgumentError(At({file, LineOf(locations, field, index), ""}) + what);
  }
  // What a release may say, and say once.
  absl::Status CheckReleases() const {
    std::vector<std::string> names;
    for (int i = 0; i < message.release_size(); ++i) {
      const proto::Platform& release = message.release(i);
      if (release.name().empty()) return Error("release", i, "release has no name");
      if (Contains(names, release.name())) {
        return Error("release", i, absl::StrCat("release '", release.name(), "' is named twice"));
      }
      if (!release.based_on().empty() || !release.as_of().empty() ||
          release.release_size() + release.alias_size()) {
        return Error("release", i,
                     "a release has a name, a summary and rules; based_on, as_of, alias and release belong "
                     "to the platform");
      }
      names.push_back(release.name());
    }
    return absl::OkStatus();
  }
  absl::Status ApplyRelease(const std::string& release, PlatformText* onto) const {
    const pb::FieldDescriptor* list = proto::Platform::descriptor()->FindFieldByName("release");
    for (int i = 0; i < message.release_size(); ++i) {
      if (message.release(i).name() != release) continue;
      return Apply(message.release(i), locations.GetTreeForNested(list, i), LineOf(locations, "release", i),
                   absl::StrCat(message.name(), "@", release), onto);
    }
    return absl::OkStatus();  // only the base changed
  }
  absl::Status Apply(const proto::Platform& part, const Locations* part_locations, int line,
                     const std::string& platform, PlatformText* onto) const {
    Overlay({file, line, platform}, onto).Apply(part, part_locations, "", line, &onto->rules);
    if (!part.summary().empty()) onto->rules.set_summary(part.summary());
    for (const std::string& path : part.without()) {
      if (!Remove(path, onto)) {
        return absl::InvalidArgumentError(
            At({file, line, ""}) +
            absl::StrCat("without: there is no optional rule '", path, "' to leave out"));
      }
    }
    return absl::OkStatus();
  }
};

PlatformTexts::PlatformTexts() = default;
PlatformTexts::PlatformTexts(PlatformTexts&&) noexcept = default;
PlatformTexts& PlatformTexts::operator=(PlatformTexts&&) noexcept = default;
PlatformTexts::~PlatformTexts() = default;

absl::StatusOr<std::string> PlatformTexts::Add(std::string_view text, std::string_view file) {
  auto parsed = std::make_unique<File>();
  parsed->file = file;
  FirstError error(file);
  pb::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.WriteLocationsTo(&parsed->locations);
  if (!parser.ParseFromString(std::string(text), &parsed->message)) {
    return absl::InvalidArgumentError(error.text());
  }
  const std::string name = parsed->message.name();
  if (name.empty()) return absl::InvalidArgumentError(At({parsed->file, 1, ""}) + "name is missing");
  if (name.find('@') != std::string::npos) {
    return parsed->Error("name", -1, "name: '@' separates a name from a release");
  }
  if (absl::Status status = parsed->CheckReleases(); !status.ok()) return status;
  std::erase_if(files_, [&name](const auto& other) { return other->message.name() == name; });
  files_.push_back(std::move(parsed));
  return name;
}

const PlatformTexts::File* PlatformTexts::Find(std::string_view name) const {
  for (const auto& file : files_) {
    if (file->message.name() == name) return file.get();
  }
  return nullptr;
}

std::vector<std::string> PlatformTexts::Names() const {
  std::vector<std::string> names;
  for (const auto& file : files_) names.push_back(file->message.name());
  std::sort(names.begin(), names.end());
  return names;
}

// The file that `file` is based on; null = none. `chain` ends with `file`.
absl::StatusOr<const PlatformTexts::File*> PlatformTexts::BaseOf(const File& file, const Chain& chain) const {
  const std::string& wanted = file.message.based_on();
  if (wanted.empty()) return nullptr;
  const File* base = Find(NameOf(wanted));
  if (base == nullptr) {
    return file.Error("based_on", -1, absl::StrCat("based_on: no platform is called '", NameOf(wanted), "'"));
  }
  if (std::find(chain.begin(), chain.end(), base) != chain.end()) {
    std::vector<std::string> names;
    for (const File* link : chain) names.push_back(link->message.name());
    names.push_back(base->message.name());
    return file.Error("based_on", -1,
                      "based_on: a platform is based on itself: " + absl::StrJoin(names, " <- "));
  }
  return base;
}

absl::StatusOr<std::string> PlatformTexts::NewestRelease(const File& file, Chain chain) const {
  if (!file.message.as_of().empty()) return file.message.as_of();
  if (std::string pinned = ReleaseOf(file.message.based_on()); !pinned.empty()) return pinned;
  chain.push_back(&file);
  const absl::StatusOr<const File*> base = BaseOf(file, chain);
  if (!base.ok()) return base.status();
  return *base == nullptr ? std::string() : NewestRelease(**base, chain);
}

// In order: those of the base, then those that only this file knows.
absl::StatusOr<std::vector<std::string>> PlatformTexts::OlderReleases(const File& file, Chain chain) const {
  std::vector<std::string> names;
  chain.push_back(&file);
  const absl::StatusOr<const File*> base = BaseOf(file, chain);
  if (!base.ok()) return base.status();
  if (*base != nullptr && ReleaseOf(file.message.based_on()).empty()) {
    absl::StatusOr<std::vector<std::string>> inherited = OlderReleases(**base, chain);
    if (!inherited.ok()) return inherited;
    names = *std::move(inherited);
  }
  for (const proto::Platform& release : file.message.release()) {
    if (!Contains(names, release.name())) names.push_back(release.name());
  }
  return names;
}

absl::StatusOr<std::vector<std::string>> PlatformTexts::ReleasesOf(std::string_view name) const {
  const File* file = Find(name);
  if (file == nullptr)
    return absl::NotFoundError(absl::StrCat("no platform is called '", std::string(name), "'"));
  absl::StatusOr<std::string> newest = NewestRelease(*file, {});
  if (!newest.ok()) return newest.status();
  absl::StatusOr<std::vector<std::string>> names = OlderReleases(*file, {});
  if (names.ok() && !newest->empty()) names->insert(names->begin(), *newest);
  return names;
}

absl::StatusOr<PlatformText> PlatformTexts::ResolveFile(const File& file, const std::string& release,
                                                        Chain chain) const {
  const absl::StatusOr<std::vector<std::string>> order = OlderReleases(file, chain);
  if (!order.ok()) return order.status();
  const absl::StatusOr<std::string> newest = NewestRelease(file, chain);
  if (!newest.ok()) return newest.status();
  for (int i = 0; i < file.message.release_size(); ++i) {
    if (file.message.release(i).name() != *newest) continue;
    return file.Error("release", i,
                      absl::StrCat("release '", *newest, "' is what the file's own values are"));
  }
  chain.push_back(&file);
  const absl::StatusOr<const File*> base = BaseOf(file, chain);
  if (!base.ok()) return base.status();
  PlatformText text;
  if (*base != nullptr) {
    const std::string pinned = ReleaseOf(file.message.based_on());
    const absl::StatusOr<std::vector<std::string>> known = ReleasesOf(NameOf(file.message.based_on()));
    if (!known.ok()) return known.status();
    if (!pinned.empty() && !Contains(*known, pinned)) {
      return file.Error("based_on", -1,
                        absl::StrCat("based_on: ", NameOf(file.message.based_on()), " has no release '",
                                     pinned, "'; it has ", absl::StrJoin(*known, ", ")));
    }
    const absl::StatusOr<std::vector<std::string>> older = OlderReleases(**base, chain);
    if (!older.ok()) return older.status();
    const std::string& of_base = pinned.empty() ? release : pinned;
    absl::StatusOr<PlatformText> below = ResolveFile(**base, Contains(*older, of_base) ? of_base : "", chain);
    if (!below.ok()) return below;
    text = *std::move(below);
  }
  const std::string& name = file.message.name();
  absl::Status status = file.Apply(file.message, &file.locations, 1, name, &text);
  // A release is the file's own values and every change up to it.
  for (size_t i = 0; i < order->size() && !release.empty() && status.ok(); ++i) {
    status = file.ApplyRelease((*order)[i], &text);
    if ((*order)[i] == release) break;
  }
  if (!status.ok()) return status;
  text.rules.set_name(release.empty() ? name : absl::StrCat(name, "@", release));
  text.rules.mutable_alias()->Clear();
  if (release.empty()) *text.rules.mutable_alias() = file.message.alias();
  return text;
}

absl::StatusOr<PlatformText> PlatformTexts::Resolve(std::string_view name) const {
  const File* file = Find(NameOf(name));
  if (file == nullptr) return absl::NotFoundError(absl::StrCat("no platform is called '", NameOf(name), "'"));
  const absl::StatusOr<std::vector<std::string>> releases = ReleasesOf(NameOf(name));
  if (!releases.ok()) return releases.status();
  const std::string release = ReleaseOf(name);
  if (!release.empty() && !Contains(*releases, release)) {
    return absl::NotFoundError(absl::StrCat(NameOf(name), " has no release '", release, "'",
                                            releases->empty() ? "" : "; it has ",
                                            absl::StrJoin(*releases, ", ")));
  }
  const absl::StatusOr<std::string> newest = NewestRelease(*file, {});
  if (!newest.ok()) return newest.status();
  absl::StatusOr<PlatformText> text = ResolveFile(*file, release == *newest ? "" : release, {});
  if (text.ok()) text->rules.set_as_of(release.empty() ? *newest : release);
  return text;
}

}  // namespace reheap
