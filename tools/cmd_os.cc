#include "tools/cmd_os.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "sim/os/line_shell.h"
#include "sim/os/maps_text.h"
#include "sim/os/platform_catalog.h"
#include "sim/os/virtual_os.h"
#include "sim/report/human_units.h"
#include "tools/line_reader.h"
#include "tools/named_platform.h"
#include "tools/nearest_name.h"
#include "tools/options.h"

namespace reheap {

namespace {

constexpr char kVerb[] = "os";

std::string Purpose() {
  return absl::StrCat(
      "A modelled process as a line shell: one operation per line in, one answer per line out, written at "
      "once. So a person can ask \"what would mmap do?\", and a test can go in lockstep with a kernel.\n\n",
      ShellHelp(nullptr),
      "\n"
      "Numbers: 4096, 0x1000, -1 (all ones); 010 is ten. PROT, FLAGS, ADVICE and TYPE are the platform's own "
      "bits. The virtual... calls are those of windows platforms, which have none of the others' but touch.\n"
      "Every operation answers\n"
      "  R <result-hex> <errno> ; S <vsize> <anonymous-rss> <data> ; M <start>-<end> <perms> <name>,...\n"
      "S in OS pages, data as in /proc/PID/statm: VmData + VmStk. A failure's result is ffffffffffffffff "
      "(32-bit: ffffffff); touch on forbidden memory is errno 1001, where memory.max kills 1002, beyond the end "
      "of a file 1003; brk answers the break. A mapping without "
      "a name has two words; in a name, space, comma and backslash are octal (\\040). [vsyscall] is no "
      "mapping of the process and never listed. What cannot be understood is answered with one line "
      "E <what was expected> (line N), nothing happens, and the exit code at the end of input is 1. Blank "
      "lines and # comments have no answer.");
}

VerbOptions OsOptions() {
  VerbOptions options(kVerb, "os --platform P [options] < LINES", Purpose(),
                      "reheap os --platform linux-amd64 --limit as=4GiB <<< 'mmap 0 0x440000000 0 0x22'");
  options.Group("Process");
  options.Value("platform", "P", "", "the modelled system, required: a name of `reheap platform list`, with or without @RELEASE");
  options.Value("maps", "FILE", "",
                "start from the mappings in FILE, a saved /proc/PID/maps or smaps; default: the platform's own "
                "small image. The anonymous RSS of a plain maps file is not known and counted from 0");
  options.Value("limit", "NAME=S,...", "",
                "as=, data=, stack=, memlock=: RLIMIT_AS (ulimit -v), RLIMIT_DATA (-d), RLIMIT_STACK (-s), "
                "RLIMIT_MEMLOCK (-l); sizes or unlimited; default: unlimited, and the platform's stack");
  options.Value("stack-limit", "S", "", "the same as --limit stack=S");
  options.Value("memory-max", "S", "", "memory.max of the cgroup: what touches more is killed; default: unlimited");
  options.Value("personality", "BITS", "0",
                "of personality(2), the platform's own bits (linux: 0x40000 ADDR_NO_RANDOMIZE, 0x200000 "
                "ADDR_COMPAT_LAYOUT, 0x8000000 ADDR_LIMIT_3GB)");
  options.Value("seed", "N", "", "randomise the layout, from this seed; default: nothing is randomised");
  options.Group("Kernel");
  options.Value("kernel", "RELEASE", "",
                "release of the system, e.g. 6.18 or what uname -r says: the same as --platform P@RELEASE");
  options.Flag("legacy-va-layout", "sysctl vm.legacy_va_layout is set: search upwards");
  options.Value("hint-floor", "ADDR", "",
                "lowest address that a hint is raised to; default: the platform's (linux: 64KiB)");
  options.Value("thp", "M", "madvise",
                "/sys/kernel/mm/transparent_hugepage/enabled: never, madvise, always");
  options.Value("max-map-count", "N", "", "vm.max_map_count; default: the platform's");
  options.Value("overcommit", "M", "",
                "vm.overcommit_memory: 0 or heuristic, 1 or always, 2 or never; default 0");
  options.Value("overcommit-ratio", "PERCENT", "", "vm.overcommit_ratio, for --overcommit 2; default 50");
  options.Value("overcommit-kbytes", "N", "", "vm.overcommit_kbytes, kilobytes, instead of the ratio");
  options.Flag("privileged", "the process may use what is kept for root (CAP_SYS_ADMIN)");
  options.Value("ram", "S", "", "RAM of the machine; default 16GiB");
  options.Value("swap", "S", "", "swap space of the machine; default 0");
  return options;
}

absl::Status About(const std::string& option, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat("--", option, ": ", std::string(status.message())));
}

// "4GiB", "0x10000", "unlimited"
absl::StatusOr<std::optional<uint64_t>> ReadSize(const std::string& option, const std::string& text) {
  uint64_t bytes = 0;
  if (text.starts_with("0x") && ParseShellNumber(text, &bytes)) return bytes;
  const absl::StatusOr<std::optional<uint64_t>> size = ParseLimit(text);
  if (!size.ok()) return About(option, size.status());
  return size;
}

// Sets `*bytes` when the option was given.
absl::Status ReadBytes(const VerbOptions& options, const std::string& name, uint64_t* bytes) {
  if (!options.Given(name)) return absl::OkStatus();
  const absl::StatusOr<std::optional<uint64_t>> size = ReadSize(name, options.Get(name));
  if (!size.ok()) return size.status();
  if (!size->has_value()) {
    return absl::InvalidArgumentError(absl::StrCat("--", name, ": 'unlimited' is not a size here"));
  }
  *bytes = **size;
  return absl::OkStatus();
}

absl::Status ReadLimits(const VerbOptions& options, ProcessLimits* limits) {
  const std::vector<std::pair<std::string, std::optional<uint64_t> ProcessLimits::*>> known = {
      {"as", &ProcessLimits::address_bytes},
      {"data", &ProcessLimits::data_bytes},
      {"stack", &ProcessLimits::stack_bytes},
      {"memlock", &ProcessLimits::locked_bytes}};
  std::vector<std::string> names;
  for (const auto& [name, member] : known) names.push_back(name);
  absl::StatusOr<std::vector<std::string>> words = options.List("limit");
  if (!words.ok()) return words.status();
  if (options.Given("stack-limit")) {
    for (const std::string& word : *words) {
      if (word.starts_with("stack=")) return Contradiction("stack-limit", "limit", "both say RLIMIT_STACK");
    }
    words->push_back("stack=" + options.Get("stack-limit"));
  }
  for (const std::string& word : *words) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(word, absl::MaxSplits('=', 1));
    const auto found = std::find(names.begin(), names.end(), parts.first);
    if (found == names.end()) {
      return absl::InvalidArgumentError(absl::StrCat("--limit: '", parts.first, "' is not one of as=, data=, ",
                                                     "stack=, memlock=; the nearest is '",
                                                     NearestName(parts.first, names), "'"));
    }
    const absl::StatusOr<std::optional<uint64_t>> size = ReadSize("limit", parts.second);
    if (!size.ok()) return size.status();
    std::optional<uint64_t>& limit = limits->*known[static_cast<size_t>(found - names.begin())].second;
    limit = *size;
    if (parts.first == "stack") limits->stack_unlimited = !limit;
  }
  return absl::OkStatus();
}

absl::Status ReadOvercommit(const VerbOptions& options, ProcessLimits* limits) {
  if (options.Given("overcommit")) {
    const std::vector<std::string> words = {"0", "1", "2", "heuristic", "always", "never"};
    const absl::StatusOr<std::string> mode = options.Word("overcommit", words);
    if (!mode.ok()) return mode.status();
    const auto index = std::find(words.begin(), words.end(), *mode) - words.begin();
    limits->overcommit = static_cast<OvercommitMode>(index % 3);
  }
  for (const char* name : {"overcommit-ratio", "overcommit-kbytes"}) {
    if (options.Given(name) && limits->overcommit != OvercommitMode::kNever) {
      return Contradiction(name, "overcommit", "it counts in mode 2 (never) only");
    }
  }
  if (options.Given("overcommit-kbytes")) {
    if (options.Given("overcommit-ratio")) {
      return Contradiction("overcommit-kbytes", "overcommit-ratio", "one takes the other's place");
    }
    const absl::StatusOr<uint64_t> kbytes = options.Number("overcommit-kbytes");
    if (!kbytes.ok()) return kbytes.status();
    limits->overcommit_kbytes = *kbytes;
  }
  if (options.Given("overcommit-ratio")) {
    const absl::StatusOr<uint64_t> ratio = options.Number("overcommit-ratio");
    if (!ratio.ok()) return ratio.status();
    if (*ratio > 10000) {
      return absl::InvalidArgumentError("--overcommit-ratio: more than 10000 percent of RAM");
    }
    limits->overcommit_ratio = static_cast<uint32_t>(*ratio);
  }
  return absl::OkStatus();
}

absl::Status ReadMachine(const VerbOptions& options, Platform* platform, ProcessLimits* limits) {
  if (absl::Status s = ReadBytes(options, "ram", &limits->ram_bytes); !s.ok()) return s;
  if (absl::Status s = ReadBytes(options, "swap", &limits->swap_bytes); !s.ok()) return s;
  if (absl::Status s = ReadBytes(options, "hint-floor", &platform->placement.hint_floor); !s.ok()) return s;
  if (options.Given("max-map-count")) {
    const absl::StatusOr<uint64_t> count = options.Number("max-map-count");
    if (!count.ok()) return count.status();
    limits->max_mappings = *count;
  }
  if (options.Given("memory-max")) {
    const absl::StatusOr<std::optional<uint64_t>> most = ReadSize("memory-max", options.Get("memory-max"));
    if (!most.ok()) return most.status();
    limits->memory_max_bytes = *most;
  }
  const std::vector<std::string> modes = {"never", "madvise", "always"};  // HugePageMode's order
  const absl::StatusOr<std::string> thp = options.Word("thp", modes);
  if (!thp.ok()) return thp.status();
  limits->thp = static_cast<HugePageMode>(std::find(modes.begin(), modes.end(), *thp) - modes.begin());
  limits->is_privileged = options.IsSet("privileged");
  return ReadOvercommit(options, limits);
}

// "linux-amd64" and 6.18.44 are linux-amd64@6.18: uname -r says more than a release's name.
absl::StatusOr<std::string> WithRelease(const std::string& name, const std::string& kernel) {
  if (absl::StrContains(name, '@')) {
    return Contradiction("kernel", "platform", absl::StrCat(name, " names a release already"));
  }
  const std::vector<std::string> releases = Platforms().ReleasesOf(name);
  for (const std::string& release : releases) {
    if (kernel == release || absl::StartsWith(kernel, release + ".")) return absl::StrCat(name, "@", release);
  }
  if (releases.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("--kernel: ", name, " is known as of one release only"));
  }
  return absl::InvalidArgumentError(absl::StrCat("--kernel: '", kernel, "' is not one of ",
                                                 absl::StrJoin(releases, ", "), ", as of which ", name,
                                                 " is known; the nearest is '", NearestName(kernel, releases),
                                                 "'"));
}

absl::StatusOr<Platform> ReadPlatform(const VerbOptions& options) {
  if (!options.Given("platform")) {
    return absl::InvalidArgumentError(
        absl::StrCat("--platform is missing: one of ", absl::StrJoin(Platforms().Names(), ", ")));
  }
  const std::string name = options.Get("platform");
  const absl::StatusOr<const Platform*> found = NamedPlatform(name);
  if (!found.ok()) return found.status();
  if (options.Given("kernel")) {
    absl::StatusOr<std::string> released = WithRelease(name, options.Get("kernel"));
    if (!released.ok()) return released.status();
    return *Platforms().Find(*released);
  }
  return **found;
}

absl::Status ReadPersonality(const VerbOptions& options, const Platform& platform, ProcessLayout* layout) {
  uint64_t bits = 0;
  if (!ParseShellNumber(options.Get("personality"), &bits)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--personality: '", options.Get("personality"), "' is not a number such as 0x40000"));
  }
  const std::optional<PersonalityBits>& known = platform.placement.personality;
  if (!known) return absl::InvalidArgumentError(absl::StrCat("--personality: ", platform.name, " has none"));
  // The lowest byte is the system whose programs these are (PER_LINUX32): it places nothing.
  const uint64_t modelled = known->no_randomize | known->compat_layout | known->limit;
  if ((bits & ~uint64_t{0xff} & ~modelled) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("--personality: 0x", absl::Hex(bits), " has bits beyond 0x",
                                                   absl::Hex(modelled), ", which ", platform.name,
                                                   " is modelled with"));
  }
  layout->personality = static_cast<uint32_t>(bits);
  return absl::OkStatus();
}

absl::Status ReadLayout(const VerbOptions& options, const Platform& platform, ProcessLayout* layout) {
  layout->legacy_va_layout = options.IsSet("legacy-va-layout");
  if (options.Given("personality")) {
    if (absl::Status s = ReadPersonality(options, platform, layout); !s.ok()) return s;
  }
  if (!options.Given("seed")) return absl::OkStatus();
  if (options.Given("maps")) return Contradiction("seed", "maps", "the mappings are where they are");
  if (platform.placement.personality && (layout->personality & platform.placement.personality->no_randomize) != 0) {
    return Contradiction("seed", "personality", "the personality forbids randomisation");
  }
  const absl::StatusOr<uint64_t> seed = options.Number("seed");
  if (!seed.ok()) return seed.status();
  layout->aslr_seed = *seed;
  return absl::OkStatus();
}

// The line of `text` that `mapping` is on.
int LineOf(const ImageMapping& mapping, const std::string& text) {
  int number = 0;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(text, '\n'))) {
    ++number;
    const absl::StatusOr<std::vector<ImageMapping>> parsed = ParseMaps(line, "");
    if (parsed.ok() && !parsed->empty() && parsed->front().start == mapping.start) break;
  }
  return number;
}

// The image in a file: empty when none is named.
absl::StatusOr<std::vector<ImageMapping>> ReadMapsFile(const std::string& path, const Platform& platform) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  if (!in) return absl::NotFoundError(absl::StrCat(path, ": cannot read it: ", std::strerror(errno)));
  absl::StatusOr<std::vector<ImageMapping>> image = ParseMaps(text.str(), path);
  if (!image.ok()) return image;
  if (image->empty()) return absl::InvalidArgumentError(path + ":1: expected a mapping, found the end");
  for (const ImageMapping& mapping : *image) {
    const std::string expected = PlatformFault(mapping, platform);
    if (expected.empty()) continue;
    return absl::InvalidArgumentError(absl::StrCat(path, ":", LineOf(mapping, text.str()), ": expected ",
                                                   expected, ", found \"", FormatMapsLine(mapping), "\""));
  }
  return image;
}

std::string Nearest(std::string_view word, const std::vector<std::string>& known) {
  return NearestName(std::string(word), known);
}

// Reads and answers until quit or the end. Answers are written before the next read waits.
int Converse(VirtualOs* os, Terminal& terminal) {
  LineShell shell(os, Nearest);
  LineReader reader(terminal.read_input, kLongestShellLine);
  const bool prompts = terminal.in_is_terminal && terminal.out_is_terminal;
  const std::string prompt = os->platform().name + "> ";
  std::string answer;
  while (!shell.quit() && terminal.out) {
    if (prompts) terminal.out << prompt;
    if (!reader.HasLine()) terminal.out.flush();
    std::string_view line;
    const LineReader::Got got = reader.Next(&line);
    if (got == LineReader::Got::kEnd) break;
    answer.clear();
    // A line that is too long is said to be so by the shell, whatever is left of it.
    shell.Execute(got == LineReader::Got::kTooLong ? std::string(kLongestShellLine + 1, '?') : line, &answer);
    terminal.out << answer;
  }
  terminal.out.flush();
  return shell.faults() == 0 || prompts ? kAsExpected : kExpectationNotMet;
}

}  // namespace

int OsCommand(const std::vector<std::string>& arguments, Terminal& terminal) {
  VerbOptions options = OsOptions();
  if (absl::Status status = options.Parse(arguments, {}); !status.ok())
    return FailUsage(kVerb, status, terminal);
  if (const std::optional<int> answered = options.AnswerHelp(terminal)) return *answered;
  absl::StatusOr<Platform> platform = ReadPlatform(options);
  if (!platform.ok()) return FailPlatform(kVerb, options.Get("platform"), platform.status(), terminal);
  VirtualProcess process;
  if (absl::Status status = ReadLimits(options, &process.limits); !status.ok())
    return FailUsage(kVerb, status, terminal);
  if (absl::Status status = ReadMachine(options, &*platform, &process.limits); !status.ok())
    return FailUsage(kVerb, status, terminal);
  if (absl::Status status = ReadLayout(options, *platform, &process.layout); !status.ok())
    return FailUsage(kVerb, status, terminal);
  process.platform = &*platform;
  if (options.Given("maps")) {
    absl::StatusOr<std::vector<ImageMapping>> image = ReadMapsFile(options.Get("maps"), *platform);
    if (!image.ok()) return FailUnreadable(kVerb, image.status(), terminal);
    process.image = *std::move(image);
  }
  VirtualOs os(process);
  return Converse(&os, terminal);
}

}  // namespace reheap
