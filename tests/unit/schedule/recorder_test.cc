// SPDX-License-Identifier: Apache-2.0
#include "schedule/recorder.h"

#include <memory>
#include <vector>

#include "base/random.h"
#include "estimate/estimator.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "schedule/policies.h"

namespace freshline::schedule {
namespace {

using base::FromMillis;
using base::GroupId;
using base::KeyId;
using base::MonoTime;
using base::RowId;
using testing::HasSubstr;

constexpr MonoTime kStart{std::chrono::hours(1)};

// Drives a policy at random for a while, learning run times on the way.
void Drive(uint64_t seed, Policy* policy, estimate::Estimator* estimator) {
  base::Rng rng(seed);
  Actions actions;
  std::vector<std::pair<base::JobId, RowId>> running;
  MonoTime now = kStart;
  base::Seq sequence = 0;
  policy->SetWorkers(2, now, &actions);
  for (uint64_t i = 1; i <= 400; ++i) {
    now += FromMillis(rng.Exponential(1.5));
    const RowId row{KeyId{1 + rng.Below(30)}, GroupId{0}};
    const base::JobShape shape{GroupId{0}, 4,
                               static_cast<uint32_t>(1 + rng.Below(4))};
    const double gain = rng.Uniform();
    const uint64_t dice = rng.Below(10);
    if (dice < 4) {
      Need need{row, ++sequence, {}};
      need.levels.push_back({base::Fidelity::kFull, gain, shape});
      policy->Arrive({base::TicketId{i},
                      base::FlowId{0},
                      now + FromMillis(20),
                      {&need, 1}},
                     now, &actions);
    } else if (dice < 5) {
      policy->Cancel(base::TicketId{rng.Below(i) + 1}, now, &actions);
    } else if (dice < 6) {
      policy->Changed(row, ++sequence, {1, gain, shape}, now, &actions);
    } else if (dice < 9 && !running.empty()) {
      const RowResult result{running[0].second, sequence, !rng.Chance(0.1)};
      estimator->Observe(shape, 1, FromMillis(1 + 4 * rng.Uniform()));
      const base::JobId job = running[0].first;
      running.erase(running.begin());
      policy->Done(job, {&result, 1}, now, &actions);
    } else {
      policy->Tick(now, &actions);
    }
    for (const Action& action : actions.list) {
      if (action.kind == Action::Kind::kStart) {
        running.push_back({action.job, actions.rows[action.rows_begin]});
      }
    }
    // Kept in the list now and then, as a driver may.
    if (rng.Chance(0.8)) {
      actions.Clear();
    } else {
      for (Action& action : actions.list) action.kind = Action::Kind::kAnswer;
    }
  }
}

TEST(PolicyRecorderTest, ARecordingReplaysActionForAction) {
  for (const absl::string_view name : PolicyNames()) {
    for (uint64_t seed = 1; seed <= 5; ++seed) {
      SCOPED_TRACE(testing::Message() << std::string(name) << " " << seed);
      const PolicyConfig config = *FindPolicy(name);
      estimate::Estimator estimator;
      const auto policy = MakePolicy(config, &estimator, {});
      Recording recording(10'000);
      PolicyRecorder recorder(policy.get(), &recording);
      recorder.ListenTo(&estimator);
      Drive(seed, &recorder, &estimator);
      EXPECT_EQ(recording.calls_dropped, 0U);
      EXPECT_GT(recording.calls.size(), 400U);

      estimate::Estimator fresh_estimator;
      const auto fresh = MakePolicy(config, &fresh_estimator, {});
      const ReplayResult result =
          Replay(recording, fresh.get(), &fresh_estimator);
      EXPECT_FALSE(result.differs_at.has_value()) << result.difference;
      EXPECT_EQ(result.calls, recording.calls.size());
      EXPECT_EQ(recorder.Stats().jobs_started, fresh->Stats().jobs_started);
      EXPECT_EQ(recorder.NextWake(), fresh->NextWake());
    }
  }
}

TEST(PolicyRecorderTest, AnotherPolicyIsToldApartAtTheFirstDifference) {
  estimate::Estimator estimator;
  const auto policy = MakePolicy(*FindPolicy("slo_aware"), &estimator, {});
  Recording recording(10'000);
  PolicyRecorder recorder(policy.get(), &recording);
  recorder.ListenTo(&estimator);
  Drive(1, &recorder, &estimator);
  estimate::Estimator other_estimator;
  const auto other = MakePolicy(*FindPolicy("fifo"), &other_estimator, {});
  const ReplayResult result = Replay(recording, other.get(), &other_estimator);
  ASSERT_TRUE(result.differs_at.has_value());
  EXPECT_THAT(result.difference, HasSubstr("recorded"));
}

TEST(PolicyRecorderTest, KeepsTheFirstCallsAndCountsTheRest) {
  estimate::Estimator estimator;
  const auto policy = MakePolicy(*FindPolicy("fifo"), &estimator, {});
  Recording recording(10);
  PolicyRecorder recorder(policy.get(), &recording);
  Drive(1, &recorder, &estimator);
  EXPECT_EQ(recording.calls.size(), 10U);
  EXPECT_GT(recording.calls_dropped, 300U);
}

}  // namespace
}  // namespace freshline::schedule
