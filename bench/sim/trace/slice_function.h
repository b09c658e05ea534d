// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/job_shape.h"
#include "bench/score/queries.h"
#include "bench/score/states.h"
#include "bench/trace/click.h"
#include "featurize/feature_function.h"
#include "featurize/functions.h"
#include "featurize/item_table.h"
#include "registry/revision.h"
#include "table/event_view.h"

namespace freshline::bench {

// A slice of a trace and what its queries have seen. Views.
struct SliceView {
  ScoringTrace trace;
  const StringPool* pool = nullptr;
  const QuerySet* set = nullptr;
};

// The newest clicks of a state as events of a source, as a table would show
// them. Columns that a trace does not have are NULL. Not thread-safe.
class ClickEvents {
 public:
  // `source` outlives it.
  // REQUIRES: CheckSource(source) is OK.
  explicit ClickEvents(const registry::Source& source);

  // Returns: INVALID_ARGUMENT naming a column that has the name of one of a
  // trace's and another type.
  static absl::Status CheckSource(const registry::Source& source);

  void Fill(const SliceView& slice, UserState state, uint32_t events_max);
  // Valid until the next Fill().
  table::EventView View() const;

 private:
  struct Column {
    std::vector<int64_t> ints;
    std::vector<double> doubles;
    std::vector<std::string> strings;
    std::vector<uint8_t> nulls;
  };
  void Append(const Click& click, const StringPool& pool);

  const registry::Source& source_;
  std::vector<Column> columns_;  // as the source's
  std::vector<table::ColumnView> views_;
  std::vector<base::UnixMicros> times_;
  std::vector<base::Seq> sequences_;
};

// The real function of one feature group, computing rows of users of a trace.
//
// Thread-safety: const methods from any thread, each with its own Memory.
class SliceFunction {
 public:
  // Loads `definitions` and opens their item tables in the directory `tables`.
  // Returns: the errors of both; NOT_FOUND naming `group` where there is none;
  // INVALID_ARGUMENT where it is not of an item table or its source does not
  // fit a trace.
  static absl::StatusOr<std::unique_ptr<SliceFunction>> Load(
      const std::string& definitions, const std::string& tables,
      const std::string& group);

  const std::string& name() const { return group().name; }
  uint32_t batch_max() const { return group().batch_max; }
  // What its group's approximation is worth; nullopt where it has none.
  std::optional<double> approximation() const {
    const auto& approximate = group().approximate;
    return approximate ? std::optional(approximate->value) : std::nullopt;
  }
  const std::shared_ptr<const featurize::ItemTable>& table() const {
    return table_;
  }

  // Working memory of one thread.
  struct Memory {
    std::unique_ptr<featurize::Scratch> scratch;
    std::vector<ClickEvents> events;  // [batch_max]
    std::vector<featurize::Input> inputs;
    std::vector<registry::RowBytes> rows;
    std::vector<registry::RowBytes*> outputs;
  };
  std::unique_ptr<Memory> MakeMemory() const;

  // What the function reports as the cost of a state. In a simulation there
  // is this group alone, so that its id is 0.
  base::JobShape ShapeOf(const SliceView& slice, UserState state,
                         Memory* memory) const;

  // Reads the events of up to batch_max states; Compute() computes their rows.
  void Prepare(const SliceView& slice, std::span<const UserState> states,
               Memory* memory) const;
  absl::Status Compute(Memory* memory) const;

 private:
  SliceFunction() = default;
  const registry::FeatureGroup& group() const {
    return revision_->group(group_);
  }

  std::shared_ptr<const registry::Revision> revision_;
  base::GroupId group_{};
  featurize::ItemTables tables_;
  std::shared_ptr<const featurize::ItemTable> table_;
  std::unique_ptr<featurize::FeatureFunction> function_;
};

// The shape of each query of a slice, its click included.
std::vector<base::JobShape> ShapesOf(const SliceFunction& function,
                                     const SliceView& slice);

}  // namespace freshline::bench
