// SPDX-License-Identifier: Apache-2.0
#include "schedule/query_hazard.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/random.h"
#include "gtest/gtest.h"

namespace freshline::schedule {
namespace {

using base::Duration;

Duration Seconds(double s) { return Duration(static_cast<int64_t>(s * 1e9)); }

// A row that is asked for after so long, and watched until then.
void AskAfter(QueryHazard* hazard, double seconds) {
  hazard->Watched(Seconds(seconds));
  hazard->Asked(Seconds(seconds));
}

TEST(QueryHazardTest, ExpectsLittleOfWhatItDoesNotKnow) {
  const QueryHazard hazard;
  for (const double s : {0.0, 0.0005, 0.1, 10.0, 1e5}) {
    EXPECT_NEAR(hazard.Rate(Seconds(s)), 1 / 30., 1e-9);
  }
  EXPECT_NEAR(hazard.Rate(Seconds(-1)), 1 / 30., 1e-9);
}

TEST(QueryHazardTest, IsTheRateOfQueriesWithoutMemory) {
  for (const double rate : {0.2, 3.0}) {
    QueryHazard hazard;
    base::Rng rng(7);
    for (int i = 0; i < 19'000; ++i) {
      AskAfter(&hazard, rng.Exponential(1 / rate));
    }
    for (const double age : {0.3 / rate, 1 / rate, 2 / rate}) {
      EXPECT_NEAR(hazard.Rate(Seconds(age)), rate, 0.15 * rate) << age;
    }
  }
}

TEST(QueryHazardTest, FollowsALognormalGap) {
  QueryHazard hazard;
  base::Rng rng(3);
  constexpr double kMu = 3.5;
  constexpr double kSigma = 0.96;
  for (int i = 0; i < 19'000; ++i) {
    AskAfter(&hazard, rng.LogNormal(kMu, kSigma));
  }
  // density / survival, at the middle of an age.
  const auto exact = [&](double s) {
    const double z = (std::log(s) - kMu) / kSigma;
    const double density =
        std::exp(-z * z / 2) / (s * kSigma * std::sqrt(2 * 3.141592653589793));
    return density / (std::erfc(z / std::sqrt(2.)) / 2);
  };
  for (const double s : {11.0, 28.0, 55.0}) {
    EXPECT_NEAR(hazard.Rate(Seconds(s)), exact(s), 0.25 * exact(s)) << s;
  }
  EXPECT_LT(hazard.Rate(Seconds(1)), 0.1 * exact(28));
}

TEST(QueryHazardTest, ThoseWhoNeverAskAgainCount) {
  QueryHazard patient;
  QueryHazard leaving;
  for (int i = 0; i < 5000; ++i) {
    AskAfter(&patient, 10);
    AskAfter(&leaving, 10);
    leaving.Watched(Seconds(11.3));
    leaving.Watched(Seconds(11.3));
  }
  EXPECT_LT(leaving.Rate(Seconds(10)), 0.6 * patient.Rate(Seconds(10)));
}

TEST(QueryHazardTest, ForgetsHowItWas) {
  QueryHazard hazard;
  for (int i = 0; i < 50'000; ++i) AskAfter(&hazard, 0.1);
  const double before = hazard.Rate(Seconds(0.1));
  for (int i = 0; i < 200'000; ++i) hazard.Watched(Seconds(0.12));
  EXPECT_LT(hazard.Rate(Seconds(0.1)), 0.1 * before);
}

}  // namespace
}  // namespace freshline::schedule
