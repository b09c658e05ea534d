// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "base/time.h"
#include "freshline/v1/types.pb.h"
#include "registry/revision.h"
#include "registry/row_layout.h"
#include "registry/textproto.h"
#include "registry/value_type.h"

// Reads the small parts of definitions. Each function reports what is wrong at
// `place`, which is the field's, and then gives nothing.

namespace freshline::registry {

std::optional<Scalar> ReadScalarType(const FieldPlace& place,
                                     freshline::v1::ScalarType type,
                                     Violations* violations);

std::optional<ValueType> ReadValueType(const FieldPlace& place,
                                       const freshline::v1::ValueType& type,
                                       Violations* violations);

// A required duration, longer than 0.
std::optional<base::Duration> ReadDuration(const FieldPlace& place,
                                           const std::string& text,
                                           Violations* violations);

// A factor, 1 where absent. Must be finite and positive.
double ReadWeight(const FieldPlace& place, std::optional<double> given,
                  Violations* violations);

// A count in [1, max].
std::optional<uint32_t> ReadCount(const FieldPlace& place, uint32_t count,
                                  uint32_t max, Violations* violations);

// The operand of a filter on a column of `type`: an INT64 is widened where the
// column is FLOAT64.
std::optional<ScalarValue> ReadOperand(const FieldPlace& place,
                                       const freshline::v1::Value& value,
                                       Scalar type, Violations* violations);

// Whether `value` can be the default of a feature of `type`; reports if not.
bool CheckDefault(const FieldPlace& place, const freshline::v1::Value& value,
                  const ValueType& type, Violations* violations);

// Writes a default into feature `i` of a row, as DEFAULTED.
// REQUIRES: CheckDefault() of it and of the feature's type.
void WriteDefault(const freshline::v1::Value& value, const ValueType& type,
                  size_t i, RowWriter* row);

}  // namespace freshline::registry
