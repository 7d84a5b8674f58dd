#include "sim/os/platform_catalog.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "alloc/check.h"
#include "proto/platform.pb.h"
#include "sim/os/maps_text.h"
#include "sim/os/platform_files.h"

namespace reheap {
namespace {

namespace pb = google::protobuf;

std::string At(std::string_view file, int line) {  // counted from 0, as protobuf does
  return std::string(file) + ":" + std::to_string(line + 1) + ": ";
}

// Keeps the first parse error.
class FirstError final : public pb::io::ErrorCollector {
 public:
  explicit FirstError(std::string_view file) : file_(file) {}
  void AddError(int line, int, const std::string& message) override {
    if (text_.empty()) text_ = At(file_, line) + message;
  }
  const std::string& text() const { return text_; }

 private:
  std::string_view file_;
  std::string text_;
};

// Walks the whole schema beside the message: each rule must be there, and say where it comes from.
class RuleChecker {
 public:
  RuleChecker(std::string_view file, std::vector<std::string>* sources) : file_(file), sources_(sources) {}

  // `line` is where the message begins.
  absl::Status Check(const pb::Message& message, const pb::TextFormat::ParseInfoTree* tree,
                     const std::string& path, int line) {
    const pb::Descriptor& type = *message.GetDescriptor();
    const pb::Reflection& reflection = *message.GetReflection();
    if (const pb::FieldDescriptor* source = type.FindFieldByName("source")) {
      const std::string text = reflection.GetString(message, source);
      if (text.empty()) return Missing(line, path + " has no source");
      sources_->push_back(path + ": " + text);
    }
    for (int i = 0; i < type.field_count(); ++i) {
      const pb::FieldDescriptor& field = *type.field(i);
      const std::string name = path.empty() ? field.name() : path + "." + field.name();
      if (field.cpp_type() == pb::FieldDescriptor::CPPTYPE_ENUM &&
          reflection.GetEnumValue(message, &field) == 0) {
        return Missing(line, path + " has no value");
      }
      if (field.cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) continue;
      if (field.is_repeated()) {
        for (int k = 0; k < reflection.FieldSize(message, &field); ++k) {
          const auto* inner = tree == nullptr ? nullptr : tree->GetTreeForNested(&field, k);
          const absl::Status status = Check(reflection.GetRepeatedMessage(message, &field, k), inner, name, line);
          if (!status.ok()) return status;
        }
        continue;
      }
      if (!reflection.HasField(message, &field)) {
        if (IsOptional(name)) continue;
        return Missing(line, name + " is missing");
      }
      const int start = tree == nullptr ? line : tree->GetLocation(&field, -1).line;
      const auto* inner = tree == nullptr ? nullptr : tree->GetTreeForNested(&field, -1);
      const absl::Status status = Check(reflection.GetMessage(message, &field), inner, name, start);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  // Groups of rules that a platform may do without as a whole.
  static bool IsOptional(const std::string& name) { return name == "pages" || name == "advice"; }
  absl::Status Missing(int line, const std::string& what) const {
    return absl::InvalidArgumentError(At(file_, std::max(line, 0)) + what);
  }

  std::string_view file_;
  std::vector<std::string>* sources_;
};

// The C++ enums have the schema's numbers.
template <class Enum, class Rule>
void Copy(const Rule& rule, Enum* to) {
  *to = static_cast<Enum>(rule.value());
}
void Copy(const proto::Number& rule, uint64_t* to) { *to = rule.value(); }
void Copy(const proto::Switch& rule, bool* to) { *to = rule.value(); }

void CopyMachine(const proto::Platform::Machine& from, Platform::Machine* to) {
  to->word_bits = static_cast<int>(from.word_bits().value());
  Copy(from.os_page_bytes(), &to->os_page_bytes);
  Copy(from.granularity_bytes(), &to->granularity_bytes);
  Copy(from.user_start(), &to->user_start);
  Copy(from.user_end(), &to->user_end);
  Copy(from.calls(), &to->calls);
  const proto::CallBits& bits = from.bits();
  to->bits.map_shared = static_cast<int>(bits.map_shared());
  to->bits.map_private = static_cast<int>(bits.map_private());
  to->bits.map_fixed = static_cast<int>(bits.map_fixed());
  to->bits.map_anonymous = static_cast<int>(bits.map_anonymous());
  to->bits.map_no_reserve = static_cast<int>(bits.map_no_reserve());
  to->bits.map_no_replace = static_cast<int>(bits.map_no_replace());
  to->bits.advice_discard = static_cast<int>(bits.advice_discard());
  to->bits.map_locked = static_cast<int>(bits.map_locked());
  to->bits.map_populate = static_cast<int>(bits.map_populate());
  const proto::ErrorNumbers& errors = from.errors();
  to->errors.invalid_argument = static_cast<int>(errors.invalid_argument());
  to->errors.out_of_memory = static_cast<int>(errors.out_of_memory());
  to->errors.address_taken = static_cast<int>(errors.address_taken());
  to->errors.commit_limit = static_cast<int>(errors.commit_limit());
  to->errors.out_of_range = static_cast<int>(errors.out_of_range());
  to->errors.try_again = static_cast<int>(errors.try_again());
  to->errors.not_permitted = static_cast<int>(errors.not_permitted());
  to->errors.no_access = static_cast<int>(errors.no_access());
  to->errors.bad_address = static_cast<int>(errors.bad_address());
  to->errors.not_supported = static_cast<int>(errors.not_supported());
}

void CopyPlacement(const proto::Platform::Placement& from, Platform::Placement* to) {
  Copy(from.direction(), &to->direction);
  Copy(from.base(), &to->base);
  Copy(from.base_bytes(), &to->base_bytes);
  Copy(from.fallback_base(), &to->fallback_base);
  Copy(from.hint(), &to->hint);
  Copy(from.hint_rounding(), &to->hint_rounding);
  Copy(from.hint_floor(), &to->hint_floor);
  Copy(from.hint_in_data_ignored(), &to->hint_in_data_ignored);
  Copy(from.huge_alignment_bytes(), &to->huge_alignment_bytes);
  Copy(from.stack_guard_bytes(), &to->stack_guard_bytes);
}

void CopyLimits(const proto::Platform::Limits& from, Platform::Limits* to) {
  Copy(from.address(), &to->address);
  Copy(from.data(), &to->data);
  Copy(from.commit_charge(), &to->commit_charge);
  Copy(from.commit_refusal(), &to->commit_refusal);
  Copy(from.protect_uncharges_unwritten(), &to->protect_uncharges_unwritten);
  Copy(from.max_mappings(), &to->max_mappings);
  Copy(from.default_stack_bytes(), &to->default_stack_bytes);
}

void CopyMappings(const proto::Platform::Mappings& from, Platform::Mappings* to) {
  Copy(from.merge(), &to->merge);
  Copy(from.written_joins_unwritten(), &to->written_joins_unwritten);
  Copy(from.replace(), &to->replace);
  Copy(from.hole(), &to->hole);
  Copy(from.unaligned(), &to->unaligned);
  Copy(from.discard(), &to->discard);
  Copy(from.stack_grows_on_access(), &to->stack_grows_on_access);
}

void CopyPages(const proto::Platform& from, Platform* to) {
  if (from.has_pages()) {
    Copy(from.pages().table_levels(), &to->pages.table_levels);
    Copy(from.pages().huge_page_bytes(), &to->pages.huge_page_bytes);
    Copy(from.pages().fault_around_bytes(), &to->pages.fault_around_bytes);
    Copy(from.pages().zero_page(), &to->pages.zero_page);
    Copy(from.pages().discard_frees_tables(), &to->pages.discard_frees_tables);
    Copy(from.pages().huge_zero_write_is_huge(), &to->pages.huge_zero_write_is_huge);
  }
  for (const proto::Advice::Word& word : from.advice().word()) {
    to->advice.push_back({static_cast<int>(word.number()), static_cast<AdviceMeaning>(word.meaning())});
  }
}

// What the rules must fulfil together.
std::string Contradiction(const Platform& p) {
  const auto power_of_two = [](uint64_t n) { return n != 0 && (n & (n - 1)) == 0; };
  if (p.name.empty()) return "name is missing";
  if (p.machine.word_bits != 32 && p.machine.word_bits != 64) return "machine.word_bits is neither 32 nor 64";
  if (!power_of_two(p.machine.os_page_bytes)) return "machine.os_page_bytes is not a power of two";
  if (!power_of_two(p.machine.granularity_bytes) || p.machine.granularity_bytes < p.machine.os_page_bytes) {
    return "machine.granularity_bytes is not a power of two of at least machine.os_page_bytes";
  }
  if (p.machine.user_start >= p.machine.user_end) return "machine.user_start is not below machine.user_end";
  if (p.placement.direction == Direction::kTopDown && p.placement.fallback_base == 0) {
    return "placement.fallback_base is 0, which a top-down search cannot use";
  }
  const auto& pages = p.pages;
  if (pages.table_levels > 4) return "pages.table_levels is above 4";
  if (pages.huge_page_bytes != 0 &&
      (!power_of_two(pages.huge_page_bytes) || pages.huge_page_bytes < p.machine.os_page_bytes)) {
    return "pages.huge_page_bytes is not a power of two of at least machine.os_page_bytes";
  }
  if (pages.fault_around_bytes != 0 && !power_of_two(pages.fault_around_bytes)) {
    return "pages.fault_around_bytes is not a power of two";
  }
  return "";
}

}  // namespace

absl::StatusOr<Platform> ParsePlatform(std::string_view text, std::string_view file) {
  proto::Platform message;
  FirstError error(file);
  pb::TextFormat::ParseInfoTree tree;
  pb::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.WriteLocationsTo(&tree);
  if (!parser.ParseFromString(std::string(text), &message)) return absl::InvalidArgumentError(error.text());

  Platform platform;
  const absl::Status status = RuleChecker(file, &platform.sources).Check(message, &tree, "", 0);
  if (!status.ok()) return status;
  platform.name = message.name();
  platform.aliases.assign(message.alias().begin(), message.alias().end());
  platform.summary = message.summary();
  Copy(message.basis(), &platform.basis);
  CopyMachine(message.machine(), &platform.machine);
  CopyPlacement(message.placement(), &platform.placement);
  CopyLimits(message.limits(), &platform.limits);
  CopyMappings(message.mappings(), &platform.mappings);
  CopyPages(message, &platform);
  for (const std::string& line : message.image().line()) platform.image += line + "\n";
  const std::string contradiction = Contradiction(platform);
  if (!contradiction.empty()) return absl::InvalidArgumentError(At(file, 0) + contradiction);
  const auto image = ParseMaps(platform.image, std::string(file) + " image");
  if (!image.ok()) return image.status();
  return platform;
}

absl::StatusOr<PlatformCatalog> PlatformCatalog::Load() {
  PlatformCatalog catalog;
  for (const EmbeddedFile& file : PlatformFiles()) {
    absl::StatusOr<Platform> platform = ParsePlatform(file.contents, file.name);
    if (!platform.ok()) return platform.status();
    catalog.platforms_.push_back(std::make_unique<const Platform>(*std::move(platform)));
  }
  return catalog;
}

const Platform* PlatformCatalog::Find(std::string_view name) const {
  for (const auto& platform : platforms_) {
    const auto& aliases = platform->aliases;
    if (platform->name == name || std::find(aliases.begin(), aliases.end(), name) != aliases.end()) {
      return platform.get();
    }
  }
  return nullptr;
}

std::vector<std::string> PlatformCatalog::Names() const {
  std::vector<std::string> names;
  for (const auto& platform : platforms_) names.push_back(platform->name);
  std::sort(names.begin(), names.end());
  return names;
}

const PlatformCatalog& Platforms() {
  static const PlatformCatalog* const catalog = [] {
    absl::StatusOr<PlatformCatalog> loaded = PlatformCatalog::Load();
    REHEAP_CHECK(loaded.ok());
    return new PlatformCatalog(*std::move(loaded));
  }();
  return *catalog;
}

}  // namespace reheap
