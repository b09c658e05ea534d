// SPDX-License-Identifier: Apache-2.0
#include "serve/answer.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "registry/validate.h"
#include "tests/support/status_matchers.h"

namespace freshline::serve {
namespace {

constexpr char kDefinitions[] = R"pb(
  entity {
    name: "user"
    key { name: "user_id" type: INT64 }
  }
  source {
    name: "clicks"
    entity: "user"
    column { name: "item" type: INT64 }
    retention: "30d"
  }
  feature_group {
    name: "recent"
    source: "clicks"
    feature {
      name: "items"
      type { list: INT64 }
      aggregate { fn: LAST_N column: "item" n: 50 over: "1d" }
    }
  }
  feature_service { name: "s" feature: "recent:items" slo: "30ms" }
)pb";

// Rows of random lengths put over each other in random order keep what was put
// last: the bytes of one row never run into another's.
TEST(AnswerTest, RowsThatGrowAndShrinkStayApart) {
  const auto revision = registry::ParseDefinitions(kDefinitions, "test");
  ASSERT_THAT(revision, test::IsOk());
  const auto plan = (*revision)->FindService("s")->plan;
  const registry::RowLayout& layout = (*revision)->groups()[0].layout;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    base::Rng rng(seed);
    constexpr uint32_t kRows = 7;
    Answer answer(*revision, plan, kRows, {false});
    std::vector<std::vector<int64_t>> expected(kRows);
    registry::RowBytes bytes;
    for (int step = 0; step < 200; ++step) {
      const auto row = static_cast<uint32_t>(rng.Below(kRows));
      expected[row].assign(rng.Below(50), static_cast<int64_t>(rng.Next()));
      registry::RowWriter writer(layout, &bytes);
      writer.SetInt64List(0, expected[row]);
      RowFreshness freshness;
      freshness.pending = static_cast<uint32_t>(step);
      answer.Put(0, row, bytes, freshness);
      EXPECT_EQ(answer.freshness(0, row).pending, step);
      for (uint32_t r = 0; r < kRows; ++r) {
        const registry::RowView view(layout, answer.bytes(0, r));
        if (!view.has_value(0)) continue;  // still the default
        const auto list = view.Int64List(0);
        ASSERT_EQ(std::vector<int64_t>(list.begin(), list.end()), expected[r]);
      }
    }
  }
}

TEST(AnswerTest, EmptyBytesStandForTheDefaultRow) {
  const auto revision = registry::ParseDefinitions(kDefinitions, "test");
  ASSERT_THAT(revision, test::IsOk());
  Answer answer(*revision, (*revision)->FindService("s")->plan, 1, {true});
  answer.Put(0, 0, {}, RowFreshness::Cold());
  const registry::RowView view((*revision)->groups()[0].layout,
                               answer.bytes(0, 0));
  EXPECT_EQ(view.status(0), registry::ValueStatus::kNotFound);
}

}  // namespace
}  // namespace freshline::serve
