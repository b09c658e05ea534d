// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace freshline {

namespace v1 {
class EventBatch;
}  // namespace v1

// Events of one source, as columns: the join keys of the source's entity and
// its event columns, one element per event. The types must be the declared
// ones; a column left out is NULL in every event. Nothing is checked here: the
// daemon knows the schema, and its error names batch, row and column.
//
//   EventRows clicks("clicks");
//   clicks.Int64s("user_id", {42}).Int64s("product_id", {1003461});
//   clicks.TimesUs({1569888000000000}).Producer("web-1", {17});
//
// Thread-safety: compatible with const access from several threads. Copying
// copies the events.
class EventRows {
 public:
  explicit EventRows(absl::string_view source);
  // Takes a batch made elsewhere (freshline/v1/feature_store.pb.h).
  explicit EventRows(v1::EventBatch batch);
  ~EventRows();
  EventRows(const EventRows& other);
  EventRows& operator=(const EventRows& other);
  EventRows(EventRows&& other) noexcept;
  EventRows& operator=(EventRows&& other) noexcept;

  // Each adds a column. A name given twice is sent twice, and refused.
  EventRows& Int64s(absl::string_view column, absl::Span<const int64_t> values);
  EventRows& Float64s(absl::string_view column,
                      absl::Span<const double> values);
  EventRows& Bools(absl::string_view column, absl::Span<const bool> values);
  EventRows& Strings(absl::string_view column,
                     absl::Span<const std::string> values);
  EventRows& TimestampsUs(absl::string_view column,
                          absl::Span<const int64_t> values);

  // Marks the rows (ascending indexes) whose value in the column added last is
  // NULL; the element that stands there is ignored.
  // REQUIRES: a column was added.
  EventRows& NullRows(absl::Span<const uint32_t> rows);

  // Event times, Unix microseconds, one per event. Required by the daemon.
  EventRows& TimesUs(absl::Span<const int64_t> times_us);

  // For deduplication: who sends (at most 128 bytes), and the sender's own
  // number of each event. With it, sending the same events again is harmless.
  EventRows& Producer(absl::string_view producer_id,
                      absl::Span<const uint64_t> sequences);

  const v1::EventBatch& proto() const { return *batch_; }

 private:
  std::unique_ptr<v1::EventBatch> batch_;
};

}  // namespace freshline
