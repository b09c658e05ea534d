// SPDX-License-Identifier: Apache-2.0
#include "ingest/key_extract.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/foreign_text.h"
#include "base/status_macros.h"
#include "registry/value_type.h"

namespace freshline::ingest {

using registry::Scalar;
using registry::ValueType;

namespace {

constexpr size_t kNamesShown = 10;

std::string TypeName(Scalar type) { return ToString(ValueType::Of(type)); }

std::string ColumnName(absl::string_view where, absl::string_view column) {
  return absl::StrCat(where, ": column ", base::Quoted(column));
}

// ' (columns given: "a", "b")', for who mistook a name.
std::string NamesGiven(std::span<const ColumnInput> columns) {
  if (columns.empty()) return " (no column is given)";
  std::string text = " (columns given: ";
  for (size_t i = 0; i < columns.size() && i < kNamesShown; ++i) {
    absl::StrAppend(&text, i > 0 ? ", " : "", base::Quoted(columns[i].name));
  }
  absl::StrAppend(&text, columns.size() > kNamesShown ? ", ...)" : ")");
  return text;
}

absl::StatusOr<const ColumnInput*> FindKeyColumn(
    const registry::Entity& entity, const registry::JoinKey& key,
    std::span<const ColumnInput> columns, absl::string_view where) {
  const ColumnInput* found = nullptr;
  const absl::string_view name(key.name.data(), key.name.size());
  for (const ColumnInput& column : columns) {
    if (column.name != name) continue;
    if (found != nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(
          ColumnName(where, name), " is given twice; send it once"));
    }
    found = &column;
  }
  if (found == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        ColumnName(where, name), " is missing: it is a join key of entity \"",
        entity.name, "\"; send one ", TypeName(key.type), " per row",
        NamesGiven(columns)));
  }
  return found;
}

absl::Status CheckKeyStrings(const ColumnInput& column,
                             absl::string_view where) {
  const auto* strings =
      std::get_if<std::span<const absl::string_view>>(&column.values);
  if (strings == nullptr) return absl::OkStatus();
  for (size_t row = 0; row < strings->size(); ++row) {
    const size_t bytes = (*strings)[row].size();
    if (bytes <= kKeyStringBytesMax) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        ColumnName(where, column.name), ", row ", row, ": key of ", bytes,
        " bytes; at most ", kKeyStringBytesMax, " are allowed"));
  }
  return absl::OkStatus();
}

bool HoldsType(const ColumnInput::Values& values, Scalar type) {
  switch (type) {
    case Scalar::kInt64:
    case Scalar::kTimestamp:
      return std::holds_alternative<std::span<const int64_t>>(values);
    case Scalar::kFloat64:
      return std::holds_alternative<std::span<const double>>(values);
    case Scalar::kBool:
      return std::holds_alternative<std::span<const bool>>(values);
    case Scalar::kString:
      return std::holds_alternative<std::span<const absl::string_view>>(values);
  }
  return false;
}

}  // namespace

absl::Status CheckColumn(const ColumnInput& column, Scalar declared,
                         size_t rows, absl::string_view where) {
  if (column.type != declared || !HoldsType(column.values, declared)) {
    return absl::InvalidArgumentError(absl::StrCat(
        ColumnName(where, column.name), " has ", TypeName(column.type),
        " values; it is declared ", TypeName(declared)));
  }
  if (column.size() != rows) {
    return absl::InvalidArgumentError(absl::StrCat(
        ColumnName(where, column.name), " has ", column.size(), " values for ",
        rows, " rows; send one per row, with an entry for NULL ones too"));
  }
  for (size_t i = 0; i < column.null_rows.size(); ++i) {
    const uint32_t row = column.null_rows[i];
    if (row >= rows || (i > 0 && row <= column.null_rows[i - 1])) {
      return absl::InvalidArgumentError(absl::StrCat(
          ColumnName(where, column.name), ": null_rows[", i, "] is ", row,
          "; they must ascend and lie below ", rows));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<KeyExtractor> KeyExtractor::Create(
    const registry::Entity& entity, std::span<const ColumnInput> columns,
    size_t rows, KeyShape shape, absl::string_view where) {
  KeyExtractor extractor;
  extractor.shared_ = shape == KeyShape::kOneOrOnePerRow;
  for (const registry::JoinKey& key : entity.keys) {
    FRESHLINE_ASSIGN_OR_RETURN(const ColumnInput* column,
                               FindKeyColumn(entity, key, columns, where));
    const bool broadcast =
        shape == KeyShape::kOneOrOnePerRow && column->size() == 1;
    FRESHLINE_RETURN_IF_ERROR(
        CheckColumn(*column, key.type, broadcast ? 1 : rows, where));
    if (!column->null_rows.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          ColumnName(where, column->name), ", row ", column->null_rows[0],
          ": NULL; a join key must have a value in every row"));
    }
    FRESHLINE_RETURN_IF_ERROR(CheckKeyStrings(*column, where));
    extractor.parts_.push_back({column, broadcast});
    extractor.shared_ = extractor.shared_ && broadcast;
  }
  return extractor;
}

absl::string_view KeyExtractor::Key(size_t row,
                                    registry::EntityKeyBuilder* builder) const {
  builder->Clear();
  for (const Part& part : parts_) {
    const size_t at = part.broadcast ? 0 : row;
    const ColumnInput::Values& values = part.column->values;
    if (const auto* ints = std::get_if<std::span<const int64_t>>(&values)) {
      builder->AddInt64((*ints)[at]);
    } else {
      builder->AddString(
          std::get<std::span<const absl::string_view>>(values)[at]);
    }
  }
  return builder->bytes();
}

}  // namespace freshline::ingest
