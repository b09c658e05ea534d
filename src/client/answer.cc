// SPDX-License-Identifier: Apache-2.0
#include "freshline/answer.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "freshline/v1/feature_store.pb.h"

namespace freshline {
namespace {

absl::string_view KindName(v1::Values::KindCase kind) {
  switch (kind) {
    case v1::Values::kBools:
      return "BOOL";
    case v1::Values::kInt64S:
      return "INT64";
    case v1::Values::kFloat64S:
      return "FLOAT64";
    case v1::Values::kStrings:
      return "STRING";
    case v1::Values::kTimestampsUs:
      return "TIMESTAMP";
    case v1::Values::kVectors:
      return "a vector";
    case v1::Values::kLists:
      return "a list";
    case v1::Values::KIND_NOT_SET:
      break;
  }
  return "of no type";
}

// The name of an enumerator, for numbers that this library knows.
template <typename Wire>
std::string WireName(int number, bool valid) {
  if (!valid) return absl::StrCat("unknown(", number, ")");
  return google::protobuf::internal::NameOfEnum(
      google::protobuf::GetEnumDescriptor<Wire>(), number);
}

// Element `element` of an array that is empty where all are `missing`.
template <typename Field>
auto At(const Field& field, size_t element)
    -> std::decay_t<decltype(field[0])> {
  if (field.empty()) return {};
  const int i = field.size() == 1 ? 0 : static_cast<int>(element);
  return i < field.size() ? field[i] : std::decay_t<decltype(field[0])>{};
}

template <typename Field>
absl::Status Short(absl::string_view name, const Field& field, size_t end) {
  if (end <= static_cast<size_t>(field.size())) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(
      "feature ", name, " has ", field.size(), " elements, not ", end));
}

}  // namespace

std::string ToString(ValueStatus status) {
  const int n = static_cast<int>(status);
  return WireName<v1::ValueStatus>(n, v1::ValueStatus_IsValid(n));
}
std::string ToString(Obtained obtained) {
  const int n = static_cast<int>(obtained);
  return WireName<v1::Obtained>(n, v1::Obtained_IsValid(n));
}
std::string ToString(Fidelity fidelity) {
  const int n = static_cast<int>(fidelity);
  return WireName<v1::Fidelity>(n, v1::Fidelity_IsValid(n));
}
std::string ToString(EventStatus status) {
  const int n = static_cast<int>(status);
  return WireName<v1::EventStatus>(n, v1::EventStatus_IsValid(n));
}
std::string ToString(OutcomeStatus status) {
  const int n = static_cast<int>(status);
  return WireName<v1::OutcomeStatus>(n, v1::OutcomeStatus_IsValid(n));
}
std::string ToString(AckLevel level) {
  const int n = static_cast<int>(level);
  return WireName<v1::AckLevel>(n, v1::AckLevel_IsValid(n));
}

absl::string_view FeatureView::name() const { return column_->name(); }

ValueStatus FeatureView::status(size_t row) const {
  FRESHLINE_CHECK(row < rows_);
  if (column_->statuses().empty()) return ValueStatus::kPresent;
  return static_cast<ValueStatus>(At(column_->statuses(), row));
}

bool FeatureView::HasValue(size_t row) const {
  switch (status(row)) {
    case ValueStatus::kPresent:
    case ValueStatus::kDefaulted:
    case ValueStatus::kOutsideMaxAge:
    case ValueStatus::kTruncated:
      return true;
    case ValueStatus::kNull:
    case ValueStatus::kNotFound:
    case ValueStatus::kError:
      return false;
  }
  return false;
}

RowFreshness FeatureView::freshness(size_t row) const {
  FRESHLINE_CHECK(row < rows_);
  RowFreshness result;
  if (group_ == nullptr) return result;
  result.obtained = static_cast<Obtained>(At(group_->obtained(), row));
  result.fidelity = static_cast<Fidelity>(At(group_->fidelity(), row));
  result.event_time_us = At(group_->event_time_us(), row);
  result.as_of_us = At(group_->as_of_us(), row);
  result.as_of_sequence = At(group_->as_of_sequence(), row);
  result.pending_events = At(group_->pending_events(), row);
  return result;
}

absl::StatusOr<size_t> FeatureView::ElementOf(size_t row,
                                              size_t elements) const {
  if (row >= rows_) {
    return absl::OutOfRangeError(absl::StrCat("row ", row, " of feature ",
                                              name(), ": the answer has ",
                                              rows_, " rows"));
  }
  if (!HasValue(row)) {
    return absl::NotFoundError(
        absl::StrCat("feature ", name(), " of row ", row,
                     " has no value: ", ToString(status(row))));
  }
  const size_t element = elements == 1 ? 0 : row;
  if (element >= elements) {
    return absl::InternalError(absl::StrCat("feature ", name(), " has ",
                                            elements, " elements for ", rows_,
                                            " rows"));
  }
  return element;
}

absl::Status FeatureView::WrongType(absl::string_view asked) const {
  return absl::InvalidArgumentError(
      absl::StrCat("feature ", name(), " is ",
                   KindName(column_->values().kind_case()), ", not ", asked));
}

absl::StatusOr<bool> FeatureView::Bool(size_t row) const {
  if (!column_->values().has_bools()) return WrongType("BOOL");
  const auto& values = column_->values().bools().values();
  FRESHLINE_ASSIGN_OR_RETURN(
      const size_t i, ElementOf(row, static_cast<size_t>(values.size())));
  return values[static_cast<int>(i)];
}

absl::StatusOr<int64_t> FeatureView::Int64(size_t row) const {
  if (!column_->values().has_int64s()) return WrongType("INT64");
  const auto& values = column_->values().int64s().values();
  FRESHLINE_ASSIGN_OR_RETURN(
      const size_t i, ElementOf(row, static_cast<size_t>(values.size())));
  return values[static_cast<int>(i)];
}

absl::StatusOr<double> FeatureView::Float64(size_t row) const {
  if (!column_->values().has_float64s()) return WrongType("FLOAT64");
  const auto& values = column_->values().float64s().values();
  FRESHLINE_ASSIGN_OR_RETURN(
      const size_t i, ElementOf(row, static_cast<size_t>(values.size())));
  return values[static_cast<int>(i)];
}

absl::StatusOr<absl::string_view> FeatureView::String(size_t row) const {
  if (!column_->values().has_strings()) return WrongType("STRING");
  const auto& values = column_->values().strings().values();
  FRESHLINE_ASSIGN_OR_RETURN(
      const size_t i, ElementOf(row, static_cast<size_t>(values.size())));
  return absl::string_view(values[static_cast<int>(i)]);
}

absl::StatusOr<int64_t> FeatureView::TimestampUs(size_t row) const {
  if (!column_->values().has_timestamps_us()) return WrongType("TIMESTAMP");
  const auto& values = column_->values().timestamps_us().values();
  FRESHLINE_ASSIGN_OR_RETURN(
      const size_t i, ElementOf(row, static_cast<size_t>(values.size())));
  return values[static_cast<int>(i)];
}

absl::StatusOr<absl::Span<const float>> FeatureView::Vector(size_t row) const {
  if (!column_->values().has_vectors()) return WrongType("a vector");
  const v1::FloatVectors& vectors = column_->values().vectors();
  const size_t dim = vectors.dim();
  const size_t elements =
      dim == 0 ? 0 : static_cast<size_t>(vectors.values_size()) / dim;
  FRESHLINE_ASSIGN_OR_RETURN(const size_t i, ElementOf(row, elements));
  return absl::Span<const float>(vectors.values().data() + i * dim, dim);
}

absl::StatusOr<FeatureView::Range> FeatureView::ListRange(size_t row) const {
  const auto& lengths = column_->values().lists().lengths();
  FRESHLINE_ASSIGN_OR_RETURN(
      const size_t element,
      ElementOf(row, static_cast<size_t>(lengths.size())));
  Range range{0, lengths[static_cast<int>(element)]};
  for (size_t i = 0; i < element; ++i) {
    range.begin += lengths[static_cast<int>(i)];
  }
  return range;
}

absl::StatusOr<absl::Span<const bool>> FeatureView::BoolList(size_t row) const {
  const v1::Values& elements = column_->values().lists().elements();
  if (!elements.has_bools()) return WrongType("a list of BOOL");
  FRESHLINE_ASSIGN_OR_RETURN(const Range range, ListRange(row));
  const auto& values = elements.bools().values();
  FRESHLINE_RETURN_IF_ERROR(Short(name(), values, range.begin + range.size));
  return absl::Span<const bool>(values.data() + range.begin, range.size);
}

absl::StatusOr<absl::Span<const int64_t>> FeatureView::Int64List(
    size_t row) const {
  const v1::Values& elements = column_->values().lists().elements();
  if (!elements.has_int64s() && !elements.has_timestamps_us()) {
    return WrongType("a list of INT64");
  }
  FRESHLINE_ASSIGN_OR_RETURN(const Range range, ListRange(row));
  const auto& values = elements.has_int64s()
                           ? elements.int64s().values()
                           : elements.timestamps_us().values();
  FRESHLINE_RETURN_IF_ERROR(Short(name(), values, range.begin + range.size));
  return absl::Span<const int64_t>(values.data() + range.begin, range.size);
}

absl::StatusOr<absl::Span<const double>> FeatureView::Float64List(
    size_t row) const {
  const v1::Values& elements = column_->values().lists().elements();
  if (!elements.has_float64s()) return WrongType("a list of FLOAT64");
  FRESHLINE_ASSIGN_OR_RETURN(const Range range, ListRange(row));
  const auto& values = elements.float64s().values();
  FRESHLINE_RETURN_IF_ERROR(Short(name(), values, range.begin + range.size));
  return absl::Span<const double>(values.data() + range.begin, range.size);
}

absl::StatusOr<std::vector<absl::string_view>> FeatureView::StringList(
    size_t row) const {
  const v1::Values& elements = column_->values().lists().elements();
  if (!elements.has_strings()) return WrongType("a list of STRING");
  FRESHLINE_ASSIGN_OR_RETURN(const Range range, ListRange(row));
  const auto& values = elements.strings().values();
  FRESHLINE_RETURN_IF_ERROR(Short(name(), values, range.begin + range.size));
  std::vector<absl::string_view> result;
  result.reserve(range.size);
  for (size_t i = 0; i < range.size; ++i) {
    result.emplace_back(values[static_cast<int>(range.begin + i)]);
  }
  return result;
}

size_t EventAnswer::size() const {
  return static_cast<size_t>(results_->ingest_sequence_size());
}
EventStatus EventAnswer::status(size_t event) const {
  FRESHLINE_CHECK(event < size());
  const int i = static_cast<int>(event);
  // Empty means that all were accepted.
  if (i >= results_->statuses_size()) return EventStatus::kAccepted;
  return static_cast<EventStatus>(results_->statuses(i));
}
uint64_t EventAnswer::ingest_sequence(size_t event) const {
  FRESHLINE_CHECK(event < size());
  return results_->ingest_sequence(static_cast<int>(event));
}
AckLevel EventAnswer::ack_level() const {
  return static_cast<AckLevel>(results_->ack_level());
}
size_t EventAnswer::accepted() const {
  size_t count = 0;
  for (size_t i = 0; i < size(); ++i) {
    count += status(i) == EventStatus::kAccepted ? 1 : 0;
  }
  return count;
}

FeatureAnswer::FeatureAnswer(std::unique_ptr<v1::GetFeaturesResponse> response)
    : response_(std::move(response)) {}
FeatureAnswer::~FeatureAnswer() = default;
FeatureAnswer::FeatureAnswer(FeatureAnswer&&) noexcept = default;
FeatureAnswer& FeatureAnswer::operator=(FeatureAnswer&&) noexcept = default;

size_t FeatureAnswer::rows() const { return response_->rows(); }
uint64_t FeatureAnswer::revision() const { return response_->revision(); }
absl::string_view FeatureAnswer::request_id() const {
  return response_->request_id();
}
double FeatureAnswer::price() const { return response_->price(); }
size_t FeatureAnswer::feature_count() const {
  return static_cast<size_t>(response_->features_size());
}

FeatureView FeatureAnswer::feature(size_t index) const {
  FRESHLINE_CHECK(index < feature_count());
  const v1::FeatureColumn& column =
      response_->features(static_cast<int>(index));
  const auto group = static_cast<int>(column.group());
  return FeatureView(
      column,
      group < response_->groups_size() ? &response_->groups(group) : nullptr,
      rows());
}

absl::StatusOr<FeatureView> FeatureAnswer::Feature(
    absl::string_view name) const {
  for (size_t i = 0; i < feature_count(); ++i) {
    if (feature(i).name() == name) return feature(i);
  }
  return absl::NotFoundError(absl::StrCat(
      "the answer has no feature ", name, "; it has ",
      absl::StrJoin(response_->features(), ", ",
                    [](std::string* out, const v1::FeatureColumn& column) {
                      absl::StrAppend(out, column.name());
                    })));
}

absl::StatusOr<int64_t> FeatureAnswer::Int64(absl::string_view name,
                                             size_t row) const {
  FRESHLINE_ASSIGN_OR_RETURN(const FeatureView view, Feature(name));
  return view.Int64(row);
}
absl::StatusOr<double> FeatureAnswer::Float64(absl::string_view name,
                                              size_t row) const {
  FRESHLINE_ASSIGN_OR_RETURN(const FeatureView view, Feature(name));
  return view.Float64(row);
}
absl::StatusOr<absl::string_view> FeatureAnswer::String(absl::string_view name,
                                                        size_t row) const {
  FRESHLINE_ASSIGN_OR_RETURN(const FeatureView view, Feature(name));
  return view.String(row);
}
absl::StatusOr<absl::Span<const float>> FeatureAnswer::Vector(
    absl::string_view name, size_t row) const {
  FRESHLINE_ASSIGN_OR_RETURN(const FeatureView view, Feature(name));
  return view.Vector(row);
}
absl::StatusOr<absl::Span<const int64_t>> FeatureAnswer::Int64List(
    absl::string_view name, size_t row) const {
  FRESHLINE_ASSIGN_OR_RETURN(const FeatureView view, Feature(name));
  return view.Int64List(row);
}

size_t FeatureAnswer::event_batches() const {
  return static_cast<size_t>(response_->events_size());
}
EventAnswer FeatureAnswer::events(size_t batch) const {
  FRESHLINE_CHECK(batch < event_batches());
  return EventAnswer(response_->events(static_cast<int>(batch)));
}

PushAnswer::PushAnswer(std::unique_ptr<v1::PushEventsResponse> response)
    : response_(std::move(response)) {}
PushAnswer::~PushAnswer() = default;
PushAnswer::PushAnswer(PushAnswer&&) noexcept = default;
PushAnswer& PushAnswer::operator=(PushAnswer&&) noexcept = default;

size_t PushAnswer::event_batches() const {
  return static_cast<size_t>(response_->results_size());
}
EventAnswer PushAnswer::events(size_t batch) const {
  FRESHLINE_CHECK(batch < event_batches());
  return EventAnswer(response_->results(static_cast<int>(batch)));
}

OutcomeAnswer::OutcomeAnswer(
    std::unique_ptr<v1::ReportOutcomeResponse> response, size_t outcomes)
    : response_(std::move(response)), outcomes_(outcomes) {}
OutcomeAnswer::~OutcomeAnswer() = default;
OutcomeAnswer::OutcomeAnswer(OutcomeAnswer&&) noexcept = default;
OutcomeAnswer& OutcomeAnswer::operator=(OutcomeAnswer&&) noexcept = default;

OutcomeStatus OutcomeAnswer::status(size_t outcome) const {
  FRESHLINE_CHECK(outcome < outcomes_);
  const auto& statuses = response_->statuses();
  if (statuses.empty()) return OutcomeStatus::kAccepted;
  const int i = static_cast<int>(outcome);
  return static_cast<OutcomeStatus>(i < statuses.size() ? statuses[i] : 0);
}

}  // namespace freshline
