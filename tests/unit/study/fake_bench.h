// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "bench/study/runner.h"

namespace freshline::test {

// Runs whose hits are drawn: a policy finds a truth that infinite compute
// finds with a chance of 1 / load, "eager" with half of that. Thread-safe.
class FakeBench final : public bench::StudyBench {
 public:
  std::string SliceFingerprint(const bench::StudyCell& cell) const override {
    return absl::StrCat(version, " ", cell.seed, " ", cell.at.load, " ",
                        cell.at.workload);
  }
  std::string RunFingerprint(const bench::StudyCell& cell) const override {
    return absl::StrCat(SliceFingerprint(cell), " ", cell.at.policy, " ",
                        cell.at.slo_ms, " ", cell.at.batch_max);
  }
  absl::StatusOr<std::unique_ptr<bench::StudySlice>> Prepare(
      const bench::StudyCell& first) override;

  std::string version = "1";
  std::string failing_policy;  // runs of it fail
  std::atomic<int> slices{0};  // prepared
  std::atomic<int> runs{0};    // run
};

class FakeSlice final : public bench::StudySlice {
 public:
  FakeSlice(FakeBench* bench, const bench::StudyCell& cell) : bench_(bench) {
    for (int64_t user = 0; user < 300; ++user) {
      users_.user.push_back(user);
      users_.scored.push_back(2);
      users_.never.push_back(0);
      users_.infinite.push_back(1 + (user + cell.seed) % 2);
    }
  }
  const bench::SliceUsers& users() const override { return users_; }

  absl::StatusOr<bench::StudyRun> Run(const bench::StudyCell& cell) override {
    ++bench_->runs;
    if (cell.at.policy == bench_->failing_policy) {
      return absl::InternalError("no such luck");
    }
    bench::StudyRun run;
    run.report.kind = cell.at.kind;
    run.report.policy = cell.at.policy;
    run.report.load = cell.at.load;
    run.report.slo_ms = cell.at.slo_ms;
    run.report.seed = cell.seed;
    run.report.queries = 600;
    double chance = std::min(1.0, 1 / cell.at.load);
    if (absl::StartsWith(cell.at.policy, "eager")) chance /= 2;
    base::Rng rng(cell.seed);
    for (const uint32_t infinite : users_.infinite) {
      uint32_t hits = 0;
      for (uint32_t i = 0; i < infinite; ++i) hits += rng.Chance(chance);
      run.hits.push_back(hits);
    }
    return run;
  }

 private:
  FakeBench* const bench_;
  bench::SliceUsers users_;
};

inline absl::StatusOr<std::unique_ptr<bench::StudySlice>> FakeBench::Prepare(
    const bench::StudyCell& first) {
  ++slices;
  return std::make_unique<FakeSlice>(this, first);
}

}  // namespace freshline::test
