// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "registry/validate.h"

namespace freshline::registry {
namespace {

// Ten mistakes of ten kinds in one file, as a user would make them.
constexpr char kMistaken[] = R"(entity {
  name: "User"
  key { name: "user_id" type: INT64 }
}
entity { name: "card" key { name: "token" type: STRING } colour: "red" }
source {
  name: "clicks"
  entity: "card"
  column { name: "price" type: FLOAT64 }
  column { name: "price" type: INT64 }
  retention: "1 month"
}
source {
  name: "orders"
  entity: "cart"
  column { name: "amount" type: FLOAT64 }
  retention: "7d"
  durability: DURABLE
}
feature_group {
  name: "spend"
  source: "orders"
  feature {
    name: "mean"
    type { scalar: INT64 }
    aggregate { fn: MEAN column: "amount" over: "1d" }
  }
  feature {
    name: "long"
    type { scalar: FLOAT64 }
    aggregate {
      fn: SUM
      column: "amount"
      over: "30d"
    }
  }
}
feature_service {
  name: "checkout"
  feature: "spend:long"
  feature: "spend:maen"
  slo: "2m"
}
)";

TEST(TenMistakesTest, AllAreReportedEachAtItsLineAndColumn) {
  const auto revision = ParseDefinitions(kMistaken, "shop.textproto");
  ASSERT_FALSE(revision.ok());
  const std::vector<std::string> lines =
      absl::StrSplit(std::string(revision.status().message()), '\n');
  // Where each mistake stands, and the beginning of what is said about it.
  const std::vector<std::string> expected = {
      "shop.textproto:5:58: Message type \"freshline.v1.Entity\" has no field "
      "named \"colour\"",
      "shop.textproto:2:3: entity[0].name: \"User\" is not a name",
      "shop.textproto:10:12: source[0].column[1].name: column \"price\" is "
      "already defined at shop.textproto:9:12",
      "shop.textproto:11:3: source[0].retention: \"1 month\" is not a "
      "duration",
      "shop.textproto:15:3: source[1].entity: unknown entity \"cart\"; did "
      "you mean \"card\"?",
      "shop.textproto:18:3: source[1].durability: DURABLE cannot be reached",
      "shop.textproto:25:5: feature_group[0].feature[0].type: is INT64, but "
      "MEAN of amount is FLOAT64",
      "shop.textproto:34:7: feature_group[0].feature[1].aggregate.over: "
      "\"30d\" is longer than source orders keeps events (retention 7d)",
      "shop.textproto:41:3: feature_service[0].feature[1]: \"spend:maen\": "
      "feature group spend has no such feature; did you mean \"mean\"?",
      "shop.textproto:42:3: feature_service[0].slo: \"2m\" is longer than 1m",
  };
  ASSERT_EQ(lines.size(), expected.size()) << revision.status().message();
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(lines[i].substr(0, expected[i].size()), expected[i]);
  }
}

}  // namespace
}  // namespace freshline::registry
