// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

#include "absl/strings/string_view.h"
#include "registry/value_type.h"

namespace freshline::ingest {

// A named column as a request carried it, free of the wire: views of memory
// that the request owns. Where a row is NULL its element is ignored.
struct ColumnInput {
  using Values = std::variant<std::span<const int64_t>,  // INT64, TIMESTAMP
                              std::span<const double>,   // FLOAT64
                              std::span<const bool>,     // BOOL
                              std::span<const absl::string_view>>;  // STRING

  absl::string_view name;
  registry::Scalar type = registry::Scalar::kInt64;  // as sent
  Values values;                        // the alternative of `type`
  std::span<const uint32_t> null_rows;  // ascending; empty: none

  size_t size() const {
    return std::visit([](const auto& v) { return v.size(); }, values);
  }
};

}  // namespace freshline::ingest
