// SPDX-License-Identifier: Apache-2.0
#include "cli/print.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/check.h"
#include "base/number_text.h"
#include "freshline/v1/feature_store.pb.h"

namespace freshline::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

size_t Width(const std::string& text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(),
      [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// Elements of a list: numbers shortest, strings as they are.
template <typename Element>
std::string ElementText(const Element& element) {
  if constexpr (std::is_floating_point_v<Element>) {
    return base::ShortestText(element);
  } else if constexpr (std::is_same_v<Element, bool>) {
    return element ? "true" : "false";
  } else {
    return std::string(absl::StrCat(element));
  }
}

template <typename Elements>
std::string ListText(const Elements& elements) {
  constexpr size_t kShown = 8;
  std::string text = "[";
  for (size_t i = 0; i < std::min(kShown, elements.size()); ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ", ", ElementText(elements[i]));
  }
  if (elements.size() > kShown) {
    absl::StrAppend(&text, ", ... ", elements.size(), " in all");
  }
  return text + "]";
}

std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", absl::Utf8SafeCEscape(text), "\"");
}

std::string AgeText(int64_t time_us, int64_t now_us) {
  return time_us == 0 ? "never" : DurationText(now_us - time_us) + " ago";
}

std::string ScalarText(const Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(reflection.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(reflection.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(reflection.GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(reflection.GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return base::ShortestText(reflection.GetDouble(message, &field));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return base::ShortestText(reflection.GetFloat(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetBool(message, &field) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return reflection.GetEnum(message, &field)->name();
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection.GetString(message, &field);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  return "";
}

// One message, that is neither a list nor a map of them.
bool IsMessage(const FieldDescriptor& field) {
  return !field.is_repeated() &&
         field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
}

// Map entries in the order of their keys, which the map itself does not have.
std::vector<std::pair<std::string, std::string>> MapEntries(
    const Message& message, const FieldDescriptor& field) {
  std::vector<std::pair<std::string, std::string>> entries;
  const Reflection& reflection = *message.GetReflection();
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    const Message& entry = reflection.GetRepeatedMessage(message, &field, i);
    entries.emplace_back(
        ScalarText(entry, *entry.GetDescriptor()->map_key()),
        ScalarText(entry, *entry.GetDescriptor()->map_value()));
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

void CollectScalars(const Message& message, const std::string& prefix,
                    TextTable& table) {
  const auto& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const std::string name = prefix + field.name();
    if (field.is_map()) {
      for (auto& [key, value] : MapEntries(message, field)) {
        table.Add({absl::StrCat(name, ".", key), value});
      }
    } else if (field.is_repeated()) {
      continue;
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      CollectScalars(message.GetReflection()->GetMessage(message, &field),
                     name + ".", table);
    } else {
      table.Add({name, ScalarText(message, field)});
    }
  }
}

// Names of the columns of a table of such messages: those of a message in it
// stand behind its own name.
void AddHeader(const google::protobuf::Descriptor& type,
               const std::string& prefix, std::vector<std::string>* header) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const std::string name = prefix + field.name();
    if (IsMessage(field)) {
      AddHeader(*field.message_type(), name + ".", header);
    } else {
      header->push_back(name);
    }
  }
}

void AddCells(const Message& message, std::vector<std::string>* cells) {
  const auto& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (IsMessage(field)) {
      AddCells(message.GetReflection()->GetMessage(message, &field), cells);
    } else if (field.is_map()) {
      std::string text;
      for (const auto& [key, value] : MapEntries(message, field)) {
        absl::StrAppend(&text, text.empty() ? "" : ", ", value, " ", key);
      }
      cells->push_back(text);
    } else if (field.is_repeated()) {
      cells->push_back(absl::StrCat(
          message.GetReflection()->FieldSize(message, &field), " in all"));
    } else {
      cells->push_back(ScalarText(message, field));
    }
  }
}

void PrintRepeated(const Message& message, const FieldDescriptor& field,
                   std::ostream& out) {
  const Reflection& reflection = *message.GetReflection();
  std::vector<std::string> header;
  AddHeader(*field.message_type(), "", &header);
  TextTable table(header);
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    std::vector<std::string> cells;
    AddCells(reflection.GetRepeatedMessage(message, &field, i), &cells);
    table.Add(std::move(cells));
  }
  if (table.empty()) return;
  out << "\n" << field.name() << "\n";
  table.Print(out);
}

}  // namespace

TextTable::TextTable(std::vector<std::string> header) {
  lines_.push_back(std::move(header));
}

void TextTable::Add(std::vector<std::string> cells) {
  FRESHLINE_CHECK(cells.size() == lines_.front().size());
  lines_.push_back(std::move(cells));
}

void TextTable::Print(std::ostream& out) const {
  std::vector<size_t> widths(lines_.front().size(), 0);
  for (const auto& line : lines_) {
    for (size_t i = 0; i < line.size(); ++i) {
      widths[i] = std::max(widths[i], Width(line[i]));
    }
  }
  for (const auto& line : lines_) {
    std::string text;
    for (size_t i = 0; i < line.size(); ++i) {
      text += line[i];
      text.append(widths[i] - Width(line[i]) + 2, ' ');
    }
    text.erase(text.find_last_not_of(' ') + 1);
    if (!text.empty()) out << text << "\n";
  }
}

std::string DurationText(int64_t us) {
  const double x = static_cast<double>(us);
  const double size = x < 0 ? -x : x;
  if (size < 1e3) return absl::StrFormat("%d us", us);
  if (size < 1e6) return absl::StrFormat("%.1f ms", x / 1e3);
  if (size < 120e6) return absl::StrFormat("%.1f s", x / 1e6);
  if (size < 7200e6) return absl::StrFormat("%.0f min", x / 60e6);
  if (size < 172800e6) return absl::StrFormat("%.1f h", x / 3600e6);
  return absl::StrFormat("%.1f d", x / 86400e6);
}

std::string ValueText(const FeatureView& feature, size_t row) {
  if (!feature.HasValue(row)) return "-";
  if (const auto v = feature.Int64(row); v.ok()) return absl::StrCat(*v);
  if (const auto v = feature.Float64(row); v.ok())
    return base::ShortestText(*v);
  if (const auto v = feature.Bool(row); v.ok()) return *v ? "true" : "false";
  if (const auto v = feature.String(row); v.ok()) return Quoted(*v);
  if (const auto v = feature.TimestampUs(row); v.ok()) return absl::StrCat(*v);
  if (const auto v = feature.Vector(row); v.ok()) return ListText(*v);
  if (const auto v = feature.BoolList(row); v.ok()) return ListText(*v);
  if (const auto v = feature.Int64List(row); v.ok()) return ListText(*v);
  if (const auto v = feature.Float64List(row); v.ok()) return ListText(*v);
  if (const auto v = feature.StringList(row); v.ok()) {
    std::vector<std::string> quoted;
    for (absl::string_view text : *v) quoted.push_back(Quoted(text));
    return ListText(quoted);
  }
  return "(of a type that this version does not know)";
}

void PrintAnswer(const FeatureAnswer& answer, int64_t now_us,
                 std::ostream& out) {
  TextTable table({"FEATURE", "ROW", "VALUE", "STATUS", "OBTAINED", "FIDELITY",
                   "PENDING", "COMPUTED", "SEQUENCE"});
  for (size_t i = 0; i < answer.feature_count(); ++i) {
    const FeatureView feature = answer.feature(i);
    for (size_t row = 0; row < answer.rows(); ++row) {
      const RowFreshness fresh = feature.freshness(row);
      table.Add({std::string(feature.name().data(), feature.name().size()),
                 absl::StrCat(row), ValueText(feature, row),
                 ToString(feature.status(row)), ToString(fresh.obtained),
                 ToString(fresh.fidelity), absl::StrCat(fresh.pending_events),
                 AgeText(fresh.as_of_us, now_us),
                 absl::StrCat(fresh.as_of_sequence)});
    }
  }
  table.Print(out);
  out << "revision " << answer.revision() << "\n";
  if (answer.price() > 0) {
    out << "price " << base::ShortestText(answer.price())
        << " per worker-millisecond when a refresh was given up\n";
  }
  for (size_t b = 0; b < answer.event_batches(); ++b) {
    const EventAnswer events = answer.events(b);
    for (size_t i = 0; i < events.size(); ++i) {
      out << "event " << b << "." << i << ": " << ToString(events.status(i))
          << ", sequence " << events.ingest_sequence(i) << ", "
          << ToString(events.ack_level()) << "\n";
    }
  }
}

void PrintFields(const Message& message, std::ostream& out) {
  TextTable scalars({"", ""});
  CollectScalars(message, "", scalars);
  scalars.Print(out);
  const auto& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (field.is_repeated() && !field.is_map() &&
        field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      PrintRepeated(message, field, out);
    }
  }
}

absl::Status PrintJson(const Message& message, bool pretty, std::ostream& out) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = pretty;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto status =
      google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) return absl::InternalError(status.ToString());
  out << json << (pretty ? "" : "\n");
  return absl::OkStatus();
}

}  // namespace freshline::cli
