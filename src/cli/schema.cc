// SPDX-License-Identifier: Apache-2.0
#include "cli/schema.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace freshline::cli {
namespace {

template <typename Named>
std::string Names(const std::vector<Named>& all) {
  return absl::StrJoin(all, ", ", [](std::string* out, const Named& one) {
    absl::StrAppend(out, one.name);
  });
}

template <typename Named>
const Named* FindByName(const std::vector<Named>& all, absl::string_view name) {
  const auto it = std::find_if(all.begin(), all.end(), [&](const Named& one) {
    return absl::string_view(one.name) == name;
  });
  return it == all.end() ? nullptr : &*it;
}

}  // namespace

const SchemaColumn* SchemaSource::Find(absl::string_view column) const {
  return FindByName(columns, column);
}

Schema::Schema(const v1::GetSchemaResponse& response)
    : request_bytes_max_(response.request_bytes_max()),
      events_per_request_max_(response.events_per_request_max()) {
  for (const v1::Entity& entity : response.entities()) {
    for (const v1::JoinKey& key : entity.key()) {
      const auto known =
          std::find_if(keys_.begin(), keys_.end(),
                       [&](const Key& one) { return one.name == key.name(); });
      if (known == keys_.end()) {
        keys_.push_back({key.name(), key.type()});
      } else if (known->type != key.type()) {
        known->type.reset();
      }
    }
  }
  for (const v1::Source& source : response.sources()) {
    SchemaSource& out = sources_.emplace_back();
    out.name = source.name();
    out.retention = source.retention();
    out.allowed_lateness = source.allowed_lateness();
    for (const v1::Entity& entity : response.entities()) {
      if (entity.name() != source.entity()) continue;
      for (const v1::JoinKey& key : entity.key()) {
        out.columns.push_back({key.name(), key.type(), /*key=*/true});
      }
    }
    for (const v1::EventColumn& column : source.column()) {
      out.columns.push_back({column.name(), column.type(), /*key=*/false});
    }
  }
}

absl::StatusOr<Schema> Schema::Ask(Client& client) {
  const absl::StatusOr<DaemonSchema> schema = client.GetSchema();
  if (schema.ok()) return Schema(schema->proto());
  if (schema.status().code() != absl::StatusCode::kUnimplemented) {
    return schema.status();
  }
  return absl::FailedPreconditionError(
      "the daemon does not tell its schema: it is older than this command; "
      "use the command of its own version");
}

absl::StatusOr<const SchemaSource*> Schema::GetSource(
    absl::string_view name) const {
  const SchemaSource* source = FindByName(sources_, name);
  if (source != nullptr) return source;
  return absl::NotFoundError(absl::StrCat(
      "no source is named \"", name, "\" (there are: ", Names(sources_), ")"));
}

absl::StatusOr<std::optional<v1::ScalarType>> Schema::KeyType(
    absl::string_view join_key) const {
  const Key* key = FindByName(keys_, join_key);
  if (key != nullptr) return key->type;
  return absl::NotFoundError(
      absl::StrCat("no entity has a join key \"", join_key,
                   "\" (there are: ", Names(keys_), ")"));
}

}  // namespace freshline::cli
