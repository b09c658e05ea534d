// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ingest/column_input.h"
#include "registry/entity_key.h"
#include "registry/revision.h"

namespace freshline::ingest {

// Longest value of a STRING join key, in bytes.
inline constexpr size_t kKeyStringBytesMax = 512;

// Whether a key column may have one value that holds for every row.
enum class KeyShape : uint8_t {
  kOnePerRow,       // events
  kOneOrOnePerRow,  // the entities of a query
};

// Builds the canonical key bytes (registry/entity_key.h) of one entity from
// columns. Everything that can be wrong is found by Create(), so that reading
// a key cannot fail.
//
// Thread-safety: const methods from any thread, each with its own builder.
// A view: valid while the columns are.
class KeyExtractor {
 public:
  // Finds the join keys of `entity` among `columns`; other columns are left
  // alone. `where` begins every message, e.g. "entities" or "events[0]".
  // Returns: INVALID_ARGUMENT naming the column, the row and what to send
  // instead, for a join key that is missing, given twice, of another type, of
  // another size than `rows` (or 1, where `shape` allows it), NULL, or longer
  // than kKeyStringBytesMax. Cost: O(columns + rows of STRING keys).
  static absl::StatusOr<KeyExtractor> Create(
      const registry::Entity& entity, std::span<const ColumnInput> columns,
      size_t rows, KeyShape shape, absl::string_view where);

  // Every key column has one value that holds for all rows: Key(0) is the key
  // of each row. False for KeyShape::kOnePerRow.
  bool shared() const { return shared_; }

  // The key of one row; valid until the next use of `builder`.
  // REQUIRES: row < rows.
  absl::string_view Key(size_t row, registry::EntityKeyBuilder* builder) const;

 private:
  struct Part {
    const ColumnInput* column = nullptr;
    bool broadcast = false;
  };
  std::vector<Part> parts_;  // in the order of the entity's keys
  bool shared_ = false;
};

// Checks that a column is what `name` was declared to be: same type, `rows`
// values, NULL rows ascending and in range. Returns: INVALID_ARGUMENT naming
// column and row.
absl::Status CheckColumn(const ColumnInput& column, registry::Scalar declared,
                         size_t rows, absl::string_view where);

}  // namespace freshline::ingest
