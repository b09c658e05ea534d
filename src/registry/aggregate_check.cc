// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/duration_text.h"
#include "registry/group_check.h"
#include "registry/nearest_name.h"
#include "registry/validate.h"
#include "registry/value_check.h"

namespace freshline::registry {
namespace {

namespace v1 = freshline::v1;

static_assert(static_cast<int>(Aggregate::Fn::kCount) + 1 ==
              v1::Aggregate::COUNT);
static_assert(static_cast<int>(Aggregate::Fn::kLastN) + 1 ==
              v1::Aggregate::LAST_N);
static_assert(static_cast<int>(Filter::Op::kEq) + 1 == v1::Filter::EQ);
static_assert(static_cast<int>(Filter::Op::kGe) + 1 == v1::Filter::GE);

bool IsNumber(Scalar type) {
  return type == Scalar::kInt64 || type == Scalar::kFloat64;
}

// What `fn` makes of a column of `type`, or nullopt where it takes no such.
std::optional<ValueType> ResultType(Aggregate::Fn fn, Scalar type) {
  switch (fn) {
    case Aggregate::Fn::kCount:
      return ValueType::Of(Scalar::kInt64);
    case Aggregate::Fn::kSum:
      if (!IsNumber(type)) return std::nullopt;
      return ValueType::Of(type);
    case Aggregate::Fn::kMean:
      if (!IsNumber(type)) return std::nullopt;
      return ValueType::Of(Scalar::kFloat64);
    case Aggregate::Fn::kMin:
    case Aggregate::Fn::kMax:
      if (!IsNumber(type) && type != Scalar::kTimestamp) return std::nullopt;
      return ValueType::Of(type);
    case Aggregate::Fn::kLast:
      return ValueType::Of(type);
    case Aggregate::Fn::kLastN:
      return ValueType::ListOf(type);
  }
  return std::nullopt;
}

absl::string_view Accepted(Aggregate::Fn fn) {
  const bool time = fn == Aggregate::Fn::kMin || fn == Aggregate::Fn::kMax;
  return time ? "INT64, FLOAT64 or TIMESTAMP" : "INT64 or FLOAT64";
}

std::string FnName(Aggregate::Fn fn) {
  return v1::Aggregate::Function_Name(
      static_cast<v1::Aggregate::Function>(static_cast<int>(fn) + 1));
}

// Checks one aggregate, field by field.
class AggregateCheck {
 public:
  AggregateCheck(const FieldPlace& place, const v1::Aggregate& message,
                 const GroupContext& context)
      : place_(place), message_(message), context_(context) {}

  Aggregate Run(const std::optional<ValueType>& declared,
                const FieldPlace& type_place) {
    const bool has_fn = CheckFunction();
    const bool has_column = CheckColumn(has_fn);
    if (has_fn && has_column) CheckType(declared, type_place);
    CheckWindow(has_fn);
    if (has_fn) CheckListLength();
    CheckFilters();
    return std::move(out_);
  }

 private:
  void Report(const char* field, absl::string_view message) {
    place_.Field(field).Report(message, context_.violations);
  }

  bool CheckFunction() {
    if (!v1::Aggregate::Function_IsValid(message_.fn()) ||
        message_.fn() == v1::Aggregate::FUNCTION_UNSPECIFIED) {
      Report("fn",
             "is required: one of COUNT, SUM, MEAN, MIN, MAX, LAST, LAST_N");
      return false;
    }
    out_.fn = static_cast<Aggregate::Fn>(message_.fn() - 1);
    return true;
  }

  // Whether the type of the column is known, or not needed.
  bool CheckColumn(bool has_fn) {
    if (message_.column().empty()) {
      if (!has_fn) return false;
      if (out_.fn == Aggregate::Fn::kCount) return true;
      Report("column", absl::StrCat("is required: only COUNT goes without, ",
                                    FnName(out_.fn), " does not"));
      return false;
    }
    out_.column =
        context_.ResolveColumn(place_.Field("column"), message_.column());
    return out_.column.has_value() &&
           context_.source->columns[*out_.column].type != kUnknownScalar;
  }

  void CheckType(const std::optional<ValueType>& declared,
                 const FieldPlace& type_place) {
    const Scalar column = out_.column.has_value()
                              ? context_.source->columns[*out_.column].type
                              : Scalar::kInt64;
    const auto result = ResultType(out_.fn, column);
    if (!result.has_value()) {
      Report("column",
             absl::StrCat("\"", message_.column(), "\" is ", ScalarName(column),
                          ", but ", FnName(out_.fn), " takes ",
                          Accepted(out_.fn)));
      return;
    }
    if (!declared.has_value() || *declared == *result) return;
    std::string what = FnName(out_.fn);
    if (!message_.column().empty()) {
      absl::StrAppend(&what, " of ", message_.column());
    }
    type_place.Report(absl::StrCat("is ", ToString(*declared), ", but ", what,
                                   " is ", ToString(*result), ": declare that"),
                      context_.violations);
  }

  void CheckWindow(bool has_fn) {
    const Source* source = context_.source;
    if (message_.over().empty() && message_.last_events() == 0 && has_fn &&
        out_.fn != Aggregate::Fn::kLast) {
      Report("over", absl::StrCat(FnName(out_.fn),
                                  " needs a window: set over, as in \"1h\", "
                                  "or last_events, or both"));
    }
    if (!message_.over().empty()) {
      const auto over = ReadDuration(place_.Field("over"), message_.over(),
                                     context_.violations);
      if (over.has_value()) out_.over = *over;
      if (over.has_value() && source != nullptr &&
          source->retention > base::Duration::zero() &&
          *over > source->retention) {
        Report("over",
               absl::StrCat("\"", message_.over(), "\" is longer than source ",
                            source->name, " keeps events (retention ",
                            base::FormatDuration(source->retention),
                            "): the window would always be cut; shorten it, "
                            "or raise the retention"));
      }
    }
    out_.last_events = message_.last_events();
    CheckEventsMax("last_events", message_.last_events());
  }

  void CheckListLength() {
    if (out_.fn != Aggregate::Fn::kLastN) {
      if (message_.n() != 0) {
        Report("n", absl::StrCat("is the list length of LAST_N; ",
                                 FnName(out_.fn), " has none: remove it"));
      }
      return;
    }
    const auto n = ReadCount(place_.Field("n"), message_.n(), kLastNMax,
                             context_.violations);
    if (!n.has_value()) return;
    out_.n = *n;
    CheckEventsMax("n", *n);
    if (out_.last_events != 0 && *n > out_.last_events) {
      Report("n", absl::StrCat("is ", *n, ", more than the window of ",
                               out_.last_events,
                               " last_events holds: lower one or raise the "
                               "other"));
    }
  }

  void CheckEventsMax(const char* field, uint32_t events) {
    const Source* source = context_.source;
    if (source == nullptr || source->events_max == 0) return;
    if (events <= source->events_max) return;
    Report(field, absl::StrCat("is ", events, ", but source ", source->name,
                               " keeps at most ", source->events_max,
                               " events per key: lower it, or raise "
                               "events_max"));
  }

  void CheckFilters() {
    if (message_.filter_size() > static_cast<int>(kFiltersMax)) {
      Report("filter", message_.filter_size());
      return;
    }
    for (int i = 0; i < message_.filter_size(); ++i) {
      CheckFilter(place_.Field("filter", i), message_.filter(i));
    }
  }

  void Report(const char* field, int filters) {
    place_.Field(field, static_cast<int>(kFiltersMax))
        .Report(absl::StrCat("there are ", filters, " filters; at most ",
                             kFiltersMax, " are allowed"),
                context_.violations);
  }

  void CheckFilter(const FieldPlace& place, const v1::Filter& message) {
    Filter filter;
    const bool has_op = v1::Filter::Operator_IsValid(message.op()) &&
                        message.op() != v1::Filter::OPERATOR_UNSPECIFIED;
    if (has_op) {
      filter.op = static_cast<Filter::Op>(message.op() - 1);
    } else {
      place.Field("op").Report("is required: one of EQ, NE, LT, LE, GT, GE",
                               context_.violations);
    }
    const auto column =
        context_.ResolveColumn(place.Field("column"), message.column());
    if (!column.has_value()) return;
    const Scalar type = context_.source->columns[*column].type;
    if (type == kUnknownScalar) return;
    if (has_op && type == Scalar::kBool && filter.op > Filter::Op::kNe) {
      place.Field("op").Report(
          absl::StrCat("is ", v1::Filter::Operator_Name(message.op()),
                       ", but column ", message.column(),
                       " is BOOL, which has no order: use EQ or NE"),
          context_.violations);
    }
    const auto value = ReadOperand(place.Field("value"), message.value(), type,
                                   context_.violations);
    if (!value.has_value()) return;
    filter.column = *column;
    filter.value = *value;
    out_.filters.push_back(std::move(filter));
  }

  const FieldPlace& place_;
  const v1::Aggregate& message_;
  const GroupContext& context_;
  Aggregate out_;
};

}  // namespace

std::optional<uint32_t> GroupContext::ResolveColumn(
    const FieldPlace& place, const std::string& column) const {
  if (source == nullptr) return std::nullopt;
  const auto found = source->FindColumn(column);
  if (found.has_value()) return found;
  if (column.empty()) {
    place.Report(absl::StrCat("is required: a column of source ", source->name),
                 violations);
    return std::nullopt;
  }
  std::vector<std::string> names;
  for (const EventColumn& known : source->columns) names.push_back(known.name);
  place.Report(absl::StrCat("source ", source->name, " has no column \"",
                            column, "\"", SuggestName(column, names)),
               violations);
  return std::nullopt;
}

Aggregate CheckAggregate(const FieldPlace& place,
                         const v1::Aggregate& aggregate,
                         const std::optional<ValueType>& declared,
                         const FieldPlace& type_place,
                         const GroupContext& context) {
  return AggregateCheck(place, aggregate, context).Run(declared, type_place);
}

}  // namespace freshline::registry
