// SPDX-License-Identifier: Apache-2.0
#include "bench/trace/workload_shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <iterator>
#include <map>

#include "tests/support/status_matchers.h"

namespace freshline::bench {
namespace {

using ::testing::HasSubstr;

TEST(WorkloadShapeTest, EveryWorkloadParsesItsOwnText) {
  for (const NamedWorkload& workload : NamedWorkloads()) {
    const auto shape = WorkloadShape::Parse(workload.name);
    ASSERT_THAT(shape, test::IsOk());
    EXPECT_EQ(shape->kind(), workload.kind);
    for (const WorkloadParameter& p : workload.parameters) {
      EXPECT_EQ(shape->value(p.name), p.value);
      EXPECT_GE(p.value, p.min);
      EXPECT_LE(p.value, p.max);
    }
    const auto again = WorkloadShape::Parse(shape->Text());
    ASSERT_THAT(again, test::IsOk());
    EXPECT_EQ(again->Text(), shape->Text());
    EXPECT_EQ(again->plain(), shape->plain());
    EXPECT_THAT(WorkloadHelp(), HasSubstr(workload.name));
  }
}

TEST(WorkloadShapeTest, TakesTheNumbersGivenAndDefaultsOfTheOthers) {
  const auto shape = WorkloadShape::Parse("flash_crowd:seconds=7.5");
  ASSERT_THAT(shape, test::IsOk());
  EXPECT_EQ(shape->value("seconds"), 7.5);
  EXPECT_EQ(shape->value("factor"), 10);
  EXPECT_EQ(shape->Text(), "flash_crowd:factor=10,seconds=7.5");
}

TEST(WorkloadShapeTest, TheNoisyTenantHasItsShareOfUsers) {
  for (const double factor : {1.0, 10.0}) {
    const auto shape =
        WorkloadShape::Parse("noisy_tenant:factor=" + std::to_string(factor));
    ASSERT_THAT(shape, test::IsOk());
    constexpr int kUsers = 20'000;
    int noisy = 0;
    for (int64_t user = 0; user < kUsers; ++user) {
      const uint32_t tenant = TenantOf(user, *shape, 3);
      ASSERT_LE(tenant, 1U);
      EXPECT_EQ(TenantOf(user, *shape, 3), tenant);
      noisy += static_cast<int>(tenant);
    }
    EXPECT_NEAR(noisy, kUsers * factor / (1 + factor), 0.02 * kUsers);
  }
  // Of other workloads there is one tenant.
  EXPECT_EQ(TenantOf(7, WorkloadShape(), 3), 0U);
}

TEST(WorkloadShapeTest, AQuarterOfTheUsersHasEachSlo) {
  const auto shape = WorkloadShape::Parse("mixed_slo");
  ASSERT_THAT(shape, test::IsOk());
  constexpr int kUsers = 20'000;
  std::map<base::Duration, int> users;
  for (int64_t user = 0; user < kUsers; ++user) {
    const base::Duration slo = SloOf(user, *shape, 3, {});
    EXPECT_EQ(SloOf(user, *shape, 3, {}), slo);
    ++users[slo];
  }
  ASSERT_EQ(users.size(), std::size(kMixedSlos));
  for (const base::Duration slo : kMixedSlos) {
    EXPECT_NEAR(users[slo], kUsers / 4, 0.02 * kUsers);
  }
  const base::Duration own = std::chrono::milliseconds(7);
  EXPECT_EQ(SloOf(1, WorkloadShape(), 3, own), own);
}

TEST(WorkloadShapeTest, NothingIsTheTraceAsItIs) {
  const auto shape = WorkloadShape::Parse("");
  ASSERT_THAT(shape, test::IsOk());
  EXPECT_TRUE(shape->plain());
  EXPECT_EQ(shape->Text(), "");
}

TEST(WorkloadShapeTest, SaysWhatIsWrongAndWhatThereIs) {
  const struct {
    const char* text;
    const char* said;
  } kWrong[] = {
      {"flashcrowd", "there is no \"flashcrowd\"; there are poster, real"},
      {"flash_crowd:speed=3", "it has factor, seconds"},
      {"poster:x=1", "it has none"},
      {"hot_keys:exponent=0", "exponent is \"0\"; give 0.1 to 4"},
      {"hot_keys:exponent=nan", "exponent"},
      {"hot_keys:exponent", "exponent is \"\""},
      {"hot_keys:exponent=1,exponent=2", "given twice"},
      {"hot_keys:", "has no parameter \"\""},
  };
  for (const auto& wrong : kWrong) {
    EXPECT_THAT(WorkloadShape::Parse(wrong.text).status(),
                test::StatusIs(absl::StatusCode::kInvalidArgument,
                               HasSubstr(wrong.said)))
        << wrong.text;
  }
}

}  // namespace
}  // namespace freshline::bench
