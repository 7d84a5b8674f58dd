#include "sim/os/platform_checker.h"

#include <google/protobuf/descriptor.h>

#include <bit>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "sim/os/maps_text.h"

namespace reheap {
namespace {

namespace pb = google::protobuf;

std::string Hex(uint64_t value) {
  return value < 65536 ? absl::StrCat(value) : absl::StrFormat("0x%x", value);
}

// What is wrong with `value`; empty = nothing.
std::string OutOfBounds(const proto::Bounds& bounds, uint64_t value, uint64_t os_page_bytes) {
  if (value < bounds.least()) return "expected at least " + Hex(bounds.least());
  if (bounds.has_most() && value > bounds.most()) return "expected at most " + Hex(bounds.most());
  if (bounds.power_of_two() && value != 0 && !std::has_single_bit(value)) return "expected a power of two";
  // A bad page size is reported by itself.
  if (bounds.os_pages() && std::has_single_bit(os_page_bytes) && value % os_page_bytes != 0) {
    return "expected a whole number of OS pages (" + Hex(os_page_bytes) + ")";
  }
  return "";
}

class Checker {
 public:
  Checker(const PlatformText& text, std::vector<std::string>* sources)
      : text_(text), sources_(sources), os_page_bytes_(text.rules.machine().os_page_bytes().value()) {}

  absl::Status CheckGroup(const pb::Message& group, const std::string& path) const {
    const pb::Descriptor& type = *group.GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i) {
      const pb::FieldDescriptor& field = *type.field(i);
      if (field.cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE || field.is_repeated()) continue;
      const std::string name = path.empty() ? field.name() : absl::StrCat(path, ".", field.name());
      if (!group.GetReflection()->HasField(group, &field)) {
        if (field.has_optional_keyword()) continue;
        return Error(path, name + " is missing");
      }
      const pb::Message& part = group.GetReflection()->GetMessage(group, &field);
      const bool is_rule = part.GetDescriptor()->FindFieldByName("source") != nullptr;
      absl::Status status = is_rule ? CheckRule(part, name, field.options().GetExtension(proto::bounds))
                                    : CheckGroup(part, name);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status Error(const std::string& path, const std::string& what) const {
    const RuleOrigin& origin = text_.OriginOf(path);
    // A rule that is wrong only together with another file's names whose it is.
    const std::string& name = text_.rules.name();
    const std::string whose = origin.given_by == name ? "" : absl::StrCat(" (as part of ", name, ")");
    return absl::InvalidArgumentError(absl::StrCat(At(origin), what, whose));
  }

 private:
  absl::Status CheckRule(const pb::Message& rule, const std::string& path,
                         const proto::Bounds& bounds) const {
    const pb::Reflection& reflection = *rule.GetReflection();
    for (int i = 0; i < rule.GetDescriptor()->field_count(); ++i) {
      const pb::FieldDescriptor& field = *rule.GetDescriptor()->field(i);
      if (field.name() == "source") {
        const std::string source = reflection.GetString(rule, &field);
        if (source.empty()) return Error(path, path + " has no source");
        sources_->push_back(path + ": " + source);
      } else if (field.cpp_type() == pb::FieldDescriptor::CPPTYPE_ENUM) {
        if (reflection.GetEnumValue(rule, &field) == 0) return Error(path, path + " has no value");
      } else if (field.cpp_type() == pb::FieldDescriptor::CPPTYPE_UINT64 && !field.is_repeated()) {
        const uint64_t value = reflection.GetUInt64(rule, &field);
        const std::string wrong = OutOfBounds(bounds, value, os_page_bytes_);
        if (!wrong.empty()) return Error(path, absl::StrCat(path, " is ", Hex(value), ": ", wrong));
      }
    }
    return absl::OkStatus();
  }

  const PlatformText& text_;
  std::vector<std::string>* sources_;
  const uint64_t os_page_bytes_;
};

// Two rules that cannot both hold: the one to blame, and what is wrong with it.
struct Contradiction {
  const char* path;
  bool holds;
  std::string what;
};

std::vector<Contradiction> Contradictions(const proto::Platform& p) {
  const auto& machine = p.machine();
  const auto& placement = p.placement();
  const uint64_t start = machine.user_start().value(), end = machine.user_end().value();
  const uint64_t fallback = placement.fallback_base().value(), base = placement.base_bytes().value();
  const bool falls_back = placement.direction().value() == proto::Direction::TOP_DOWN &&
                          placement.hint().value() != proto::HintRule::UPPER_BOUND;
  const bool fixed_base = placement.base().value() == proto::BaseRule::FIXED_ADDRESS;
  const std::string range = absl::StrCat("user_start..user_end (", Hex(start), "..", Hex(end), ")");
  return {
      {"machine.user_end", end <= start, "is not above machine.user_start " + Hex(start)},
      {"machine.user_end", machine.word_bits().value() == 32 && end > uint64_t{1} << 32,
       "is beyond what 32 bits address"},
      {"machine.granularity_bytes", machine.granularity_bytes().value() < machine.os_page_bytes().value(),
       "is below machine.os_page_bytes"},
      {"placement.fallback_base", falls_back && fallback == 0, "is 0, which a top-down search cannot use"},
      {"placement.fallback_base", fallback != 0 && (fallback < start || fallback >= end),
       "lies outside " + range},
      {"placement.base_bytes", fixed_base && (base < start || base > end), "lies outside " + range},
      {"placement.hint_floor", placement.hint_floor().value() >= end, "lies outside " + range},
  };
}

absl::Status CheckImage(const proto::Platform& p, const Checker& checker) {
  std::string lines;
  for (const std::string& line : p.image().line()) lines += line + "\n";
  const auto image = ParseMaps(lines, "image");
  if (!image.ok()) return checker.Error("image", std::string(image.status().message()));
  for (const ImageMapping& m : *image) {
    if (m.start.value() >= p.machine().user_start().value() &&
        m.end.value() <= p.machine().user_end().value())
      continue;
    return checker.Error("image",
                         absl::StrCat("image: ", FormatMapsLine(m), " lies outside user_start..user_end"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckPlatform(const PlatformText& text, std::vector<std::string>* sources) {
  const Checker checker(text, sources);
  if (absl::Status status = checker.CheckGroup(text.rules, ""); !status.ok()) return status;
  for (const Contradiction& c : Contradictions(text.rules)) {
    if (c.holds) return checker.Error(c.path, absl::StrCat(c.path, " ", c.what));
  }
  for (const proto::Advice::Word& word : text.rules.advice().word()) {
    if (word.meaning() != proto::Advice::UNSPECIFIED) continue;
    return checker.Error("advice", absl::StrCat("advice.word ", word.number(), " has no meaning"));
  }
  return CheckImage(text.rules, checker);
}

}  // namespace reheap
