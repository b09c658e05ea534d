// SPDX-License-Identifier: Apache-2.0
#include "schedule/policies.h"

#include <cmath>

#include "estimate/estimator.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace freshline::schedule {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(PoliciesTest, EveryNameIsAValidPolicy) {
  const estimate::Estimator estimator;
  EXPECT_EQ(PolicyNames().size(), 5U);
  for (const absl::string_view name : PolicyNames()) {
    const absl::StatusOr<PolicyConfig> config = FindPolicy(name);
    ASSERT_TRUE(config.ok()) << name;
    EXPECT_EQ(config->name, std::string(name));
    EXPECT_TRUE(ValidatePolicyConfig(*config).ok()) << name;
    EXPECT_NE(MakePolicy(*config, &estimator, {}), nullptr);
    // Where nobody waits there is nothing to guard.
    EXPECT_EQ(config->guard, config->trigger == Trigger::kQueryWaits);
  }
}

TEST(PoliciesTest, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  const absl::Status status = FindPolicy("lifo").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("\"lifo\""), HasSubstr("slo_aware"),
                    HasSubstr("eager_fifo")));
}

TEST(PoliciesTest, RejectsEveryFieldOutOfItsRangeByName) {
  const PolicyConfig good = *FindPolicy("slo_aware");
  const auto expect = [&](auto change, const char* field) {
    PolicyConfig config = good;
    change(&config);
    const absl::Status status = ValidatePolicyConfig(config);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
    EXPECT_THAT(std::string(status.message()), HasSubstr(field));
  };
  expect([](PolicyConfig* c) { c->tickets_max = 0; }, "tickets_max");
  expect([](PolicyConfig* c) { c->rows_max = 2'000'000; }, "rows_max");
  expect([](PolicyConfig* c) { c->background_max = 0; }, "background_max");
  expect([](PolicyConfig* c) { c->quarantine_failures = 0; },
         "quarantine_failures");
  expect([](PolicyConfig* c) { c->chance_min = 0; }, "chance_min");
  expect([](PolicyConfig* c) { c->chance_max = 1; }, "chance_max");
  expect([](PolicyConfig* c) { c->chance_min = 0.95; }, "chance_max");
  expect([](PolicyConfig* c) { c->batch_chance_min = std::nan(""); },
         "batch_chance_min");
  expect([](PolicyConfig* c) { c->background_risk_max = -1; },
         "background_risk_max");
  expect([](PolicyConfig* c) { c->probe_interval = {}; }, "probe_interval");
  expect([](PolicyConfig* c) { c->price_memory = {}; }, "price_memory");
  expect([](PolicyConfig* c) { c->backoff_min = std::chrono::hours(2); },
         "backoff_min");
  expect([](PolicyConfig* c) { c->backoff_max = {}; }, "backoff_max");
}

// What an operator may write is never refused for a bound that cannot be set.
TEST(PoliciesTest, EveryBackoffOfTheDaemonsRangeIsTaken) {
  for (const base::Duration backoff :
       {base::Duration::zero(), base::Duration(std::chrono::seconds(61)),
        base::Duration(std::chrono::hours(1))}) {
    PolicyConfig config = *FindPolicy("slo_aware");
    config.backoff_min = backoff;
    EXPECT_TRUE(ValidatePolicyConfig(config).ok());
  }
}

}  // namespace
}  // namespace freshline::schedule
