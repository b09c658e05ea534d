// SPDX-License-Identifier: Apache-2.0
#include "rpc/encode_schema.h"

#include "base/duration_text.h"

namespace freshline::rpc {
namespace {

v1::ScalarType ToWire(registry::Scalar type) {
  switch (type) {
    case registry::Scalar::kBool:
      return v1::BOOL;
    case registry::Scalar::kInt64:
      return v1::INT64;
    case registry::Scalar::kFloat64:
      return v1::FLOAT64;
    case registry::Scalar::kString:
      return v1::STRING;
    case registry::Scalar::kTimestamp:
      return v1::TIMESTAMP;
  }
  return v1::SCALAR_TYPE_UNSPECIFIED;
}

}  // namespace

void EncodeSchema(const registry::Revision& revision,
                  v1::GetSchemaResponse* response) {
  response->set_revision(revision.number());
  for (const registry::Entity& entity : revision.entities()) {
    v1::Entity* out = response->add_entities();
    out->set_name(entity.name);
    for (const registry::JoinKey& key : entity.keys) {
      v1::JoinKey* out_key = out->add_key();
      out_key->set_name(key.name);
      out_key->set_type(ToWire(key.type));
    }
  }
  for (const registry::Source& source : revision.sources()) {
    v1::Source* out = response->add_sources();
    out->set_name(source.name);
    out->set_entity(revision.entities()[source.entity].name);
    for (const registry::EventColumn& column : source.columns) {
      v1::EventColumn* out_column = out->add_column();
      out_column->set_name(column.name);
      out_column->set_type(ToWire(column.type));
    }
    out->set_retention(base::FormatDuration(source.retention));
    out->set_allowed_lateness(base::FormatDuration(source.allowed_lateness));
    out->set_events_max(source.events_max);
    out->set_durability(v1::MEMORY);
  }
}

}  // namespace freshline::rpc
