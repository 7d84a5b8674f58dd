#include "sim/report/report_reader.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "sim/report/human_units.h"

namespace reheap {

namespace {

namespace pb = google::protobuf;

constexpr absl::string_view kByteOrderMark = "\xef\xbb\xbf";
// JSON is parsed in pieces of so many bytes: how exactly an error's place is known.
constexpr int kJsonPieceBytes = 256;

absl::Status Damaged(const std::string& name, uint64_t offset, absl::string_view what) {
  return absl::DataLossError(absl::StrCat(name, ", offset ", offset, ": ", what));
}

// Not in the static pool's own form: a resolver of the schemas linked into this program.
pb::util::TypeResolver* Resolver() {
  static pb::util::TypeResolver* const resolver =
      pb::util::NewTypeResolverForDescriptorPool("reheap", pb::DescriptorPool::generated_pool());
  return resolver;
}

absl::StatusOr<proto::Report> ParseJson(absl::string_view bytes, uint64_t offset, const std::string& name) {
  pb::io::ArrayInputStream input(bytes.data(), static_cast<int>(bytes.size()), kJsonPieceBytes);
  std::string binary;
  pb::io::StringOutputStream output(&binary);
  pb::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const std::string type = absl::StrCat("reheap/", proto::Report::descriptor()->full_name());
  const auto status = pb::util::JsonToBinaryStream(Resolver(), type, &input, &output, options);
  if (!status.ok()) {
    // The message goes on with a picture of the place in further lines.
    const std::string text(status.message().data(), status.message().size());
    const std::string first = std::vector<std::string>(absl::StrSplit(text, '\n')).front();
    const uint64_t end = static_cast<uint64_t>(input.ByteCount());
    const uint64_t piece = end > kJsonPieceBytes ? end - kJsonPieceBytes : 0;
    // A value that does not fit its field is told by its path; the parser goes on to the end behind it.
    if (absl::StrContains(first, ": invalid") || absl::StrContains(first, "(")) {
      return absl::DataLossError(
          absl::StrCat(name, ": JSON of a report (proto/report.proto) was expected: ", first));
    }
    return Damaged(
        name, offset + piece,
        absl::StrCat("within the next ", end - piece, " bytes: JSON of a report was expected: ", first));
  }
  proto::Report report;
  if (!report.ParseFromString(binary)) {
    return absl::DataLossError(absl::StrCat(name, ": a string in it is not UTF-8"));
  }
  return report;
}

absl::StatusOr<proto::Report> ParseBinary(absl::string_view bytes, const std::string& name) {
  pb::io::CodedInputStream input(reinterpret_cast<const uint8_t*>(bytes.data()),
                                 static_cast<int>(bytes.size()));
  proto::Report report;
  if (report.ParseFromCodedStream(&input) && input.ConsumedEntireMessage()) return report;
  return Damaged(name, static_cast<uint64_t>(input.CurrentPosition()),
                 "neither JSON nor a binary report (proto/report.proto)");
}

}  // namespace

absl::StatusOr<proto::Report> ParseReport(absl::string_view bytes, const std::string& name) {
  if (bytes.size() > kMaxReportBytes) {
    return absl::ResourceExhaustedError(absl::StrCat(name, ": ", FormatBytes(bytes.size()),
                                                     " are more than a report may have, ",
                                                     FormatBytes(kMaxReportBytes)));
  }
  const size_t all = bytes.size();
  if (absl::StartsWith(bytes, kByteOrderMark)) bytes.remove_prefix(kByteOrderMark.size());
  const absl::string_view text = absl::StripLeadingAsciiWhitespace(bytes);
  absl::StatusOr<proto::Report> report =
      absl::StartsWith(text, "{") ? ParseJson(text, all - text.size(), name) : ParseBinary(bytes, name);
  if (report.ok() && report->tool().empty()) {
    return absl::DataLossError(absl::StrCat(name, ": no result of reheap: the field `tool` is missing"));
  }
  return report;
}

absl::StatusOr<proto::Report> ReadReport(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::string bytes;
  char piece[1 << 16];
  while (stream.read(piece, sizeof piece) || stream.gcount() > 0) {
    bytes.append(piece, static_cast<size_t>(stream.gcount()));
    if (bytes.size() > kMaxReportBytes) break;  // the parser says so
  }
  if (!stream.is_open() || stream.bad() || (bytes.empty() && !stream.eof())) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot read it: ", std::strerror(errno)));
  }
  return ParseReport(bytes, path);
}

}  // namespace reheap
