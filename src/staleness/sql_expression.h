// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "staleness/signals.h"

namespace freshline::staleness {

// A scalar SQL expression over the signals of a row, evaluated by SQLite.
//
// Names: pending, seen, age_s (seconds, at most a day), cold (1 where nothing
// was seen, else 0), waiting_s (seconds since the first pending event came, at
// most a day) and regret (RowSignals). All are REAL: they divide as numbers do.
// Allowed are operators, CASE, CAST,
// literals and the functions abs, ceil, coalesce, exp, floor, ifnull, iif, ln,
// log10, max, min, nullif, pow, power, round, sign and sqrt. Subqueries,
// tables, aggregates of other names and functions that could allocate or run
// long are refused, so that cost is bounded by the text; SQLite's own steps are
// bounded besides.
//
// Thread-safety: any thread; each concurrent caller gets a statement of its
// own, and statements are kept. Cost: a few microseconds.
class SqlExpression {
 public:
  static constexpr size_t kBytesMax = 1024;

  // Returns: INVALID_ARGUMENT with SQLite's reason, and for an unknown name
  // the nearest signals.
  static absl::StatusOr<std::unique_ptr<SqlExpression>> Compile(
      absl::string_view expression);
  ~SqlExpression();

  // The value, or nullopt where it is NULL, no number, not finite or negative,
  // where SQLite reports an error, or where it ran out of steps.
  std::optional<double> Evaluate(const RowSignals& row) const;

  // What to warn of: the expression has the same value for 400 stale rows of
  // every kind, or none for all of them. Cost: as many evaluations.
  std::optional<std::string> Doubt() const;

 private:
  class Statement;
  explicit SqlExpression(absl::string_view expression);

  const std::string text_;
  mutable base::Mutex mu_;
  mutable std::vector<std::unique_ptr<Statement>> idle_ ABSL_GUARDED_BY(mu_);
};

}  // namespace freshline::staleness
