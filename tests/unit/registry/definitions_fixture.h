// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_replace.h"
#include "registry/validate.h"

namespace freshline::registry {

// A set of definitions without fault, which tests break in one place.
inline constexpr char kSound[] = R"(
entity { name: "user" key { name: "user_id" type: INT64 } }
entity {
  name: "visit"
  key { name: "shop" type: STRING }
  key { name: "visitor" type: INT64 }
}
source {
  name: "clicks" entity: "user" retention: "30d" events_max: 100
  column { name: "item" type: INT64 }
  column { name: "price" type: FLOAT64 }
  column { name: "brand" type: STRING }
  column { name: "bought" type: BOOL }
  column { name: "shown_at" type: TIMESTAMP }
}
source { name: "visits" entity: "visit" retention: "2d" }
item_table { name: "items" path: "items.fltab" dim: 8 }
feature_group {
  name: "activity" source: "clicks"
  feature {
    name: "spent" type { scalar: FLOAT64 } default { float64: 1.5 }
    aggregate {
      fn: SUM column: "price" over: "14d"
      filter { column: "bought" op: EQ value { bool: true } }
    }
  }
  feature {
    name: "brands" type { list: STRING }
    aggregate { fn: LAST_N column: "brand" last_events: 9 n: 5 }
  }
}
feature_group {
  name: "embedding" source: "clicks"
  embedding { item_table: "items" item_column: "item" }
  feature { name: "vector" type { vector_dim: 8 } }
}
feature_group {
  name: "next" source: "clicks" placement: SCHEDULED batch_max: 16
  retrieval {
    item_table: "items" item_column: "item" brand_column: "brand" top: 7
  }
  feature { name: "items" type { list: INT64 } output: ITEMS }
  feature { name: "scores" type { list: FLOAT64 } output: SCORES }
  staleness { kind: AGE weight: 0.5 }
  approximate { kind: CO_VISITATION value: 0.6 }
  max_age: "1h"
}
feature_group {
  name: "visits" source: "visits"
  feature {
    name: "count" type { scalar: INT64 }
    aggregate { fn: COUNT over: "1d" }
  }
}
feature_service {
  name: "home" feature: "next:*" feature: "activity:spent" slo: "30ms"
}
feature_service {
  name: "all" feature: "visits:count" feature: "activity:*"
  slo: "10ms" budget_max: "20ms" weight: 3
}
)";

// One way to break kSound and a part of what must be said about it.
struct Fault {
  const char* from;  // occurs in kSound
  const char* to;
  const char* message;  // with the field path
};

// Expects exactly one violation, located, whose text contains the message.
inline void ExpectRefused(const Fault& fault) {
  SCOPED_TRACE(std::string(fault.from) + " -> " + fault.to);
  std::string text = kSound;
  const size_t at = text.find(fault.from);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, std::string(fault.from).size(), fault.to);
  const auto revision = ParseDefinitions(text, "x.textproto");
  ASSERT_FALSE(revision.ok());
  const std::string message(revision.status().message());
  EXPECT_EQ(revision.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(message.rfind("x.textproto:", 0), 0u) << message;
  EXPECT_NE(message.find(fault.message), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

}  // namespace freshline::registry
