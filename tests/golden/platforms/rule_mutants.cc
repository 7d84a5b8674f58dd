#include "tests/golden/platforms/rule_mutants.h"

#include <fcntl.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <utility>

#include "proto/platform.pb.h"
#include "sim/os/platform_catalog.h"
#include "sim/os/platform_files.h"
#include "sim/os/platform_text.h"
#include "tests/golden/platforms/rule_table.h"

namespace reheap {
namespace {

namespace pb = google::protobuf;

struct Mutant {
  std::string name;  // "limits.data=WHOLE_MAP"
  std::string text;  // a platform file
};

class MutantMaker {
 public:
  explicit MutantMaker(const proto::Platform& platform) : platform_(platform) {}

  std::vector<Mutant> Make() {
    Visit(platform_, {}, "");
    return std::move(mutants_);
  }

 private:
  using Path = std::vector<const pb::FieldDescriptor*>;

  // Rules are messages with a source; others group them.
  void Visit(const pb::Message& group, const Path& path, const std::string& name) {
    const pb::Descriptor& type = *group.GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i) {
      const pb::FieldDescriptor* const field = type.field(i);
      if (field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE || field->is_repeated()) continue;
      if (!group.GetReflection()->HasField(group, field)) continue;
      Path to = path;
      to.push_back(field);
      const std::string rule_name = name.empty() ? field->name() : name + "." + field->name();
      const pb::Message& part = group.GetReflection()->GetMessage(group, field);
      if (part.GetDescriptor()->FindFieldByName("source") == nullptr) {
        Visit(part, to, rule_name);
      } else if (rule_name != "basis") {  // says how it is known, not what it does
        Change(part, to, rule_name);
      }
    }
  }

  void Change(const pb::Message& rule, const Path& path, const std::string& name) {
    const pb::Reflection& reflection = *rule.GetReflection();
    if (const auto* advice = dynamic_cast<const proto::Advice*>(&rule)) return ChangeWords(*advice, path, name);
    for (int i = 0; i < rule.GetDescriptor()->field_count(); ++i) {
      const pb::FieldDescriptor* const field = rule.GetDescriptor()->field(i);
      const std::string field_name = field->name() == "value" ? name : name + "." + field->name();
      const std::unique_ptr<pb::Message> changed(rule.New());
      changed->CopyFrom(rule);
      if (field->cpp_type() == pb::FieldDescriptor::CPPTYPE_ENUM) {
        for (int v = 0; v < field->enum_type()->value_count(); ++v) {
          const pb::EnumValueDescriptor* const value = field->enum_type()->value(v);
          if (value->number() == 0 || value->number() == reflection.GetEnumValue(rule, field)) continue;
          reflection.SetEnum(changed.get(), field, value);
          Add(*changed, path, field_name + "=" + value->name());
        }
      } else if (field->cpp_type() == pb::FieldDescriptor::CPPTYPE_BOOL) {
        reflection.SetBool(changed.get(), field, !reflection.GetBool(rule, field));
        Add(*changed, path, field_name);
      } else if (IsError(rule, *field) && reflection.GetUInt32(rule, field) != 0) {
        reflection.SetUInt32(changed.get(), field, reflection.GetUInt32(rule, field) + 1000);
        Add(*changed, path, field_name);
      }
    }
  }

  static bool IsError(const pb::Message& rule, const pb::FieldDescriptor& field) {
    const pb::Descriptor* const type = rule.GetDescriptor();
    if (field.cpp_type() != pb::FieldDescriptor::CPPTYPE_UINT32) return false;
    return type == proto::ErrorNumbers::descriptor() || type == proto::HoleErrors::descriptor() ||
           type == proto::WriteExecute::descriptor();
  }

  void ChangeWords(const proto::Advice& advice, const Path& path, const std::string& name) {
    for (int i = 0; i < advice.word_size(); ++i) {
      proto::Advice changed = advice;
      const bool does_nothing = advice.word(i).meaning() == proto::Advice::NO_EFFECT ||
                                advice.word(i).meaning() == proto::Advice::WILL_NEED;
      changed.mutable_word(i)->set_meaning(does_nothing ? proto::Advice::UNSUPPORTED : proto::Advice::NO_EFFECT);
      Add(changed, path, name + "." + std::to_string(advice.word(i).number()));
    }
    proto::Advice changed = advice;
    changed.set_unfit_passed_over(!advice.unfit_passed_over());
    Add(changed, path, name + ".unfit_passed_over");
    changed = advice;
    changed.set_unaligned_rounded_down(!advice.unaligned_rounded_down());
    Add(changed, path, name + ".unaligned_rounded_down");
    changed = advice;
    changed.set_holes_seen_when_given_back(!advice.holes_seen_when_given_back());
    Add(changed, path, name + ".holes_seen_when_given_back");
  }

  void Add(const pb::Message& rule, const Path& path, const std::string& name) {
    proto::Platform mutant;
    mutant.set_name("mutant");
    mutant.set_based_on(platform_.name());
    pb::Message* at = &mutant;
    for (const pb::FieldDescriptor* field : path) at = at->GetReflection()->MutableMessage(at, field);
    at->CopyFrom(rule);
    Mutant made{name, ""};
    pb::TextFormat::PrintToString(mutant, &made.text);
    mutants_.push_back(std::move(made));
  }

  const proto::Platform& platform_;
  std::vector<Mutant> mutants_;
};

// Whether a row of `cases` answers otherwise on `platform`, or a check trips.
bool IsSeen(const Platform& platform, const std::vector<Case>& cases) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, 2);
    for (const Case& c : cases) {
      if (!Differences(platform, c).empty()) _exit(1);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

bool Covers(const UnseenMutant& unseen, const std::string& mutant) {
  return mutant == unseen.mutant || mutant.rfind(unseen.mutant + "=", 0) == 0 ||
         mutant.rfind(unseen.mutant + ".", 0) == 0;
}

void CheckMutants(const PlatformTexts& texts, const MutatedPlatform& mutated) {
  const auto text = texts.Resolve(mutated.platform);
  ASSERT_TRUE(text.ok()) << text.status();
  std::vector<Case> cases;
  for (const AskedRules& asked : AllAskedRules()) {
    if (asked.platform == mutated.platform) cases.insert(cases.end(), asked.cases.begin(), asked.cases.end());
  }
  std::vector<bool> needed(mutated.unseen.size());
  int seen = 0, refused = 0;
  for (const Mutant& mutant : MutantMaker(text->rules).Make()) {
    const auto platform = ParsePlatform(mutant.text, "mutant");
    if (!platform.ok()) {
      ++refused;
    } else if (IsSeen(*platform, cases)) {
      ++seen;
    } else {
      const auto listed = std::find_if(mutated.unseen.begin(), mutated.unseen.end(),
                                       [&](const UnseenMutant& u) { return Covers(u, mutant.name); });
      if (listed == mutated.unseen.end()) {
        ADD_FAILURE() << mutated.platform << ": no golden row notices the change of " << mutant.name;
      } else {
        needed[static_cast<size_t>(listed - mutated.unseen.begin())] = true;
      }
    }
  }
  for (size_t i = 0; i < needed.size(); ++i) {
    EXPECT_TRUE(needed[i]) << mutated.platform << ": " << mutated.unseen[i].mutant << " is seen; unlist it";
  }
  std::printf("%s: %d changed rules seen by a row, %d refused by the loader, %zu kinds listed as unseen\n",
              mutated.platform.c_str(), seen, refused, needed.size());
}

class MutantsAtTheEnd : public testing::Environment {
 public:
  explicit MutantsAtTheEnd(std::vector<MutatedPlatform> platforms) : platforms_(std::move(platforms)) {}

  void TearDown() override {
    const testing::UnitTest& all = *testing::UnitTest::GetInstance();
    if (all.test_to_run_count() != all.total_test_count()) return;
    PlatformTexts texts;
    for (const EmbeddedFile& file : PlatformFiles()) {
      ASSERT_TRUE(texts.Add(file.contents, file.name).ok());
    }
    for (const MutatedPlatform& platform : platforms_) CheckMutants(texts, platform);
  }

 private:
  const std::vector<MutatedPlatform> platforms_;
};

}  // namespace

bool CheckMutantsAtTheEnd(std::vector<MutatedPlatform> platforms) {
  testing::AddGlobalTestEnvironment(new MutantsAtTheEnd(std::move(platforms)));  // gtest deletes it
  return true;
}

}  // namespace reheap
