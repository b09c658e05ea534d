// SPDX-License-Identifier: Apache-2.0
#include "freshline/request.h"

#include <utility>

#include "base/check.h"
#include "freshline/events.h"
#include "freshline/v1/feature_store.pb.h"

namespace freshline {
namespace {

std::string ToStd(absl::string_view text) {
  return std::string(text.data(), text.size());
}

// A new column of `columns` with this name.
v1::Values& AddColumn(google::protobuf::RepeatedPtrField<v1::Column>& columns,
                      absl::string_view name) {
  v1::Column& column = *columns.Add();
  column.set_name(name.data(), name.size());
  return *column.mutable_values();
}

template <typename Texts>
void AddTextKeys(google::protobuf::RepeatedPtrField<v1::Column>& columns,
                 absl::string_view join_key, const Texts& values) {
  v1::Strings& strings = *AddColumn(columns, join_key).mutable_strings();
  for (const auto& value : values) {
    strings.add_values(value.data(), value.size());
  }
}

template <typename Values, typename Field>
void Append(const Values& values, Field& field) {
  field.Reserve(static_cast<int>(values.size()));
  for (const auto& value : values) field.Add(value);
}

void AddKeys(google::protobuf::RepeatedPtrField<v1::Column>& columns,
             absl::string_view join_key, absl::Span<const int64_t> values) {
  Append(values,
         *AddColumn(columns, join_key).mutable_int64s()->mutable_values());
}

}  // namespace

EventRows::EventRows(absl::string_view source)
    : batch_(std::make_unique<v1::EventBatch>()) {
  batch_->set_source(source.data(), source.size());
}
EventRows::EventRows(v1::EventBatch batch)
    : batch_(std::make_unique<v1::EventBatch>(std::move(batch))) {}
EventRows::~EventRows() = default;
EventRows::EventRows(const EventRows& other) : EventRows(*other.batch_) {}
EventRows& EventRows::operator=(const EventRows& other) {
  if (this != &other) batch_ = std::make_unique<v1::EventBatch>(*other.batch_);
  return *this;
}
EventRows::EventRows(EventRows&& other) noexcept = default;
EventRows& EventRows::operator=(EventRows&& other) noexcept = default;

EventRows& EventRows::Int64s(absl::string_view column,
                             absl::Span<const int64_t> values) {
  Append(values, *AddColumn(*batch_->mutable_columns(), column)
                      .mutable_int64s()
                      ->mutable_values());
  return *this;
}

EventRows& EventRows::Float64s(absl::string_view column,
                               absl::Span<const double> values) {
  Append(values, *AddColumn(*batch_->mutable_columns(), column)
                      .mutable_float64s()
                      ->mutable_values());
  return *this;
}

EventRows& EventRows::Bools(absl::string_view column,
                            absl::Span<const bool> values) {
  Append(values, *AddColumn(*batch_->mutable_columns(), column)
                      .mutable_bools()
                      ->mutable_values());
  return *this;
}

EventRows& EventRows::Strings(absl::string_view column,
                              absl::Span<const std::string> values) {
  v1::Strings& strings =
      *AddColumn(*batch_->mutable_columns(), column).mutable_strings();
  for (const std::string& value : values) strings.add_values(value);
  return *this;
}

EventRows& EventRows::TimestampsUs(absl::string_view column,
                                   absl::Span<const int64_t> values) {
  Append(values, *AddColumn(*batch_->mutable_columns(), column)
                      .mutable_timestamps_us()
                      ->mutable_values());
  return *this;
}

EventRows& EventRows::NullRows(absl::Span<const uint32_t> rows) {
  FRESHLINE_CHECK(batch_->columns_size() > 0);
  v1::Column& column = *batch_->mutable_columns(batch_->columns_size() - 1);
  Append(rows, *column.mutable_null_rows());
  return *this;
}

EventRows& EventRows::TimesUs(absl::Span<const int64_t> times_us) {
  batch_->clear_event_time_us();
  Append(times_us, *batch_->mutable_event_time_us());
  return *this;
}

EventRows& EventRows::Producer(absl::string_view producer_id,
                               absl::Span<const uint64_t> sequences) {
  batch_->set_producer_id(producer_id.data(), producer_id.size());
  batch_->clear_producer_sequence();
  Append(sequences, *batch_->mutable_producer_sequence());
  return *this;
}

FeatureRequest::FeatureRequest()
    : request_(std::make_unique<v1::GetFeaturesRequest>()) {}
FeatureRequest::FeatureRequest(absl::string_view feature_service)
    : FeatureRequest() {
  request_->set_feature_service(ToStd(feature_service));
}
FeatureRequest::FeatureRequest(v1::GetFeaturesRequest request)
    : request_(std::make_unique<v1::GetFeaturesRequest>(std::move(request))) {}
FeatureRequest::~FeatureRequest() = default;
FeatureRequest::FeatureRequest(const FeatureRequest& other)
    : FeatureRequest(*other.request_) {}
FeatureRequest& FeatureRequest::operator=(const FeatureRequest& other) {
  if (this != &other) {
    request_ = std::make_unique<v1::GetFeaturesRequest>(*other.request_);
  }
  return *this;
}
FeatureRequest::FeatureRequest(FeatureRequest&& other) noexcept = default;
FeatureRequest& FeatureRequest::operator=(FeatureRequest&& other) noexcept =
    default;

FeatureRequest FeatureRequest::Of(absl::Span<const std::string> features) {
  FeatureRequest result;
  for (const std::string& name : features) {
    result.request_->add_features(name);
  }
  return result;
}

FeatureRequest& FeatureRequest::Entity(absl::string_view join_key,
                                       std::initializer_list<int64_t> values) {
  return Entity(join_key,
                absl::Span<const int64_t>(values.begin(), values.size()));
}

FeatureRequest& FeatureRequest::Entity(absl::string_view join_key,
                                       absl::Span<const int64_t> values) {
  AddKeys(*request_->mutable_entities(), join_key, values);
  return *this;
}

FeatureRequest& FeatureRequest::Entity(
    absl::string_view join_key,
    std::initializer_list<absl::string_view> values) {
  AddTextKeys(*request_->mutable_entities(), join_key, values);
  return *this;
}

FeatureRequest& FeatureRequest::Entity(absl::string_view join_key,
                                       absl::Span<const std::string> values) {
  AddTextKeys(*request_->mutable_entities(), join_key, values);
  return *this;
}

FeatureRequest& FeatureRequest::AddEvents(const EventRows& events) {
  *request_->add_events() = events.proto();
  return *this;
}

FeatureRequest& FeatureRequest::Budget(std::chrono::microseconds budget) {
  request_->set_budget_us(budget.count());
  return *this;
}

FeatureRequest& FeatureRequest::MaxPending(uint32_t events) {
  request_->mutable_freshness()->set_max_pending(events);
  return *this;
}

FeatureRequest& FeatureRequest::MaxAge(std::chrono::microseconds age) {
  request_->mutable_freshness()->set_max_age_us(age.count());
  return *this;
}

FeatureRequest& FeatureRequest::RequestId(absl::string_view id) {
  request_->set_request_id(id.data(), id.size());
  return *this;
}

OutcomeReport::OutcomeReport(absl::string_view feature_service)
    : request_(std::make_unique<v1::ReportOutcomeRequest>()) {
  request_->set_feature_service(ToStd(feature_service));
}
OutcomeReport::~OutcomeReport() = default;
OutcomeReport::OutcomeReport(const OutcomeReport& other)
    : request_(std::make_unique<v1::ReportOutcomeRequest>(*other.request_)) {}
OutcomeReport& OutcomeReport::operator=(const OutcomeReport& other) {
  if (this != &other) {
    request_ = std::make_unique<v1::ReportOutcomeRequest>(*other.request_);
  }
  return *this;
}
OutcomeReport::OutcomeReport(OutcomeReport&& other) noexcept = default;
OutcomeReport& OutcomeReport::operator=(OutcomeReport&& other) noexcept =
    default;

OutcomeReport& OutcomeReport::Entity(absl::string_view join_key,
                                     std::initializer_list<int64_t> values) {
  return Entity(join_key,
                absl::Span<const int64_t>(values.begin(), values.size()));
}

OutcomeReport& OutcomeReport::Entity(absl::string_view join_key,
                                     absl::Span<const int64_t> values) {
  AddKeys(*request_->mutable_entities(), join_key, values);
  return *this;
}

OutcomeReport& OutcomeReport::Entity(
    absl::string_view join_key,
    std::initializer_list<absl::string_view> values) {
  AddTextKeys(*request_->mutable_entities(), join_key, values);
  return *this;
}

OutcomeReport& OutcomeReport::Entity(absl::string_view join_key,
                                     absl::Span<const std::string> values) {
  AddTextKeys(*request_->mutable_entities(), join_key, values);
  return *this;
}

OutcomeReport& OutcomeReport::Loss(absl::string_view request_id, double loss) {
  request_->add_request_id(request_id.data(), request_id.size());
  request_->add_loss(loss);
  return *this;
}

}  // namespace freshline
