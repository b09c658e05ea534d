// SPDX-License-Identifier: Apache-2.0
#include "registry/value_check.h"

#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/duration_text.h"
#include "google/protobuf/descriptor.h"
#include "registry/validate.h"

namespace freshline::registry {
namespace {

namespace v1 = freshline::v1;

// The field of oneof `oneof` that is set, or "" where none is.
absl::string_view SetField(const google::protobuf::Message& message,
                           const char* oneof) {
  const auto* field = message.GetReflection()->GetOneofFieldDescriptor(
      message, message.GetDescriptor()->FindOneofByName(oneof));
  if (field == nullptr) return "";
  return field->name();
}

// The field of v1::Value that holds a scalar of this type.
absl::string_view FieldOf(Scalar type) {
  switch (type) {
    case Scalar::kBool:
      return "bool";
    case Scalar::kInt64:
      return "int64";
    case Scalar::kFloat64:
      return "float64";
    case Scalar::kString:
      return "string";
    case Scalar::kTimestamp:
      return "timestamp_us";
  }
  return "";
}

// The field of v1::Values that holds a list of them.
absl::string_view ListFieldOf(Scalar type) {
  return type == Scalar::kTimestamp ? "timestamps_us"
         : type == Scalar::kBool    ? "bools"
         : type == Scalar::kInt64   ? "int64s"
         : type == Scalar::kFloat64 ? "float64s"
                                    : "strings";
}

// Whether the field that is set is the one wanted; reports if not.
bool IsSet(const FieldPlace& place, absl::string_view set,
           absl::string_view wanted, const ValueType& type,
           Violations* violations) {
  if (set == wanted) return true;
  place.Report(
      absl::StrCat(set.empty() ? "has no value" : absl::StrCat("is ", set),
                   ", but the type is ", ToString(type), ": write { ", wanted,
                   ": ... }"),
      violations);
  return false;
}

template <typename Numbers>
bool AreFinite(const FieldPlace& place, const Numbers& numbers,
               Violations* violations) {
  for (int i = 0; i < numbers.size(); ++i) {
    if (std::isfinite(numbers[i])) continue;
    place.Report(absl::StrCat("element ", i, " is ", numbers[i],
                              ": every number must be finite"),
                 violations);
    return false;
  }
  return true;
}

bool CheckScalar(const FieldPlace& place, const v1::Value& value, Scalar type,
                 Violations* violations) {
  const absl::string_view set = SetField(value, "value");
  if (!IsSet(place, set, FieldOf(type), ValueType::Of(type), violations)) {
    return false;
  }
  if (type == Scalar::kFloat64 && !std::isfinite(value.float64())) {
    place.Report(absl::StrCat("is ", value.float64(), ": it must be finite"),
                 violations);
    return false;
  }
  if (value.string().size() > kDefaultStringBytesMax) {
    place.Report(absl::StrCat("has ", value.string().size(), " bytes; at most ",
                              kDefaultStringBytesMax, " are allowed"),
                 violations);
    return false;
  }
  return true;
}

// A list has one kind; the others are empty.
int ListSize(const v1::Values& list) {
  return list.bools().values_size() + list.int64s().values_size() +
         list.float64s().values_size() + list.strings().values_size() +
         list.timestamps_us().values_size();
}

bool CheckList(const FieldPlace& place, const v1::Value& value,
               const ValueType& type, Violations* violations) {
  const absl::string_view set = SetField(value, "value");
  if (!IsSet(place, set, "list", type, violations)) return false;
  const FieldPlace list = place.Field("list");
  const absl::string_view kind = SetField(value.list(), "kind");
  const absl::string_view wanted = ListFieldOf(type.scalar);
  // No element at all is the empty list of any type.
  if (!kind.empty() && !IsSet(list, kind, wanted, type, violations)) {
    return false;
  }
  const int size = ListSize(value.list());
  if (size > static_cast<int>(kDefaultElementsMax)) {
    list.Report(absl::StrCat("has ", size, " elements; at most ",
                             kDefaultElementsMax, " are allowed"),
                violations);
    return false;
  }
  for (const std::string& element : value.list().strings().values()) {
    if (element.size() <= kDefaultStringBytesMax) continue;
    list.Report(
        absl::StrCat("an element has ", element.size(), " bytes; at most ",
                     kDefaultStringBytesMax, " are allowed"),
        violations);
    return false;
  }
  return AreFinite(list, value.list().float64s().values(), violations);
}

bool CheckVector(const FieldPlace& place, const v1::Value& value,
                 const ValueType& type, Violations* violations) {
  const absl::string_view set = SetField(value, "value");
  if (!IsSet(place, set, "vector", type, violations)) return false;
  const FieldPlace vector = place.Field("vector");
  const v1::FloatVectors& floats = value.vector();
  if (floats.dim() != type.dim) {
    vector.Field("dim").Report(
        absl::StrCat("is ", floats.dim(), ", but the type is ", ToString(type)),
        violations);
    return false;
  }
  if (floats.values_size() != static_cast<int>(type.dim)) {
    vector.Report(absl::StrCat("has ", floats.values_size(),
                               " values, but the type is ", ToString(type)),
                  violations);
    return false;
  }
  return AreFinite(vector, floats.values(), violations);
}

void WriteList(const v1::Values& list, Scalar type, size_t i, RowWriter* row) {
  switch (type) {
    case Scalar::kFloat64: {
      const auto& values = list.float64s().values();
      row->SetFloat64List(i,
                          {values.data(), static_cast<size_t>(values.size())});
      return;
    }
    case Scalar::kString: {
      const auto& values = list.strings().values();
      const std::vector<absl::string_view> views(values.begin(), values.end());
      row->SetStringList(i, views);
      return;
    }
    case Scalar::kBool: {
      const auto& values = list.bools().values();
      row->SetInt64List(i, std::vector<int64_t>(values.begin(), values.end()));
      return;
    }
    case Scalar::kInt64:
    case Scalar::kTimestamp: {
      const auto& values = type == Scalar::kInt64
                               ? list.int64s().values()
                               : list.timestamps_us().values();
      row->SetInt64List(i, std::vector<int64_t>(values.begin(), values.end()));
      return;
    }
  }
}

}  // namespace

std::optional<Scalar> ReadScalarType(const FieldPlace& place,
                                     v1::ScalarType type,
                                     Violations* violations) {
  if (v1::ScalarType_IsValid(type) && type != v1::SCALAR_TYPE_UNSPECIFIED) {
    return static_cast<Scalar>(type);
  }
  place.Report("is required: one of BOOL, INT64, FLOAT64, STRING, TIMESTAMP",
               violations);
  return std::nullopt;
}

std::optional<ValueType> ReadValueType(const FieldPlace& place,
                                       const v1::ValueType& type,
                                       Violations* violations) {
  if (type.has_scalar()) {
    const auto scalar =
        ReadScalarType(place.Field("scalar"), type.scalar(), violations);
    if (!scalar.has_value()) return std::nullopt;
    return ValueType::Of(*scalar);
  }
  if (type.has_list()) {
    const auto scalar =
        ReadScalarType(place.Field("list"), type.list(), violations);
    if (!scalar.has_value()) return std::nullopt;
    return ValueType::ListOf(*scalar);
  }
  if (type.has_vector_dim()) {
    const auto dim = ReadCount(place.Field("vector_dim"), type.vector_dim(),
                               kVectorDimMax, violations);
    if (!dim.has_value()) return std::nullopt;
    return ValueType::Vector(*dim);
  }
  place.Report(
      "is required: { scalar: INT64 }, { list: STRING } or { vector_dim: 64 }",
      violations);
  return std::nullopt;
}

std::optional<base::Duration> ReadDuration(const FieldPlace& place,
                                           const std::string& text,
                                           Violations* violations) {
  if (text.empty()) {
    place.Report("is required: a duration such as \"14d\" or \"30ms\"",
                 violations);
    return std::nullopt;
  }
  const auto duration = base::ParseDuration(text);
  if (!duration.ok()) {
    place.Report(duration.status().message(), violations);
    return std::nullopt;
  }
  if (*duration <= base::Duration::zero()) {
    place.Report(absl::StrCat("\"", text, "\" must be longer than 0"),
                 violations);
    return std::nullopt;
  }
  return *duration;
}

double ReadWeight(const FieldPlace& place, std::optional<double> given,
                  Violations* violations) {
  const double weight = given.value_or(1);
  if (std::isfinite(weight) && weight > 0) return weight;
  place.Report(
      absl::StrCat("is ", weight, ": it must be finite and greater than 0"),
      violations);
  return 1;
}

std::optional<uint32_t> ReadCount(const FieldPlace& place, uint32_t count,
                                  uint32_t max, Violations* violations) {
  if (count >= 1 && count <= max) return count;
  place.Report(absl::StrCat("is ", count, ": it must be 1 to ", max),
               violations);
  return std::nullopt;
}

std::optional<ScalarValue> ReadOperand(const FieldPlace& place,
                                       const v1::Value& value, Scalar type,
                                       Violations* violations) {
  if (type == Scalar::kFloat64 && value.has_int64()) {
    return ScalarValue{static_cast<double>(value.int64())};
  }
  if (!CheckScalar(place, value, type, violations)) return std::nullopt;
  switch (type) {
    case Scalar::kBool:
      return ScalarValue{int64_t{value.bool_() ? 1 : 0}};
    case Scalar::kInt64:
      return ScalarValue{value.int64()};
    case Scalar::kFloat64:
      return ScalarValue{value.float64()};
    case Scalar::kString:
      return ScalarValue{value.string()};
    case Scalar::kTimestamp:
      return ScalarValue{value.timestamp_us()};
  }
  return std::nullopt;
}

bool CheckDefault(const FieldPlace& place, const v1::Value& value,
                  const ValueType& type, Violations* violations) {
  switch (type.shape) {
    case ValueType::Shape::kScalar:
      return CheckScalar(place, value, type.scalar, violations);
    case ValueType::Shape::kList:
      return CheckList(place, value, type, violations);
    case ValueType::Shape::kVector:
      return CheckVector(place, value, type, violations);
  }
  return false;
}

void WriteDefault(const v1::Value& value, const ValueType& type, size_t i,
                  RowWriter* row) {
  if (type.shape == ValueType::Shape::kVector) {
    const auto& floats = value.vector().values();
    row->SetVector(i, {floats.data(), static_cast<size_t>(floats.size())});
  } else if (type.shape == ValueType::Shape::kList) {
    WriteList(value.list(), type.scalar, i, row);
  } else if (type.scalar == Scalar::kFloat64) {
    row->SetFloat64(i, value.float64());
  } else if (type.scalar == Scalar::kString) {
    row->SetString(i, value.string());
  } else if (type.scalar == Scalar::kBool) {
    row->SetBool(i, value.bool_());
  } else {
    row->SetInt64(i, type.scalar == Scalar::kInt64 ? value.int64()
                                                   : value.timestamp_us());
  }
  row->SetStatus(i, ValueStatus::kDefaulted);
}

}  // namespace freshline::registry
