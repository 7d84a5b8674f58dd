#include "traces/trace_anonymizer.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "traces/edited_trace.h"
#include "traces/sound_events.h"

namespace reheap {
namespace {

constexpr absl::string_view kUnknownWords[] = {"time",         "thread",       "alignment", "call kind",
                                               "thread start", "program",      "host",      "limits",
                                               "mappings",     "address space"};
constexpr absl::string_view kMachines[] = {"x86_64", "i386",    "i686",    "aarch64", "armv7l",
                                           "armv8l", "riscv64", "ppc64le", "s390x"};
constexpr absl::string_view kThpModes[] = {"always", "madvise", "never"};
constexpr absl::string_view kKernelNames[] = {"[heap]", "[stack]",       "[vdso]",
                                              "[vvar]", "[vvar_vclock]", "[vsyscall]"};

template <size_t count>
bool IsOneOf(const absl::string_view (&known)[count], absl::string_view word) {
  return std::find(std::begin(known), std::end(known), word) != std::end(known);
}

// "6.1.0-17-acme-build4" -> "6.1.0"
std::string VersionNumbers(absl::string_view release) {
  size_t end = 0;
  int dots = 0;
  while (end < release.size() && (absl::ascii_isdigit(static_cast<unsigned char>(release[end])) ||
                                  (release[end] == '.' && end != 0 && ++dots <= 2))) {
    ++end;
  }
  while (end != 0 && release[end - 1] == '.') --end;
  return std::string(release.substr(0, end));
}

// Nobody's amount of memory is a round number: firmware takes a part that differs from board to board.
uint64_t WholeGib(uint64_t bytes) {
  constexpr uint64_t kGib = uint64_t{1} << 30;
  return bytes / kGib * kGib + (bytes % kGib != 0 && bytes < ~uint64_t{0} - kGib ? kGib : 0);
}

// Four letters of /proc/PID/maps, whatever was there.
std::string Permissions(absl::string_view permissions) {
  constexpr absl::string_view kLetters[] = {"r", "w", "x", "ps"};
  std::string result = "---p";
  for (size_t i = 0; i < 4 && i < permissions.size(); ++i) {
    if (kLetters[i].find(permissions[i]) != absl::string_view::npos) result[i] = permissions[i];
  }
  return result;
}

// Paths by number, in the order in which they occur.
class FileNames {
 public:
  std::string Of(const std::string& name) {
    if (name.empty() || IsOneOf(kKernelNames, name)) return name;
    if (name[0] == '[') return "";  // [anon:what the program calls it]
    const size_t number = numbers_.try_emplace(name, numbers_.size() + 1).first->second;
    return absl::StrCat("/file-", number);
  }
  uint64_t count() const { return numbers_.size(); }

 private:
  absl::flat_hash_map<std::string, size_t> numbers_;
};

proto::Process AnonymousProcess(const proto::Process& source) {
  proto::Process process;
  process.set_word_bits(source.word_bits());
  if (source.has_rlimit_as_bytes()) process.set_rlimit_as_bytes(source.rlimit_as_bytes());
  if (source.has_rlimit_data_bytes()) process.set_rlimit_data_bytes(source.rlimit_data_bytes());
  if (source.has_rlimit_stack_bytes()) process.set_rlimit_stack_bytes(source.rlimit_stack_bytes());
  return process;
}

proto::Host AnonymousHost(const proto::Host& source) {
  proto::Host host;
  host.set_kernel(VersionNumbers(source.kernel()));
  if (IsOneOf(kMachines, source.machine())) host.set_machine(source.machine());
  host.set_os_page_bytes(source.os_page_bytes());
  host.set_ram_bytes(WholeGib(source.ram_bytes()));
  host.set_swap_bytes(WholeGib(source.swap_bytes()));
  host.set_overcommit_mode(source.overcommit_mode());
  if (IsOneOf(kThpModes, source.thp_mode())) host.set_thp_mode(source.thp_mode());
  host.set_max_map_count(source.max_map_count());
  return host;
}

bool IsAboutAddresses(EventKind kind) {
  return kind > EventKind::kThreadEnd && kind != EventKind::kMemorySample;
}

// False: too many places.
bool AddAddresses(const TraceEvent& event, AddressRelocation* addresses) {
  if (!IsAboutAddresses(event.kind) || event.failed) return true;
  if (event.kind == EventKind::kBreak) return addresses->Add(event.address, 0);
  if (event.kind != EventKind::kRemap) return addresses->Add(event.address, event.size);
  return addresses->Add(event.address, event.alignment) && addresses->Add(event.argument, event.size);
}

absl::Status TooManyPlaces(const std::string& path) {
  return absl::ResourceExhaustedError(
      path + ": its addresses lie in more than 65,536 places 4 GiB apart; no process's do");
}

// All addresses that header and events name.
absl::StatusOr<AddressRelocation> FindAddresses(const std::string& path) {
  absl::StatusOr<std::unique_ptr<SoundEvents>> events = SoundEvents::Open(path);
  if (!events.ok()) return events.status();
  AddressRelocation addresses;
  for (const proto::Mapping& mapping : (*events)->header().mappings()) {
    if (mapping.end() < mapping.start()) continue;
    if (!addresses.Add(mapping.start(), mapping.end() - mapping.start())) return TooManyPlaces(path);
  }
  const auto& by_kind = (*events)->trailer().events_by_kind();
  bool any = false;
  for (int kind = 0; kind < by_kind.size(); ++kind) {
    any = any || (IsAboutAddresses(static_cast<EventKind>(kind)) && by_kind[kind] != 0);
  }
  while (any) {
    absl::StatusOr<absl::Span<const TraceEvent>> batch = (*events)->NextBatch();
    if (!batch.ok()) return batch.status();
    if (batch->empty()) break;
    for (const TraceEvent& event : *batch) {
      if (!AddAddresses(event, &addresses)) return TooManyPlaces(path);
    }
  }
  addresses.Settle();
  return addresses;
}

TraceEvent AnonymousEvent(const TraceEvent& source, const AddressRelocation& addresses, uint64_t* moved) {
  TraceEvent event = source;
  if (!IsAboutAddresses(event.kind)) {
    event.address = 0;
    if (event.kind != EventKind::kMemorySample) event.argument = 0;
    return event;
  }
  event.address = event.failed ? 0 : addresses.At(event.address);
  if (event.kind == EventKind::kRemap) event.argument = event.failed ? 0 : addresses.At(event.argument);
  *moved += event.kind == EventKind::kRemap ? 2 : 1;
  return event;
}

}  // namespace

proto::TraceHeader AnonymousHeader(const proto::TraceHeader& source, const AddressRelocation& addresses) {
  proto::TraceHeader header;
  if (source.has_process()) *header.mutable_process() = AnonymousProcess(source.process());
  if (source.has_host()) *header.mutable_host() = AnonymousHost(source.host());
  FileNames names;
  for (const proto::Mapping& mapping : source.mappings()) {
    const uint64_t start = addresses.At(mapping.start());
    if (start == 0 || mapping.end() <= mapping.start()) continue;
    proto::Mapping& to = *header.add_mappings();
    to.set_start(start);
    to.set_end(start + (mapping.end() - mapping.start()));
    to.set_permissions(Permissions(mapping.permissions()));
    to.set_offset(mapping.offset());
    to.set_name(names.Of(mapping.name()));
  }
  header.set_time_resolution_ns(source.time_resolution_ns());
  for (const std::string& word : source.unknown()) {
    if (IsOneOf(kUnknownWords, word)) MarkUnknown(word, &header);
  }
  MarkUnknown("program", &header);
  header.set_writer("reheap trace anonymize");
  return header;
}

absl::StatusOr<TraceAnonymizeReport> AnonymizeTrace(const std::string& path, const std::string& out_path) {
  absl::StatusOr<AddressRelocation> addresses = FindAddresses(path);
  if (!addresses.ok()) return addresses.status();
  absl::StatusOr<std::unique_ptr<SoundEvents>> events = SoundEvents::Open(path);
  if (!events.ok()) return events.status();
  absl::StatusOr<std::unique_ptr<EditedTrace>> out =
      EditedTrace::Create(out_path, AnonymousHeader((*events)->header(), *addresses));
  if (!out.ok()) return out.status();
  const proto::TraceTrailer& trailer = (*events)->trailer();
  for (int i = 0; i < trailer.threads_size(); ++i) {
    proto::TraceThread thread;
    thread.set_tid(i + 1);
    (*out)->AddThread(thread);
  }
  TraceAnonymizeReport report;
  FileNames names;
  for (const proto::Mapping& mapping : (*events)->header().mappings()) names.Of(mapping.name());
  report.named_files = names.count();
  while (true) {
    absl::StatusOr<absl::Span<const TraceEvent>> batch = (*events)->NextBatch();
    if (!batch.ok()) return batch.status();
    if (batch->empty()) break;
    for (const TraceEvent& event : *batch) {
      (*out)->Append(AnonymousEvent(event, *addresses, &report.moved_addresses));
    }
    report.events += batch->size();
    if (!(*out)->status().ok()) return (*out)->status();
  }
  const absl::Status done = (*out)->Finish(trailer.dropped_events(), trailer.ended_in_order());
  if (!done.ok()) return done;
  return report;
}

}  // namespace reheap
