// SPDX-License-Identifier: Apache-2.0
#include "registry/value_type.h"

#include "absl/strings/str_cat.h"

namespace freshline::registry {

absl::string_view ScalarName(Scalar scalar) {
  switch (scalar) {
    case Scalar::kBool:
      return "BOOL";
    case Scalar::kInt64:
      return "INT64";
    case Scalar::kFloat64:
      return "FLOAT64";
    case Scalar::kString:
      return "STRING";
    case Scalar::kTimestamp:
      return "TIMESTAMP";
  }
  return "unknown";
}

std::string ToString(const ValueType& type) {
  switch (type.shape) {
    case ValueType::Shape::kScalar:
      return std::string(ScalarName(type.scalar));
    case ValueType::Shape::kList:
      return absl::StrCat("list of ", ScalarName(type.scalar));
    case ValueType::Shape::kVector:
      return absl::StrCat("vector of ", type.dim);
  }
  return "unknown";
}

}  // namespace freshline::registry
