// SPDX-License-Identifier: Apache-2.0
#include "registry/textproto.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/check.h"
#include "base/foreign_text.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "registry/nearest_name.h"

namespace freshline::registry {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

constexpr int kNestingMax = 50;

// The parser numbers lines and columns from 0, editors from 1.
std::string Position(absl::string_view file, int line, int column) {
  if (line < 0) return std::string(file);
  return absl::StrCat(file, ":", line + 1, ":", column + 1);
}

// The text between the n-th pair of double quotes of `message`.
std::string Quoted(absl::string_view message, int n) {
  for (int i = 0; i < 2 * n + 1; ++i) {
    const size_t quote = message.find('"');
    if (quote == absl::string_view::npos) return "";
    message.remove_prefix(quote + 1);
  }
  return std::string(message.substr(0, message.find('"')));
}

// Column, from 0, at which the last `name` that ends before `end` begins, as
// the tokenizer counts columns (tabs go to multiples of 8), or -1.
int ColumnOf(absl::string_view name, absl::string_view line, int end) {
  int column = 0;
  int found = -1;
  for (size_t at = 0; at < line.size(); ++at) {
    if (absl::StartsWith(line.substr(at), name) &&
        column + static_cast<int>(name.size()) <= end) {
      found = column;
    }
    column = line[at] == '\t' ? (column / 8 + 1) * 8 : column + 1;
  }
  return found;
}

absl::string_view LineOf(absl::string_view text, int line) {
  for (; line > 0; --line) {
    const size_t end = text.find('\n');
    if (end == absl::string_view::npos) return "";
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

// Turns the parser's reports into violations. Unknown fields arrive as
// warnings, so that one does not hide the next.
class Collector final : public google::protobuf::io::ErrorCollector {
 public:
  Collector(absl::string_view text, absl::string_view file,
            const Descriptor* root, Violations* violations)
      : text_(text), file_(file), root_(root), violations_(violations) {}

  void AddError(int line, int column, const std::string& message) override {
    violations_->Add(Position(file_, line, column), message);
  }

  void AddWarning(int line, int column, const std::string& message) override {
    absl::string_view what = message;
    absl::ConsumePrefix(&what, "WARNING:");
    absl::ConsumeSuffix(&what, ".");
    // The parser reports what follows the unknown name; users look for the
    // name.
    const int begin = ColumnOf(Quoted(what, 1), LineOf(text_, line), column);
    violations_->Add(Position(file_, line, begin >= 0 ? begin : column),
                     absl::StrCat(what, Suggestion(what)));
  }

 private:
  std::string Suggestion(absl::string_view message) const {
    const Descriptor* type =
        root_->file()->pool()->FindMessageTypeByName(Quoted(message, 0));
    if (type == nullptr) return "";
    std::vector<std::string> names;
    names.reserve(static_cast<size_t>(type->field_count()));
    for (int i = 0; i < type->field_count(); ++i) {
      names.push_back(type->field(i)->name());
    }
    return SuggestName(Quoted(message, 1), names);
  }

  absl::string_view text_;
  absl::string_view file_;
  const Descriptor* root_;
  Violations* violations_;
};

// Reports every text that is no UTF-8, as an escape can write one: what is made
// of it could be neither sent nor printed.
void CheckText(const google::protobuf::Message& message,
               const FieldPlace& place, Violations* violations) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const bool is_text = field->type() == FieldDescriptor::TYPE_STRING;
    if (!is_text && field->type() != FieldDescriptor::TYPE_MESSAGE) continue;
    const int begin = field->is_repeated() ? 0 : -1;
    const int end =
        field->is_repeated() ? reflection.FieldSize(message, field) : 0;
    for (int i = begin; i < end; ++i) {
      const FieldPlace here = place.Field(field->name(), i);
      if (!is_text) {
        CheckText(i < 0 ? reflection.GetMessage(message, field)
                        : reflection.GetRepeatedMessage(message, field, i),
                  here, violations);
        continue;
      }
      const std::string text =
          i < 0 ? reflection.GetString(message, field)
                : reflection.GetRepeatedString(message, field, i);
      if (base::IsUtf8(text)) continue;
      here.Report(absl::StrCat("is ", base::Quoted(text),
                               ", which is no UTF-8: write text as UTF-8"),
                  violations);
    }
  }
}

}  // namespace

void Violations::Add(absl::string_view where, absl::string_view message) {
  if (count_++ < kReportedMax) {
    lines_.push_back(absl::StrCat(where, where.empty() ? "" : ": ", message));
  }
}

absl::Status Violations::ToStatus() const {
  if (empty()) return absl::OkStatus();
  std::string text = absl::StrJoin(lines_, "\n");
  if (count_ > lines_.size()) {
    absl::StrAppend(&text, "\nand ", count_ - lines_.size(), " more");
  }
  return absl::InvalidArgumentError(text);
}

FieldPlace FieldPlace::Root(absl::string_view file, const Descriptor* message,
                            const LocationTree* locations) {
  FieldPlace place;
  place.file_ = file;
  place.descriptor_ = message;
  place.locations_ = locations;
  if (locations != nullptr) place.line_ = place.column_ = 0;
  return place;
}

FieldPlace FieldPlace::Field(absl::string_view name, int index) const {
  FRESHLINE_CHECK(descriptor_ != nullptr);
  const FieldDescriptor* field =
      descriptor_->FindFieldByName(std::string(name));
  FRESHLINE_CHECK(field != nullptr);
  FieldPlace place = *this;
  absl::StrAppend(&place.path_, path_.empty() ? "" : ".", name);
  if (index >= 0) absl::StrAppend(&place.path_, "[", index, "]");
  place.descriptor_ = field->message_type();
  place.locations_ = nullptr;
  if (locations_ == nullptr) return place;
  // "feature: [a, b]" is located once, at its first element.
  for (int at = index; at >= (index < 0 ? -1 : 0); --at) {
    const auto location = locations_->GetLocation(field, at);
    if (location.line < 0) continue;
    place.line_ = location.line;
    place.column_ = location.column;
    break;
  }
  if (place.descriptor_ != nullptr) {
    place.locations_ = locations_->GetTreeForNested(field, index);
  }
  return place;
}

std::string FieldPlace::Where() const {
  return Position(file_, line_, column_);
}

void FieldPlace::Report(absl::string_view message,
                        Violations* violations) const {
  violations->Add(Where(),
                  absl::StrCat(path_, path_.empty() ? "" : ": ", message));
}

absl::StatusOr<std::string> ReadTextFile(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) {
    const int error = errno;
    const std::string text = absl::StrCat(path, ": ", std::strerror(error));
    if (error == EACCES) return absl::PermissionDeniedError(text);
    return absl::NotFoundError(text);
  }
  if (!S_ISREG(status.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": is not a regular file"));
  }
  if (static_cast<size_t>(status.st_size) > kTextBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": has ", status.st_size, " bytes; at most ",
                     kTextBytesMax, " are read: split it"));
  }
  std::ifstream file(path, std::ios::binary);
  std::string text(static_cast<size_t>(status.st_size), '\0');
  if (!file.is_open() ||
      !file.read(text.data(), static_cast<std::streamsize>(text.size()))) {
    return absl::PermissionDeniedError(absl::StrCat(path, ": cannot be read"));
  }
  return text;
}

bool ParseTextproto(absl::string_view text, absl::string_view file,
                    google::protobuf::Message* message, LocationTree* locations,
                    Violations* violations) {
  if (text.size() > kTextBytesMax) {
    violations->Add(file, absl::StrCat("has ", text.size(), " bytes; at most ",
                                       kTextBytesMax, " are read: split it"));
    return false;
  }
  Collector collector(text, file, message->GetDescriptor(), violations);
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&collector);
  parser.WriteLocationsTo(locations);
  parser.AllowUnknownField(true);
  parser.SetRecursionLimit(kNestingMax);
  google::protobuf::io::ArrayInputStream input(text.data(),
                                               static_cast<int>(text.size()));
  if (!parser.Parse(&input, message)) return false;
  CheckText(*message,
            FieldPlace::Root(file, message->GetDescriptor(), locations),
            violations);
  return true;
}

}  // namespace freshline::registry
