// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "registry/group_check.h"
#include "registry/validate.h"
#include "registry/value_check.h"

namespace freshline::registry {
namespace {

namespace v1 = freshline::v1;

// A column that must have a type; its absence is a violation where `required`.
std::optional<uint32_t> TypedColumn(const FieldPlace& place,
                                    const std::string& column, Scalar type,
                                    bool required,
                                    const GroupContext& context) {
  if (column.empty() && !required) return std::nullopt;
  const auto found = context.ResolveColumn(place, column);
  if (!found.has_value()) return std::nullopt;
  const Scalar actual = context.source->columns[*found].type;
  if (actual != type && actual != kUnknownScalar) {
    place.Report(absl::StrCat("column \"", column, "\" is ", ScalarName(actual),
                              ": it must be ", ScalarName(type)),
                 context.violations);
  }
  return found;
}

// The newest events that embeddings and retrievals read. The default never
// exceeds what the source keeps; what was written is held to it.
uint32_t ItemEvents(const FieldPlace& place, uint32_t written,
                    const GroupContext& context) {
  const uint32_t kept =
      context.source == nullptr ? 0 : context.source->events_max;
  if (written == 0) {
    return kept == 0 ? kItemEventsDefault : std::min(kItemEventsDefault, kept);
  }
  const auto events =
      ReadCount(place, written, kItemEventsMax, context.violations);
  if (!events.has_value()) return kItemEventsDefault;
  if (kept != 0 && *events > kept) {
    place.Report(absl::StrCat("is ", *events, ", but source ",
                              context.source->name, " keeps at most ", kept,
                              " events per key: lower it, or raise events_max"),
                 context.violations);
  }
  return *events;
}

// Fields of a feature that belong to another way of computing its group.
void RefuseForeign(const FieldPlace& place, const v1::Feature& feature,
                   bool aggregate, bool output, const GroupContext& context) {
  if (!aggregate && feature.has_aggregate()) {
    place.Field("aggregate")
        .Report(
            "the group computes an embedding or a retrieval: put aggregates "
            "into "
            "a group of their own",
            context.violations);
  }
  if (!output && feature.output() != v1::RETRIEVAL_OUTPUT_UNSPECIFIED) {
    place.Field("output").Report(
        "only features of a retrieval group have an output: remove it",
        context.violations);
  }
}

void CheckAggregates(const FieldPlace& place, const v1::FeatureGroup& message,
                     absl::Span<const std::optional<ValueType>> types,
                     const GroupContext& context, FeatureGroup* group) {
  for (int i = 0; i < message.feature_size(); ++i) {
    const auto at = static_cast<size_t>(i);
    const v1::Feature& feature = message.feature(i);
    const FieldPlace where = place.Field("feature", i);
    RefuseForeign(where, feature, /*aggregate=*/true, /*output=*/false,
                  context);
    if (!feature.has_aggregate()) {
      where.Report(
          "has no aggregate, and the group no embedding or retrieval: say how "
          "it is computed",
          context.violations);
      continue;
    }
    group->features[at].aggregate =
        CheckAggregate(where.Field("aggregate"), feature.aggregate(), types[at],
                       where.Field("type"), context);
  }
}

void CheckEmbedding(const FieldPlace& group_place,
                    const v1::FeatureGroup& message,
                    absl::Span<const std::optional<ValueType>> types,
                    const GroupContext& context, FeatureGroup* group) {
  const FieldPlace place = group_place.Field("embedding");
  const v1::Embedding& from = message.embedding();
  Embedding embedding;
  const auto table = context.item_tables->Resolve(
      place.Field("item_table"), from.item_table(), context.violations);
  const auto column =
      TypedColumn(place.Field("item_column"), from.item_column(),
                  Scalar::kInt64, /*required=*/true, context);
  embedding.item_table = table.value_or(0);
  embedding.item_column = column.value_or(0);
  embedding.last_events =
      ItemEvents(place.Field("last_events"), from.last_events(), context);
  embedding.decay = from.decay() == 0 ? kDecayDefault : from.decay();
  if (!(embedding.decay > 0 && embedding.decay <= 1)) {
    place.Field("decay").Report(
        absl::StrCat("is ", from.decay(),
                     ": it must be greater than 0 and at most 1"),
        context.violations);
  }
  group->computation = embedding;

  for (int i = 0; i < message.feature_size(); ++i) {
    RefuseForeign(group_place.Field("feature", i), message.feature(i),
                  /*aggregate=*/false, /*output=*/false, context);
  }
  if (message.feature_size() > 1) {
    group_place.Field("feature", 1)
        .Report(absl::StrCat("an embedding is one feature, and the group has ",
                             message.feature_size(), ": make a group of each"),
                context.violations);
  }
  if (message.feature_size() == 0 || !types[0].has_value()) return;
  const FieldPlace type = group_place.Field("feature", 0).Field("type");
  if (types[0]->shape != ValueType::Shape::kVector) {
    type.Report(absl::StrCat("is ", ToString(*types[0]),
                             ", but an embedding is a vector: write { "
                             "vector_dim: ... }"),
                context.violations);
    return;
  }
  if (!table.has_value()) return;
  const ItemTableRef& ref = context.item_table_refs[*table];
  if (ref.dim != 0 && ref.dim != types[0]->dim) {
    type.Report(
        absl::StrCat("is ", ToString(*types[0]), ", but item table ", ref.name,
                     " has vectors of ", ref.dim, ": declare the same"),
        context.violations);
  }
}

void CheckOutputs(const FieldPlace& group_place,
                  const v1::FeatureGroup& message,
                  absl::Span<const std::optional<ValueType>> types,
                  const GroupContext& context, FeatureGroup* group) {
  std::vector<v1::RetrievalOutput> seen;
  for (int i = 0; i < message.feature_size(); ++i) {
    const auto at = static_cast<size_t>(i);
    const v1::Feature& feature = message.feature(i);
    const FieldPlace place = group_place.Field("feature", i);
    RefuseForeign(place, feature, /*aggregate=*/false, /*output=*/true,
                  context);
    const v1::RetrievalOutput output = feature.output();
    if (!v1::RetrievalOutput_IsValid(output) ||
        output == v1::RETRIEVAL_OUTPUT_UNSPECIFIED) {
      place.Field("output").Report(
          "is required in a retrieval group: ITEMS or SCORES",
          context.violations);
      continue;
    }
    if (std::find(seen.begin(), seen.end(), output) != seen.end()) {
      place.Field("output").Report(
          absl::StrCat(v1::RetrievalOutput_Name(output),
                       " is answered by an earlier feature of the group: "
                       "remove one"),
          context.violations);
    }
    seen.push_back(output);
    const bool items = output == v1::ITEMS;
    group->features[at].output =
        items ? RetrievalOutput::kItems : RetrievalOutput::kScores;
    const ValueType wanted =
        ValueType::ListOf(items ? Scalar::kInt64 : Scalar::kFloat64);
    if (types[at].has_value() && *types[at] != wanted) {
      place.Field("type").Report(
          absl::StrCat("is ", ToString(*types[at]), ", but ",
                       v1::RetrievalOutput_Name(output), " is ",
                       ToString(wanted), ": declare that"),
          context.violations);
    }
  }
}

void CheckRetrieval(const FieldPlace& group_place,
                    const v1::FeatureGroup& message,
                    absl::Span<const std::optional<ValueType>> types,
                    const GroupContext& context, FeatureGroup* group) {
  const FieldPlace place = group_place.Field("retrieval");
  const v1::Retrieval& from = message.retrieval();
  Retrieval retrieval;
  retrieval.item_table = context.item_tables
                             ->Resolve(place.Field("item_table"),
                                       from.item_table(), context.violations)
                             .value_or(0);
  retrieval.item_column =
      TypedColumn(place.Field("item_column"), from.item_column(),
                  Scalar::kInt64, /*required=*/true, context)
          .value_or(0);
  retrieval.category_column =
      TypedColumn(place.Field("category_column"), from.category_column(),
                  Scalar::kInt64, /*required=*/false, context);
  retrieval.brand_column =
      TypedColumn(place.Field("brand_column"), from.brand_column(),
                  Scalar::kString, /*required=*/false, context);
  retrieval.price_column =
      TypedColumn(place.Field("price_column"), from.price_column(),
                  Scalar::kFloat64, /*required=*/false, context);
  retrieval.last_events =
      ItemEvents(place.Field("last_events"), from.last_events(), context);
  if (from.top() != 0) {
    retrieval.top =
        ReadCount(place.Field("top"), from.top(), kTopMax, context.violations)
            .value_or(kTopDefault);
  } else {
    retrieval.top = kTopDefault;
  }
  group->computation = retrieval;
  CheckOutputs(group_place, message, types, context, group);
}

}  // namespace

void CheckComputation(const FieldPlace& place, const v1::FeatureGroup& message,
                      absl::Span<const std::optional<ValueType>> types,
                      const GroupContext& context, FeatureGroup* group) {
  switch (message.computation_case()) {
    case v1::FeatureGroup::kEmbedding:
      return CheckEmbedding(place, message, types, context, group);
    case v1::FeatureGroup::kRetrieval:
      return CheckRetrieval(place, message, types, context, group);
    case v1::FeatureGroup::COMPUTATION_NOT_SET:
      return CheckAggregates(place, message, types, context, group);
  }
}

}  // namespace freshline::registry
