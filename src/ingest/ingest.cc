// SPDX-License-Identifier: Apache-2.0
#include "ingest/ingest.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/foreign_text.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "registry/nearest_name.h"

namespace freshline::ingest {

using base::MutexLock;
using base::UnixMicros;
using table::AppendResult;
using table::Cell;

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

constexpr size_t kStripesMax = 16;
constexpr size_t kProducersPerStripeMin = 64;

// Events applied under one hold of a stripe's lock.
constexpr size_t kRowsPerHold = 32;

absl::string_view View(const std::string& s) { return {s.data(), s.size()}; }

uint64_t HashBytes(absl::string_view bytes) {
  uint64_t h = bytes.size();
  for (const char c : bytes) {
    h = base::MixBits(h ^ static_cast<unsigned char>(c));
  }
  return h;
}

EventStatus StatusOf(AppendResult result) {
  switch (result) {
    case AppendResult::kAccepted:
      return EventStatus::kAccepted;
    case AppendResult::kLate:
      return EventStatus::kLate;
    case AppendResult::kExhausted:
      return EventStatus::kExhausted;
  }
  return EventStatus::kExhausted;
}

// Reads the cells of one row after another, rows ascending.
class RowReader {
 public:
  explicit RowReader(std::span<const ColumnInput* const> columns)
      : columns_(columns), cells_(columns.size()), next_null_(columns.size()) {}

  std::span<const Cell> Read(size_t row) {
    for (size_t c = 0; c < columns_.size(); ++c) {
      if (columns_[c] != nullptr) cells_[c] = ReadCell(c, row);
    }
    return cells_;
  }

 private:
  Cell ReadCell(size_t c, size_t row) {
    const ColumnInput& column = *columns_[c];
    size_t& next = next_null_[c];
    if (next < column.null_rows.size() && column.null_rows[next] == row) {
      ++next;
      return {};
    }
    if (const auto* v = std::get_if<std::span<const int64_t>>(&column.values)) {
      return (*v)[row];
    }
    if (const auto* v = std::get_if<std::span<const double>>(&column.values)) {
      if (std::isnan((*v)[row])) return {};
      return (*v)[row];
    }
    if (const auto* v = std::get_if<std::span<const bool>>(&column.values)) {
      return int64_t{(*v)[row]};
    }
    return std::get<std::span<const absl::string_view>>(column.values)[row];
  }

  const std::span<const ColumnInput* const> columns_;
  std::vector<Cell> cells_;
  std::vector<size_t> next_null_;
};

absl::Status UnknownSource(const registry::Revision& revision,
                           absl::string_view source, absl::string_view where) {
  std::vector<std::string> names;
  for (const registry::Source& s : revision.sources()) names.push_back(s.name);
  return absl::NotFoundError(
      absl::StrCat(where, ".source: no source is named ", base::Quoted(source),
                   registry::SuggestName(source, names)));
}

absl::Status UnknownColumn(const registry::Source& source,
                           absl::string_view column, absl::string_view where) {
  std::vector<std::string> names;
  for (const registry::EventColumn& c : source.columns) names.push_back(c.name);
  return absl::InvalidArgumentError(
      absl::StrCat(where, ": source \"", source.name, "\" has no column ",
                   base::Quoted(column), registry::SuggestName(column, names)));
}

bool IsJoinKey(const registry::Entity& entity, absl::string_view column) {
  return std::any_of(
      entity.keys.begin(), entity.keys.end(),
      [&](const registry::JoinKey& key) { return View(key.name) == column; });
}

}  // namespace

EventIngest::EventIngest(std::shared_ptr<const registry::Revision> revision,
                         table::Table* table, const base::Clock* clock,
                         Options options, ChangeListener* listener)
    : revision_(std::move(revision)),
      table_(table),
      clock_(clock),
      options_(options),
      listener_(listener) {
  FRESHLINE_CHECK(options_.producers_max > 0);
  FRESHLINE_CHECK(options_.future_us_max >= 0);
  const size_t stripes = std::clamp<size_t>(
      options_.producers_max / kProducersPerStripeMin, 1, kStripesMax);
  for (size_t i = 0; i < stripes; ++i) {
    stripes_.push_back(
        std::make_unique<Stripe>(options_.producers_max / stripes));
  }
}

absl::StatusOr<PreparedEvents> EventIngest::Prepare(
    std::span<const DecodedBatch> batches, absl::string_view where) {
  PreparedEvents events;
  for (size_t i = 0; i < batches.size(); ++i) {
    auto batch = PrepareBatch(batches[i], absl::StrCat(where, "[", i, "]"));
    if (!batch.ok()) {
      requests_refused_.fetch_add(1, kRelaxed);
      return std::move(batch).status();
    }
    batch->begin = events.rows_;
    events.rows_ += batches[i].event_time_us.size();
    events.batches_.push_back(*std::move(batch));
  }
  return events;
}

absl::StatusOr<PreparedEvents::Batch> EventIngest::PrepareBatch(
    const DecodedBatch& batch, absl::string_view where) const {
  const auto source_index = revision_->FindSourceIndex(batch.source);
  if (!source_index) return UnknownSource(*revision_, batch.source, where);
  const registry::Source& source = revision_->sources()[*source_index];
  const registry::Entity& entity = revision_->entities()[source.entity];
  const size_t rows = batch.event_time_us.size();

  PreparedEvents::Batch prepared;
  prepared.input = &batch;
  prepared.source = *source_index;
  prepared.columns.resize(source.columns.size(), nullptr);
  FRESHLINE_ASSIGN_OR_RETURN(prepared.keys,
                             KeyExtractor::Create(entity, batch.columns, rows,
                                                  KeyShape::kOnePerRow, where));
  for (const ColumnInput& column : batch.columns) {
    const auto index = source.FindColumn(column.name);
    if (!index) {
      if (IsJoinKey(entity, column.name)) continue;
      return UnknownColumn(source, column.name, where);
    }
    if (prepared.columns[*index] != nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": column ", base::Quoted(column.name),
                       " is given twice; send it once"));
    }
    prepared.columns[*index] = &column;
    FRESHLINE_RETURN_IF_ERROR(
        CheckColumn(column, source.columns[*index].type, rows, where));
    FRESHLINE_RETURN_IF_ERROR(CheckCells(column, where));
  }
  FRESHLINE_RETURN_IF_ERROR(CheckTimes(batch, where));
  FRESHLINE_RETURN_IF_ERROR(CheckProducer(batch, where));
  return prepared;
}

absl::Status EventIngest::CheckTimes(const DecodedBatch& batch,
                                     absl::string_view where) const {
  for (size_t row = 0; row < batch.event_time_us.size(); ++row) {
    const int64_t time_us = batch.event_time_us[row];
    if (time_us >= base::kEventTimeMinUs && time_us <= base::kEventTimeMaxUs)
      continue;
    return absl::InvalidArgumentError(absl::StrCat(
        where, ".event_time_us[", row, "] is ", time_us,
        "; it must be Unix microseconds, e.g. 1704067200000000 for the start "
        "of 2024 (seconds, milliseconds or nanoseconds were sent?)"));
  }
  return absl::OkStatus();
}

absl::Status EventIngest::CheckProducer(const DecodedBatch& batch,
                                        absl::string_view where) const {
  const size_t rows = batch.event_time_us.size();
  const size_t sequences = batch.producer_sequence.size();
  if (batch.producer_id.size() > options_.producer_id_bytes_max) {
    return absl::InvalidArgumentError(absl::StrCat(
        where, ".producer_id has ", batch.producer_id.size(),
        " bytes; at most ", options_.producer_id_bytes_max, " are allowed"));
  }
  if (batch.producer_id.empty()) {
    if (sequences == 0) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(where,
                     ".producer_sequence is given without producer_id; send "
                     "both to deduplicate, or neither"));
  }
  if (sequences != rows) {
    return absl::InvalidArgumentError(absl::StrCat(
        where, ".producer_sequence has ", sequences, " values for ", rows,
        " events; with a producer_id send one per event"));
  }
  return absl::OkStatus();
}

absl::Status EventIngest::CheckCells(const ColumnInput& column,
                                     absl::string_view where) const {
  const auto is_null = [&](size_t row) {
    return std::binary_search(column.null_rows.begin(), column.null_rows.end(),
                              static_cast<uint32_t>(row));
  };
  if (const auto* v = std::get_if<std::span<const double>>(&column.values)) {
    for (size_t row = 0; row < v->size(); ++row) {
      if (!std::isinf((*v)[row]) || is_null(row)) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          where, ": column ", base::Quoted(column.name), ", row ", row,
          ": the number is infinite; send a finite one, or NULL"));
    }
  }
  if (const auto* v =
          std::get_if<std::span<const absl::string_view>>(&column.values)) {
    for (size_t row = 0; row < v->size(); ++row) {
      const size_t bytes = (*v)[row].size();
      if (bytes <= options_.string_bytes_max || is_null(row)) continue;
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": column ", base::Quoted(column.name), ", row ",
                       row, ": string of ", bytes, " bytes; at most ",
                       options_.string_bytes_max, " are allowed"));
    }
  }
  return absl::OkStatus();
}

EventIngest::Stripe* EventIngest::StripeOf(absl::string_view producer) const {
  if (producer.empty()) return nullptr;
  return stripes_[HashBytes(producer) % stripes_.size()].get();
}

std::vector<EventResult> EventIngest::Apply(const PreparedEvents& events) {
  std::vector<EventResult> results(events.rows());
  std::vector<Change> changes;
  changes.reserve(events.rows());
  const Clocks clocks{clock_->WallNowMicros(), clock_->LatestWallMicros()};
  for (const PreparedEvents::Batch& batch : events.batches_) {
    const auto of_batch = std::span(results).subspan(
        batch.begin, batch.input->event_time_us.size());
    ApplyBatch(batch, clocks, of_batch, &changes);
  }
  uint64_t by_status[kStatuses] = {};
  for (const EventResult& r : results) {
    ++by_status[static_cast<size_t>(r.status)];
  }
  for (size_t s = 0; s < kStatuses; ++s) {
    if (by_status[s] > 0) by_status_[s].fetch_add(by_status[s], kRelaxed);
  }
  if (listener_ != nullptr && !changes.empty()) listener_->OnEvents(changes);
  return results;
}

void EventIngest::ApplyBatch(const PreparedEvents::Batch& batch,
                             const Clocks& clocks,
                             std::span<EventResult> results,
                             std::vector<Change>* changes) {
  const auto [now_us, latest_us] = clocks;
  const DecodedBatch& input = *batch.input;
  RowReader reader(batch.columns);
  registry::EntityKeyBuilder key;
  const auto append = [&, now = now_us, latest = latest_us](size_t row) {
    const int64_t time_us = input.event_time_us[row];
    const std::span<const Cell> cells = reader.Read(row);
    if (time_us > latest + options_.future_us_max) {
      results[row] = {EventStatus::kFuture, 0};
      return false;
    }
    const auto appended = table_->Append(
        batch.source, batch.keys.Key(row, &key), {time_us, cells}, now);
    results[row] = {StatusOf(appended.result), appended.sequence};
    if (appended.result != AppendResult::kAccepted) return false;
    changes->push_back({batch.source, appended.key, appended.sequence});
    return true;
  };

  Stripe* const stripe = StripeOf(input.producer_id);
  if (stripe == nullptr) {
    for (size_t row = 0; row < results.size(); ++row) append(row);
    return;
  }
  for (size_t row = 0; row < results.size();) {
    // Looked up, applied and marked in one: an event that arrives twice at
    // once must not pass twice.
    MutexLock lock(&stripe->mu);
    SequenceWindow& window = stripe->windows.Touch(input.producer_id);
    const size_t end = std::min(results.size(), row + kRowsPerHold);
    for (; row < end; ++row) {
      const uint64_t sequence = input.producer_sequence[row];
      const SequenceWindow::Seen seen = window.Look(sequence);
      if (seen == SequenceWindow::Seen::kNew) {
        if (append(row)) window.Mark(sequence);
        continue;
      }
      reader.Read(row);
      const bool outside = seen == SequenceWindow::Seen::kOutside;
      if (outside) outside_window_.fetch_add(1, kRelaxed);
      results[row].status =
          outside ? EventStatus::kLate : EventStatus::kDuplicate;
    }
  }
}

IngestCounters EventIngest::Counters() const {
  const auto of = [&](EventStatus status) {
    return by_status_[static_cast<size_t>(status)].load(kRelaxed);
  };
  IngestCounters counters;
  counters.accepted = of(EventStatus::kAccepted);
  counters.duplicate = of(EventStatus::kDuplicate);
  counters.late = of(EventStatus::kLate);
  counters.future = of(EventStatus::kFuture);
  counters.exhausted = of(EventStatus::kExhausted);
  counters.outside_window = outside_window_.load(kRelaxed);
  counters.requests_refused = requests_refused_.load(kRelaxed);
  for (const auto& stripe : stripes_) {
    MutexLock lock(&stripe->mu);
    counters.producers_evicted += stripe->windows.evictions();
  }
  return counters;
}

}  // namespace freshline::ingest
