// SPDX-License-Identifier: Apache-2.0
#include "registry/validate.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/duration_text.h"
#include "registry/group_check.h"
#include "registry/name_table.h"
#include "registry/plan_builder.h"
#include "registry/value_check.h"

namespace freshline::registry {
namespace {

namespace v1 = freshline::v1;

// One top-level definition and where it stands.
template <typename T>
struct Declared {
  const T* message;
  FieldPlace place;
};

// Builds the contents kind by kind, in the order of their references. What is
// refused keeps its position, so that references to it stay resolved and cause
// no violation of their own.
class RevisionBuilder {
 public:
  RevisionBuilder(absl::Span<const DefinitionFile> files,
                  Violations* violations)
      : files_(files), violations_(violations) {}

  Revision::Contents Build() {
    const auto entities = Collect(&v1::Definitions::entity, "entity",
                                  kEntitiesMax, &entity_names_);
    const auto sources = Collect(&v1::Definitions::source, "source",
                                 kSourcesMax, &source_names_);
    const auto tables = Collect(&v1::Definitions::item_table, "item_table",
                                kItemTablesMax, &table_names_);
    const auto groups = Collect(&v1::Definitions::feature_group,
                                "feature_group", kGroupsMax, &group_names_);
    const auto services =
        Collect(&v1::Definitions::feature_service, "feature_service",
                kServicesMax, &service_names_);
    for (const auto& d : entities) AddEntity(d.place, *d.message);
    for (const auto& d : sources) AddSource(d.place, *d.message);
    for (const auto& d : tables) AddItemTable(d.place, *d.message);
    for (const auto& d : groups) AddGroup(d.place, *d.message);
    for (const auto& d : services) AddService(d.place, *d.message);
    // Only now is every type known to be valid.
    if (violations_->empty()) {
      for (size_t i = 0; i < groups.size(); ++i) {
        FinishGroup(*groups[i].message, &contents_.groups[i]);
      }
    }
    return std::move(contents_);
  }

 private:
  template <typename T>
  using Getter =
      const google::protobuf::RepeatedPtrField<T>& (v1::Definitions::*)() const;

  template <typename T>
  std::vector<Declared<T>> Collect(Getter<T> getter, const char* field,
                                   uint32_t max, NameTable* names) {
    std::vector<Declared<T>> all;
    for (const DefinitionFile& file : files_) {
      const FieldPlace root = FieldPlace::Root(
          file.name, v1::Definitions::descriptor(), file.locations.get());
      const auto& items = (file.definitions.*getter)();
      for (int i = 0; i < items.size(); ++i) {
        FieldPlace place = root.Field(field, i);
        if (all.size() == max) {
          place.Report(
              absl::StrCat("is one too many: at most ", max, " are allowed"),
              violations_);
          return all;
        }
        names->Declare(place.Field("name"), items[i].name(), violations_);
        all.push_back({&items[i], std::move(place)});
      }
    }
    return all;
  }

  void AddEntity(const FieldPlace& place, const v1::Entity& message) {
    Entity entity;
    entity.name = message.name();
    if (message.key_size() < 1 ||
        message.key_size() > static_cast<int>(kKeysMax)) {
      place.Field("key", 0).Report(
          absl::StrCat("an entity has 1 to ", kKeysMax, " join keys, not ",
                       message.key_size()),
          violations_);
    }
    NameTable names("join key");
    for (int i = 0; i < message.key_size(); ++i) {
      const FieldPlace key = place.Field("key", i);
      names.Declare(key.Field("name"), message.key(i).name(), violations_);
      const v1::ScalarType type = message.key(i).type();
      if (type != v1::INT64 && type != v1::STRING) {
        key.Field("type").Report("a join key is INT64 or STRING", violations_);
      }
      entity.keys.push_back({message.key(i).name(), type == v1::STRING
                                                        ? Scalar::kString
                                                        : Scalar::kInt64});
    }
    contents_.entities.push_back(std::move(entity));
  }

  void AddSource(const FieldPlace& place, const v1::Source& message) {
    Source source;
    source.name = message.name();
    const auto entity = entity_names_.Resolve(place.Field("entity"),
                                              message.entity(), violations_);
    source.entity = entity.value_or(0);
    AddColumns(place, message, entity, &source);
    source.retention =
        ReadDuration(place.Field("retention"), message.retention(), violations_)
            .value_or(base::Duration::zero());
    source.events_max = kEventsMaxDefault;
    if (message.has_events_max()) {
      source.events_max =
          ReadCount(place.Field("events_max"), message.events_max(),
                    kEventsMaxMax, violations_)
              .value_or(0);
    }
    source.allowed_lateness = source.retention;
    if (!message.allowed_lateness().empty())
      ReadLateness(place, message, &source);
    if (message.durability() != v1::ACK_LEVEL_UNSPECIFIED &&
        message.durability() != v1::MEMORY) {
      place.Field("durability")
          .Report(
              absl::StrCat(
                  v1::AckLevel_IsValid(message.durability())
                      ? v1::AckLevel_Name(message.durability())
                      : absl::StrCat(static_cast<int>(message.durability())),
                  " cannot be reached: there is no storage yet, and a "
                  "restart loses every event; declare MEMORY, or leave "
                  "it out"),
              violations_);
    }
    contents_.sources.push_back(std::move(source));
  }

  void AddColumns(const FieldPlace& place, const v1::Source& message,
                  const std::optional<uint32_t>& entity, Source* source) {
    if (message.column_size() > static_cast<int>(kColumnsMax)) {
      place.Field("column", static_cast<int>(kColumnsMax))
          .Report(
              absl::StrCat("there are ", message.column_size(),
                           " columns; at most ", kColumnsMax, " are allowed"),
              violations_);
    }
    NameTable names("column");
    for (int i = 0; i < message.column_size(); ++i) {
      const FieldPlace column = place.Field("column", i);
      const std::string& name = message.column(i).name();
      names.Declare(column.Field("name"), name, violations_);
      const auto type = ReadScalarType(column.Field("type"),
                                       message.column(i).type(), violations_);
      source->columns.push_back({name, type.value_or(kUnknownScalar)});
      if (!entity.has_value()) continue;
      for (const JoinKey& key : contents_.entities[*entity].keys) {
        if (key.name != name || name.empty()) continue;
        column.Field("name").Report(
            absl::StrCat("\"", name, "\" is a join key of entity ",
                         message.entity(),
                         ", which every event carries anyway: remove the "
                         "column"),
            violations_);
      }
    }
  }

  void ReadLateness(const FieldPlace& place, const v1::Source& message,
                    Source* source) {
    const FieldPlace field = place.Field("allowed_lateness");
    const auto lateness =
        ReadDuration(field, message.allowed_lateness(), violations_);
    if (!lateness.has_value()) return;
    source->allowed_lateness = *lateness;
    if (source->retention <= base::Duration::zero()) return;
    if (*lateness <= source->retention) return;
    field.Report(absl::StrCat("\"", message.allowed_lateness(),
                              "\" is longer than the retention, ",
                              base::FormatDuration(source->retention),
                              ": older events are not kept anyway"),
                 violations_);
  }

  void AddItemTable(const FieldPlace& place, const v1::ItemTable& message) {
    ItemTableRef table;
    table.name = message.name();
    table.path = message.path();
    if (table.path.empty()) {
      place.Field("path").Report(
          "is required: the file, absolute or relative to item_table_dir",
          violations_);
    }
    table.dim =
        ReadCount(place.Field("dim"), message.dim(), kVectorDimMax, violations_)
            .value_or(0);
    contents_.item_tables.push_back(std::move(table));
  }

  void AddGroup(const FieldPlace& place, const v1::FeatureGroup& message) {
    FeatureGroup group;
    group.name = message.name();
    group.id = base::GroupId{static_cast<uint32_t>(contents_.groups.size())};
    const auto source = source_names_.Resolve(place.Field("source"),
                                              message.source(), violations_);
    GroupContext context;
    context.item_tables = &table_names_;
    context.item_table_refs = contents_.item_tables;
    context.violations = violations_;
    if (source.has_value()) {
      context.source = &contents_.sources[*source];
      group.source = *source;
      group.entity = context.source->entity;
    }
    const auto types = AddFeatures(place, message, &group);
    CheckComputation(place, message, types, context, &group);
    AddPolicy(place, message, &group);
    contents_.groups.push_back(std::move(group));
  }

  std::vector<std::optional<ValueType>> AddFeatures(
      const FieldPlace& place, const v1::FeatureGroup& message,
      FeatureGroup* group) {
    if (message.feature_size() == 0) {
      place.Report("has no feature: define at least one", violations_);
    }
    if (message.feature_size() > static_cast<int>(kGroupFeaturesMax)) {
      place.Field("feature", static_cast<int>(kGroupFeaturesMax))
          .Report(absl::StrCat("there are ", message.feature_size(),
                               " features; at most ", kGroupFeaturesMax,
                               " are allowed in a group"),
                  violations_);
    }
    NameTable names("feature");
    std::vector<std::optional<ValueType>> types;
    for (int i = 0; i < message.feature_size(); ++i) {
      const v1::Feature& from = message.feature(i);
      const FieldPlace where = place.Field("feature", i);
      Feature feature;
      feature.name = from.name();
      names.Declare(where.Field("name"), from.name(), violations_);
      types.push_back(
          ReadValueType(where.Field("type"), from.type(), violations_));
      if (types.back().has_value()) feature.type = *types.back();
      feature.has_default = from.has_default_();
      if (feature.has_default && types.back().has_value()) {
        CheckDefault(where.Field("default"), from.default_(), feature.type,
                     violations_);
      }
      group->features.push_back(std::move(feature));
    }
    return types;
  }

  // A text that stands where the metric's kind needs it, and only there.
  void CheckOfKind(const FieldPlace& place, const std::string& text,
                   bool needed, absl::string_view kind) {
    if (needed && text.empty()) {
      place.Report(absl::StrCat("is needed for kind ", kind), violations_);
    } else if (!needed && !text.empty()) {
      place.Report(
          absl::StrCat("is for kind ", kind, " only: set that kind or drop it"),
          violations_);
    }
  }

  // Everything of a group but what it computes.
  void AddPolicy(const FieldPlace& place, const v1::FeatureGroup& message,
                 FeatureGroup* group) {
    if (!message.max_age().empty()) {
      group->max_age =
          ReadDuration(place.Field("max_age"), message.max_age(), violations_)
              .value_or(base::Duration::zero());
    }
    const v1::StalenessMetric& staleness = message.staleness();
    const FieldPlace where = place.Field("staleness");
    if (v1::StalenessMetric::Kind_IsValid(staleness.kind())) {
      group->staleness.kind = static_cast<Staleness::Kind>(staleness.kind());
    } else {
      where.Field("kind").Report(
          absl::StrCat(static_cast<int>(staleness.kind()),
                       " is none of PENDING_SHARE, PENDING_EVENTS, AGE, "
                       "VALUE_CURVE, EXPRESSION"),
          violations_);
    }
    group->staleness.curve_file = staleness.curve_file();
    group->staleness.expression = staleness.expression();
    group->staleness.learn_from_outcomes = staleness.learn_from_outcomes();
    const bool curve = staleness.kind() == v1::StalenessMetric::VALUE_CURVE;
    if (staleness.learn_from_outcomes() && !curve) {
      where.Field("learn_from_outcomes")
          .Report("is for kind VALUE_CURVE only: set that kind or drop it",
                  violations_);
    }
    if (!curve || !staleness.learn_from_outcomes()) {
      CheckOfKind(where.Field("curve_file"), staleness.curve_file(), curve,
                  "VALUE_CURVE");
    }
    CheckOfKind(where.Field("expression"), staleness.expression(),
                staleness.kind() == v1::StalenessMetric::EXPRESSION,
                "EXPRESSION");
    group->staleness.weight =
        ReadWeight(where.Field("weight"),
                   staleness.has_weight() ? std::optional(staleness.weight())
                                          : std::nullopt,
                   violations_);
    if (v1::Placement_IsValid(message.placement())) {
      group->placement = static_cast<Placement>(message.placement());
    } else {
      place.Field("placement")
          .Report(absl::StrCat(static_cast<int>(message.placement()),
                               " is none of BY_COST, INLINE, SCHEDULED"),
                  violations_);
    }
    if (message.has_batch_max()) {
      group->batch_max =
          ReadCount(place.Field("batch_max"), message.batch_max(), kBatchMaxMax,
                    violations_)
              .value_or(1);
    }
    if (message.has_approximate()) {
      AddApproximation(place.Field("approximate"), message, group);
    }
  }

  void AddApproximation(const FieldPlace& place,
                        const v1::FeatureGroup& message, FeatureGroup* group) {
    const v1::Approximation& from = message.approximate();
    Approximation approximate;
    if (from.kind() != v1::Approximation::CO_VISITATION) {
      place.Field("kind").Report("is required: CO_VISITATION", violations_);
    } else if (!message.has_retrieval()) {
      place.Field("kind").Report(
          "CO_VISITATION approximates a retrieval, and the group computes "
          "none: remove it",
          violations_);
    }
    if (from.has_value()) {
      // Written so that NaN fails.
      if (!(from.value() >= 0 && from.value() < 1)) {
        place.Field("value").Report(
            absl::StrCat(from.value(),
                         " is not in [0, 1): it is a share of the value of a "
                         "full refresh"),
            violations_);
      } else {
        approximate.value = from.value();
      }
    }
    group->approximate = approximate;
  }

  void FinishGroup(const v1::FeatureGroup& message, FeatureGroup* group) {
    std::vector<ValueType> types;
    for (const Feature& feature : group->features) {
      types.push_back(feature.type);
    }
    group->layout = RowLayout(std::move(types));
    RowWriter row(group->layout, &group->default_row);
    for (size_t i = 0; i < group->features.size(); ++i) {
      const Feature& feature = group->features[i];
      if (feature.has_default) {
        WriteDefault(message.feature(static_cast<int>(i)).default_(),
                     feature.type, i, &row);
      } else {
        row.SetStatus(i, ValueStatus::kNotFound);
      }
    }
  }

  void AddService(const FieldPlace& place, const v1::FeatureService& message) {
    FeatureService service;
    service.name = message.name();
    service.flow =
        base::FlowId{static_cast<uint32_t>(contents_.services.size())};
    service.weight = ReadWeight(
        place.Field("weight"),
        message.has_weight() ? std::optional(message.weight()) : std::nullopt,
        violations_);
    if (message.feature_size() == 0) {
      place.Report("asks for no feature: name at least one \"group:feature\"",
                   violations_);
    }
    PlanBuilder plan(contents_.groups, group_names_.index());
    for (int i = 0; i < message.feature_size(); ++i) {
      const absl::Status added = plan.Add(message.feature(i));
      if (added.ok()) continue;
      place.Field("feature", i).Report(added.message(), violations_);
    }
    const auto slo = ReadSlo(place, message);
    const auto budget_max = ReadBudgetMax(place, message, slo);
    service.plan = std::make_shared<const QueryPlan>(
        plan.Finish(service.flow, slo, budget_max));
    contents_.services.push_back(std::move(service));
  }

  base::Duration ReadSlo(const FieldPlace& place,
                         const v1::FeatureService& message) {
    const FieldPlace field = place.Field("slo");
    const auto slo = ReadDuration(field, message.slo(), violations_);
    if (!slo.has_value()) return base::Duration::zero();
    if (*slo <= kSloMax) return *slo;
    field.Report(
        absl::StrCat("\"", message.slo(), "\" is longer than ",
                     base::FormatDuration(kSloMax), ", the longest allowed"),
        violations_);
    return base::Duration::zero();
  }

  // `slo` is 0 where it was refused.
  base::Duration ReadBudgetMax(const FieldPlace& place,
                               const v1::FeatureService& message,
                               base::Duration slo) {
    if (message.budget_max().empty()) return kBudgetPerSlo * slo;
    const FieldPlace field = place.Field("budget_max");
    const auto budget = ReadDuration(field, message.budget_max(), violations_);
    if (!budget.has_value()) return kBudgetPerSlo * slo;
    if (*budget < slo) {
      field.Report(absl::StrCat("\"", message.budget_max(),
                                "\" is shorter than the slo, ",
                                base::FormatDuration(slo),
                                ", which it would cut: raise it, or leave it "
                                "out"),
                   violations_);
    }
    if (*budget > kBudgetPerSlo * kSloMax) {
      field.Report(
          absl::StrCat("\"", message.budget_max(), "\" is longer than ",
                       base::FormatDuration(kBudgetPerSlo * kSloMax),
                       ", the longest allowed"),
          violations_);
    }
    return *budget;
  }

  absl::Span<const DefinitionFile> files_;
  Violations* violations_;
  Revision::Contents contents_;
  NameTable entity_names_{"entity"};
  NameTable source_names_{"source"};
  NameTable table_names_{"item table"};
  NameTable group_names_{"feature group"};
  NameTable service_names_{"feature service"};
};

absl::StatusOr<std::shared_ptr<const Revision>> Build(
    absl::Span<const DefinitionFile> files, const RevisionOptions& options,
    Violations* violations) {
  Revision::Contents contents = RevisionBuilder(files, violations).Build();
  if (!violations->empty()) return violations->ToStatus();
  contents.number = options.number;
  contents.adhoc_slo = options.adhoc_slo;
  return std::make_shared<const Revision>(std::move(contents));
}

// Parses one file into `files`. Returns whether the rest can be validated: a
// definition lost to a syntax error would be missed everywhere.
bool ParseFile(absl::string_view text, absl::string_view name,
               std::vector<DefinitionFile>* files, Violations* violations) {
  DefinitionFile& file = files->emplace_back();
  file.name = std::string(name);
  file.locations = std::make_unique<LocationTree>();
  if (!ParseTextproto(text, name, &file.definitions, file.locations.get(),
                      violations)) {
    return false;
  }
  // Whoever names a file means something by it: an empty one was cut, or is
  // another than was meant.
  if (file.definitions.ByteSizeLong() == 0 && violations->empty()) {
    violations->Add(absl::StrCat(name, ":1:1"),
                    "the file defines nothing: it needs an entity, source, "
                    "feature_group or feature_service, or is not the one that "
                    "was meant");
  }
  return true;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Revision>> BuildRevision(
    absl::Span<const DefinitionFile> files, const RevisionOptions& options) {
  Violations violations;
  return Build(files, options, &violations);
}

absl::StatusOr<std::shared_ptr<const Revision>> LoadDefinitions(
    absl::Span<const std::string> paths, const RevisionOptions& options) {
  Violations violations;
  std::vector<DefinitionFile> files;
  bool whole = true;
  for (const std::string& path : paths) {
    const auto text = ReadTextFile(path);
    if (!text.ok()) {
      violations.Add("", text.status().message());
      whole = false;
      continue;
    }
    whole = ParseFile(*text, path, &files, &violations) && whole;
  }
  if (!whole) return violations.ToStatus();
  return Build(files, options, &violations);
}

absl::StatusOr<std::shared_ptr<const Revision>> ParseDefinitions(
    absl::string_view text, absl::string_view name,
    const RevisionOptions& options) {
  Violations violations;
  std::vector<DefinitionFile> files;
  if (!ParseFile(text, name, &files, &violations)) {
    return violations.ToStatus();
  }
  return Build(files, options, &violations);
}

}  // namespace freshline::registry
