// SPDX-License-Identifier: Apache-2.0
#include "rpc/decode.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/foreign_text.h"
#include "base/status_macros.h"

namespace freshline::rpc {

using google::protobuf::RepeatedPtrField;
using ingest::ColumnInput;
using registry::Scalar;

namespace {

template <typename T>
std::span<const T> SpanOf(const google::protobuf::RepeatedField<T>& field) {
  return {field.data(), static_cast<size_t>(field.size())};
}
// The wire's int64_t and ours are the same type of another name here.
static_assert(sizeof(google::protobuf::int64) == sizeof(int64_t));

}  // namespace

absl::Status DecodedRequest::DecodeColumns(
    const RepeatedPtrField<v1::Column>& columns, absl::string_view where,
    std::vector<ColumnInput>* out) {
  out->reserve(static_cast<size_t>(columns.size()));
  for (const v1::Column& column : columns) {
    ColumnInput input;
    input.name = column.name();
    input.null_rows = SpanOf(column.null_rows());
    switch (column.values().kind_case()) {
      case v1::Values::kBools:
        input.type = Scalar::kBool;
        input.values = SpanOf(column.values().bools().values());
        break;
      case v1::Values::kInt64S:
        input.type = Scalar::kInt64;
        input.values = SpanOf(column.values().int64s().values());
        break;
      case v1::Values::kTimestampsUs:
        input.type = Scalar::kTimestamp;
        input.values = SpanOf(column.values().timestamps_us().values());
        break;
      case v1::Values::kFloat64S:
        input.type = Scalar::kFloat64;
        input.values = SpanOf(column.values().float64s().values());
        break;
      case v1::Values::kStrings: {
        std::vector<absl::string_view>& views = strings_.emplace_back();
        const auto& texts = column.values().strings().values();
        views.reserve(static_cast<size_t>(texts.size()));
        for (const std::string& text : texts) views.push_back(text);
        input.type = Scalar::kString;
        input.values = std::span<const absl::string_view>(views);
        break;
      }
      case v1::Values::kVectors:
      case v1::Values::kLists:
      case v1::Values::KIND_NOT_SET:
        return absl::InvalidArgumentError(
            absl::StrCat(where, ": column ", base::Quoted(column.name()),
                         " must hold bools, int64s, float64s, strings or "
                         "timestamps_us"));
    }
    out->push_back(input);
  }
  return absl::OkStatus();
}

absl::Status DecodedRequest::DecodeBatches(
    const RepeatedPtrField<v1::EventBatch>& wire, absl::string_view where,
    size_t events_max) {
  size_t events = 0;
  for (const v1::EventBatch& batch : wire) {
    events += static_cast<size_t>(batch.event_time_us_size());
  }
  if (events > events_max) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": ", events, " events in one request; at most ",
                     events_max, " are taken: send several requests"));
  }
  for (const v1::EventBatch& batch : wire) {
    std::vector<ColumnInput>& columns = columns_.emplace_back();
    FRESHLINE_RETURN_IF_ERROR(
        DecodeColumns(batch.columns(),
                      absl::StrCat(where, "[", batches.size(), "]"), &columns));
    ingest::DecodedBatch decoded;
    decoded.source = batch.source();
    decoded.columns = columns;
    decoded.event_time_us = SpanOf(batch.event_time_us());
    decoded.producer_id = batch.producer_id();
    decoded.producer_sequence = SpanOf(batch.producer_sequence());
    batches.push_back(decoded);
  }
  return absl::OkStatus();
}

void EncodeEventResults(const ingest::PreparedEvents& events,
                        std::span<const ingest::EventResult> results,
                        ingest::AckLevel ack_level,
                        RepeatedPtrField<v1::EventResults>* out) {
  for (size_t b = 0; b < events.batches(); ++b) {
    v1::EventResults* batch = out->Add();
    batch->set_ack_level(static_cast<v1::AckLevel>(ack_level));
    const std::span<const ingest::EventResult> rows =
        results.subspan(events.begin(b), events.begin(b + 1) - events.begin(b));
    bool all_accepted = true;
    for (const ingest::EventResult& row : rows) {
      batch->add_ingest_sequence(row.sequence);
      all_accepted &= row.status == ingest::EventStatus::kAccepted;
    }
    if (all_accepted) continue;
    for (const ingest::EventResult& row : rows) {
      batch->add_statuses(static_cast<v1::EventStatus>(row.status));
    }
  }
}

void EncodeOutcomes(std::span<const outcome::OutcomeStatus> statuses,
                    v1::ReportOutcomeResponse* out) {
  using outcome::OutcomeStatus;
  if (std::all_of(statuses.begin(), statuses.end(), [](OutcomeStatus status) {
        return status == OutcomeStatus::kAccepted;
      })) {
    return;
  }
  for (const OutcomeStatus status : statuses) {
    out->add_statuses(static_cast<v1::OutcomeStatus>(status));
  }
}

}  // namespace freshline::rpc
