// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "base/time.h"
#include "registry/row_layout.h"
#include "registry/value_type.h"

// The validated, immutable form of the definitions: what every other room
// reads. Names are resolved to indexes; all cross-references are valid.

namespace freshline::registry {

struct JoinKey {
  std::string name;
  Scalar type = Scalar::kInt64;  // kInt64 or kString
};

struct Entity {
  std::string name;
  std::vector<JoinKey> keys;  // 1 to 4
};

struct EventColumn {
  std::string name;
  Scalar type = Scalar::kInt64;
};

struct Source {
  std::string name;
  uint32_t entity = 0;  // index into Revision::entities()
  std::vector<EventColumn> columns;
  base::Duration retention{};
  base::Duration allowed_lateness{};
  uint32_t events_max = 0;

  // Index of a column, or nullopt.
  std::optional<uint32_t> FindColumn(absl::string_view column) const;
};

struct ItemTableRef {
  std::string name;
  std::string path;  // as declared: a relative one is resolved by the daemon
  uint32_t dim = 0;
};

struct ScalarValue {
  std::variant<int64_t, double, std::string> value;  // BOOL is int64 0 or 1
};

struct Filter {
  enum class Op : uint8_t { kEq, kNe, kLt, kLe, kGt, kGe };
  uint32_t column = 0;
  Op op = Op::kEq;
  ScalarValue value;  // INT64 operands of FLOAT64 columns are widened
};

struct Aggregate {
  enum class Fn : uint8_t { kCount, kSum, kMean, kMin, kMax, kLast, kLastN };
  Fn fn = Fn::kCount;
  std::optional<uint32_t> column;  // absent: COUNT of events
  base::Duration over{};           // 0: no time window
  uint32_t last_events = 0;        // 0: no count window
  uint32_t n = 0;                  // of LAST_N
  std::vector<Filter> filters;
};

struct Embedding {
  uint32_t item_table = 0;   // index into Revision::item_tables()
  uint32_t item_column = 0;  // of the source; INT64
  uint32_t last_events = 50;
  double decay = 0.4;
};

struct Retrieval {
  uint32_t item_table = 0;
  uint32_t item_column = 0;
  std::optional<uint32_t> category_column;  // INT64
  std::optional<uint32_t> brand_column;     // STRING
  std::optional<uint32_t> price_column;     // FLOAT64
  uint32_t last_events = 50;
  uint32_t top = 20;
};

enum class RetrievalOutput : uint8_t { kItems = 1, kScores = 2 };

struct Feature {
  std::string name;
  ValueType type;
  bool has_default = false;
  std::optional<Aggregate> aggregate;  // of groups that compute aggregates
  RetrievalOutput output = RetrievalOutput::kItems;  // of retrieval groups
};

struct Staleness {
  enum class Kind : uint8_t {
    kPendingShare,
    kPendingEvents,
    kAge,
    kValueCurve,
    kExpression
  };
  Kind kind = Kind::kPendingShare;
  double weight = 1;
  std::string curve_file;            // of kValueCurve; empty: only learned
  bool learn_from_outcomes = false;  // of kValueCurve
  std::string expression;            // of kExpression
};

// A cheaper way to compute the rows of a group.
struct Approximation {
  enum class Kind : uint8_t { kCoVisitation };
  Kind kind = Kind::kCoVisitation;
  double value = 0.75;  // as a share of a full refresh's
};

enum class Placement : uint8_t { kByCost, kInline, kScheduled };

struct FeatureGroup {
  std::string name;
  base::GroupId id{};
  uint32_t source = 0;  // index into Revision::sources()
  uint32_t entity = 0;  // of the source
  std::vector<Feature> features;
  RowLayout layout;  // of features, in their order
  // A row in which each feature is DEFAULTED or NOT_FOUND.
  RowBytes default_row;
  std::variant<std::monostate, Embedding, Retrieval> computation;
  base::Duration max_age{};  // 0: none
  Staleness staleness;
  Placement placement = Placement::kByCost;
  uint32_t batch_max = 1;
  std::optional<Approximation> approximate;

  std::optional<uint32_t> FindFeature(absl::string_view feature) const;
};

// One feature of a group.
struct FeatureRef {
  base::GroupId group{};
  uint32_t feature = 0;
};

// What a query for a feature service, or for a list of references, does:
// resolved once, shared by every query that asks for the same. At most 256
// features, each at most once.
struct QueryPlan {
  base::FlowId flow{};
  std::vector<FeatureRef> features;   // in the order of the answer
  std::vector<base::GroupId> groups;  // distinct, in order of first use
  std::vector<uint32_t> group_index;  // per feature, into groups
  std::vector<std::string> names;     // per feature, "group:feature"
  std::vector<uint32_t> entities;     // distinct, in order of first use
  base::Duration slo{};
  base::Duration budget_max{};
};

// Largest budget of a query where the service declares none, in SLOs.
inline constexpr int kBudgetPerSlo = 10;

struct FeatureService {
  std::string name;
  base::FlowId flow{};  // its index in Revision::services()
  double weight = 1;    // share of the workers
  std::shared_ptr<const QueryPlan> plan;
};

// One immutable set of definitions. Thread-safe.
class Revision {
 public:
  // Made by the validator in registry/validate.h, which fills and finishes it.
  struct Contents {
    uint64_t number = 1;
    std::vector<Entity> entities;
    std::vector<Source> sources;
    std::vector<ItemTableRef> item_tables;
    std::vector<FeatureGroup> groups;  // groups[i].id == i
    std::vector<FeatureService> services;
    base::Duration adhoc_slo{};  // of queries by references, which may ask for
                                 // a budget of up to kBudgetPerSlo times this
  };
  explicit Revision(Contents contents);

  uint64_t number() const { return contents_.number; }
  const std::vector<Entity>& entities() const { return contents_.entities; }
  const std::vector<Source>& sources() const { return contents_.sources; }
  const std::vector<ItemTableRef>& item_tables() const {
    return contents_.item_tables;
  }
  const std::vector<FeatureGroup>& groups() const { return contents_.groups; }
  const std::vector<FeatureService>& services() const {
    return contents_.services;
  }
  const FeatureGroup& group(base::GroupId id) const {
    return contents_.groups[base::ToInt(id)];
  }

  // The flow of every query by references, of weight 1: the one after those of
  // the services.
  base::FlowId adhoc_flow() const {
    return base::FlowId{static_cast<uint32_t>(contents_.services.size())};
  }

  // The SLO of those queries.
  base::Duration adhoc_slo() const { return contents_.adhoc_slo; }

  // nullptr where there is none of that name. O(1).
  const FeatureService* FindService(absl::string_view name) const;
  // Returns: NOT_FOUND naming `name` and the services that there are.
  absl::StatusOr<const FeatureService*> GetService(
      absl::string_view name) const;
  const Source* FindSource(absl::string_view name) const;
  std::optional<uint32_t> FindSourceIndex(absl::string_view name) const;

  // The plan of explicit references "group:feature" ("group:*" for all).
  // Returns: NOT_FOUND naming the reference and the nearest known names;
  // INVALID_ARGUMENT for a malformed or repeated one, for none at all, or for
  // more than 256 features. Cost: O(features^2), at most; callers cache.
  absl::StatusOr<std::shared_ptr<const QueryPlan>> PlanReferences(
      absl::Span<const std::string> references) const;

 private:
  Contents contents_;
  absl::flat_hash_map<std::string, uint32_t> service_index_;
  absl::flat_hash_map<std::string, uint32_t> source_index_;
  absl::flat_hash_map<std::string, uint32_t> group_index_;
};

}  // namespace freshline::registry
