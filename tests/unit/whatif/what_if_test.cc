// SPDX-License-Identifier: Apache-2.0
#include "bench/whatif/what_if.h"

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/sim/simulation.h"
#include "bench/sim/synthetic.h"
#include "bench/whatif/recorded_run.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "record/decision_log_writer.h"
#include "schedule/recorder.h"

namespace freshline::bench {
namespace {

using base::FromMillis;
using testing::HasSubstr;

constexpr uint32_t kWorkers = 2;

struct Setting {
  double load = 2;
  double slo_ms = 30;
  uint32_t workers = kWorkers;
  std::string policy = "slo_aware";
};

class WhatIfTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = (std::filesystem::path(testing::TempDir()) /
             ("whatif_" + std::to_string(getpid())))
                .string();
  }
  void TearDown() override { std::filesystem::remove(path_); }

  static record::v1::Header HeaderOf(const Setting& setting) {
    record::v1::Header header;
    header.set_version(1);
    header.set_workers(setting.workers);
    header.set_half_life_runs(64);
    header.add_groups()->set_batch_max(1);
    record::v1::Header::Flow* flow = header.add_flows();
    flow->set_service("shop");
    flow->set_weight(1);
    flow->set_slo_ns(FromMillis(setting.slo_ms).count());
    const schedule::PolicyConfig policy =
        *schedule::FindPolicy(setting.policy.c_str());
    record::v1::Header::Policy* to = header.mutable_policy();
    to->set_name(policy.name);
    to->set_background(policy.background);
    to->set_tickets_max(policy.tickets_max);
    to->set_rows_max(policy.rows_max);
    to->set_background_max(policy.background_max);
    to->set_quarantine_failures(policy.quarantine_failures);
    to->set_backoff_min_ns(policy.backoff_min.count());
    to->set_probe_interval_ns(policy.probe_interval.count());
    return header;
  }

  // The workload under a setting, recorded to path_ where `log` is asked.
  // `capacity_workers` define load 1.
  SimResult Simulate(const Setting& setting, bool log) {
    const CurveServiceTimes times{ServiceCurve{}};
    SyntheticOptions stream_options;
    stream_options.duration = std::chrono::seconds(10);
    stream_options.queries_per_second =
        setting.load * kWorkers / times.MeanMillis(stream_options) * 1000;
    SimOptions options;
    options.policy = *schedule::FindPolicy(setting.policy.c_str());
    options.workers = setting.workers;
    options.groups = {{1}};
    options.slo = FromMillis(setting.slo_ms);
    options.guard = options.policy.guard ? FromMillis(2) : base::Duration{};
    options.profile_shapes = SyntheticStream::Shapes(stream_options);
    SyntheticStream stream(stream_options);
    estimate::Estimator estimator(options.estimator);
    const auto policy =
        schedule::MakePolicy(options.policy, &estimator, options.groups);
    if (!log) {
      SeedEstimator(options, times, &estimator);
      return RunSimulation(options, &stream, times, policy.get(), &estimator);
    }
    auto writer = record::DecisionLogWriter::Open(path_, uint64_t{1} << 30,
                                                  HeaderOf(setting));
    schedule::PolicyRecorder recorder(policy.get(), writer->get());
    recorder.ListenTo(&estimator);
    SeedEstimator(options, times, &estimator);
    SimResult result =
        RunSimulation(options, &stream, times, &recorder, &estimator);
    estimator.SetListener({});
    return result;
  }

  static double FreshOf(const SimResult& r) {
    return static_cast<double>(
               r.obtained[static_cast<size_t>(base::Obtained::kRefreshed)] +
               r.obtained[static_cast<size_t>(base::Obtained::kAlreadyFresh)]) /
           static_cast<double>(r.queries);
  }

  std::string path_;
};

TEST_F(WhatIfTest, TheRecordedSettingsGiveTheRecordedOutcome) {
  const SimResult live = Simulate({}, true);
  const auto run = LoadRecordedRun(path_);
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->end, "closed");
  EXPECT_EQ(run->outcome.tickets, live.queries);
  EXPECT_NEAR(run->outcome.gain_captured / run->outcome.gain_offered,
              live.captured_share(), 1e-9);
  EXPECT_NEAR(base::ToMillis(run->GuardOf(base::FlowId{0})), 2, 1e-6);
  const auto again = WhatIf(*run, {});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->tickets, live.queries);
  EXPECT_EQ(again->late, 0U);
  EXPECT_NEAR(again->fraction_fresh(), FreshOf(live), 0.01);
  EXPECT_NEAR(again->captured(), live.captured_share(), 0.01);
}

// What would have been is what it is when it is so.
TEST_F(WhatIfTest, OtherSettingsGiveWhatARunWithThemGives) {
  Simulate({}, true);
  const auto run = LoadRecordedRun(path_);
  ASSERT_TRUE(run.ok()) << run.status();
  const auto compare = [&](const Setting& setting,
                           const WhatIfSettings& settings) {
    SCOPED_TRACE(testing::Message() << setting.policy << ", " << setting.workers
                                    << " workers, " << setting.slo_ms << " ms");
    const SimResult live = Simulate(setting, false);
    const auto told = WhatIf(*run, settings);
    ASSERT_TRUE(told.ok()) << told.status();
    EXPECT_NEAR(told->fraction_fresh(), FreshOf(live), 0.015);
    EXPECT_NEAR(told->captured(), live.captured_share(), 0.015);
    EXPECT_NEAR(told->utilisation(),
                static_cast<double>(live.busy.count()) /
                    (static_cast<double>(live.span.count()) * setting.workers),
                0.02);
  };
  WhatIfSettings workers;
  workers.workers = 3;
  compare({.workers = 3}, workers);
  workers.workers = 1;
  compare({.workers = 1}, workers);
  WhatIfSettings slo;
  slo.slo = FromMillis(12);
  compare({.slo_ms = 12}, slo);
  slo.slo = FromMillis(80);
  compare({.slo_ms = 80}, slo);
  WhatIfSettings edf;
  edf.policy = *schedule::FindPolicy("edf");
  compare({.policy = "edf"}, edf);
}

TEST_F(WhatIfTest, IsDeterministicAndDrawsTheSameTimesForTheSameWork) {
  Simulate({.load = 0.5}, true);
  const auto run = LoadRecordedRun(path_);
  ASSERT_TRUE(run.ok()) << run.status();
  const auto a = WhatIf(*run, {});
  const auto b = WhatIf(*run, {});
  EXPECT_EQ(a->busy, b->busy);
  EXPECT_EQ(a->gain_captured, b->gain_captured);
  // Everything is computed under both settings, and takes as long.
  WhatIfSettings more;
  more.workers = 8;
  const auto c = WhatIf(*run, more);
  EXPECT_EQ(c->fraction_fresh(), 1);
  EXPECT_NEAR(static_cast<double>(c->busy.count()),
              static_cast<double>(a->busy.count()),
              0.01 * static_cast<double>(a->busy.count()));
}

// One worker alone has for itself what two shared.
TEST_F(WhatIfTest, FewerWorkersDisturbEachOtherLess) {
  Simulate({.load = 0.9, .policy = "fifo"}, true);
  auto run = LoadRecordedRun(path_);
  ASSERT_TRUE(run.ok()) << run.status();
  ASSERT_EQ(run->others.size(), run->runs.size());
  uint64_t known = 0;
  for (size_t i = 0; i < run->runs.size(); ++i) {
    if (run->others[i] < 0) continue;
    ++known;
    EXPECT_LE(run->others[i], 1 + 1e-9);
    run->runs[i].time = FromMillis(base::ToMillis(run->runs[i].time) *
                                   (0.5 + 0.5 * run->others[i]));
  }
  EXPECT_GT(known, run->runs.size() * 9 / 10);
  for (estimate::Observation& seed : run->seeds) seed.time /= 2;
  const auto row_ms = [&](uint32_t workers) {
    WhatIfSettings settings;
    settings.workers = workers;
    const auto result = WhatIf(*run, settings);
    return base::ToMillis(result->busy) /
           static_cast<double>(result->rows_computed);
  };
  const double alone = row_ms(1);
  EXPECT_GT(row_ms(2), alone * 1.5);
  // Nobody has seen three.
  EXPECT_LT(row_ms(3), alone * 2.1);
}

TEST_F(WhatIfTest, ALargerBudgetLetsAnswersLeaveLater) {
  Simulate({.policy = "fifo"}, true);
  auto run = LoadRecordedRun(path_);
  ASSERT_TRUE(run.ok()) << run.status();
  run->overshoots.clear();
  for (int i = 0; i < 1000; ++i) {
    run->overshoots.push_back(std::chrono::microseconds(10 * i));
  }
  WhatIfSettings settings;
  settings.budget = 0.1;
  EXPECT_EQ(WhatIf(*run, settings).status().code(),
            absl::StatusCode::kFailedPrecondition);
  run->header.set_violation_budget_ppm(1000);
  const auto p99_ms = [&](std::optional<double> budget) {
    settings.budget = budget;
    return static_cast<double>(
               WhatIf(*run, settings)->decision_ns.Quantile(0.99)) /
           1e6;
  };
  const double as_recorded = p99_ms(std::nullopt);
  EXPECT_NEAR(p99_ms(0.001), as_recorded, 1e-9);
  // Half of the budget's share of all answers overshoots by more.
  const auto tickets = static_cast<double>(run->outcome.tickets);
  EXPECT_NEAR(p99_ms(0.1) - as_recorded, 0.01 * tickets * (0.05 - 0.0005), 0.3);
}

TEST_F(WhatIfTest, SkipsAWarmUp) {
  Simulate({}, true);
  const auto run = LoadRecordedRun(path_, std::chrono::seconds(5));
  ASSERT_TRUE(run.ok()) << run.status();
  WhatIfSettings settings;
  settings.skip = std::chrono::seconds(5);
  const auto half = WhatIf(*run, settings);
  EXPECT_EQ(half->tickets, run->outcome.tickets);
  EXPECT_NEAR(base::ToMillis(half->span), 5000, 200);
  EXPECT_FALSE(LoadRecordedRun(path_, std::chrono::minutes(5)).ok());
}

TEST_F(WhatIfTest, RefusesSettingsOutOfRange) {
  Simulate({.load = 0.2}, true);
  const auto run = LoadRecordedRun(path_);
  ASSERT_TRUE(run.ok()) << run.status();
  const auto refused = [&](const WhatIfSettings& settings, const char* field) {
    const auto result = WhatIf(*run, settings);
    EXPECT_FALSE(result.ok());
    EXPECT_THAT(std::string(result.status().message()), HasSubstr(field));
  };
  WhatIfSettings s;
  s.workers = 0;
  refused(s, "workers: 0");
  s = {};
  s.slo = FromMillis(-1);
  refused(s, "SLO");
  s = {};
  s.batch_max = 65;
  refused(s, "batch: 65");
  s = {};
  s.budget = 0.2;
  refused(s, "budget: 0.2");
}

TEST_F(WhatIfTest, ALogWithoutQueriesIsRefused) {
  {
    auto writer = record::DecisionLogWriter::Open(path_, 1 << 20, HeaderOf({}));
    ASSERT_TRUE(writer.ok());
  }
  EXPECT_THAT(std::string(LoadRecordedRun(path_).status().message()),
              HasSubstr("holds no query"));
}

TEST_F(WhatIfTest, ALogThatWasCutShortIsUsedUpToThere) {
  Simulate({}, true);
  const auto whole = LoadRecordedRun(path_);
  ASSERT_TRUE(whole.ok());
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) / 2);
  const auto run = LoadRecordedRun(path_);
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_THAT(run->end, HasSubstr("cut short"));
  EXPECT_LT(run->outcome.tickets, whole->outcome.tickets);
  EXPECT_GT(run->outcome.tickets, whole->outcome.tickets / 3);
  EXPECT_TRUE(WhatIf(*run, {}).ok());
}

}  // namespace
}  // namespace freshline::bench
