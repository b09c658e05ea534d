// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace freshline::registry {

enum class Scalar : uint8_t {
  kBool = 1,
  kInt64 = 2,
  kFloat64 = 3,
  kString = 4,
  kTimestamp = 5,  // int64 Unix microseconds
};

// "INT64", as definitions write it.
absl::string_view ScalarName(Scalar scalar);

// The declared type of a feature: a scalar, a list of scalars, or a vector of
// `dim` 32-bit floats.
struct ValueType {
  enum class Shape : uint8_t { kScalar, kList, kVector };

  Shape shape = Shape::kScalar;
  Scalar scalar = Scalar::kInt64;  // of the element; unused for vectors
  uint32_t dim = 0;                // of vectors

  static ValueType Of(Scalar s) { return {Shape::kScalar, s, 0}; }
  static ValueType ListOf(Scalar s) { return {Shape::kList, s, 0}; }
  static ValueType Vector(uint32_t dim) {
    return {Shape::kVector, Scalar::kFloat64, dim};
  }
  friend bool operator==(const ValueType&, const ValueType&) = default;
};

// "INT64", "list of STRING", "vector of 64".
std::string ToString(const ValueType& type);

// Status of one value, as on the wire.
enum class ValueStatus : uint8_t {
  kPresent = 1,
  kNull = 2,
  kDefaulted = 3,
  kNotFound = 4,
  kOutsideMaxAge = 5,
  kTruncated = 6,
  kError = 7,
};

}  // namespace freshline::registry
