// SPDX-License-Identifier: Apache-2.0
#include "bench/load/saturate.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/histogram.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "bench/load/absolute_sleep.h"

namespace freshline::bench {
namespace {

// Calls that start their successor when they end, until told to stop.
class Loop {
 public:
  explicit Loop(const SaturateSide& side) : side_(side) {}

  void StartOne() {
    const base::MonoTime sent = base::Clock::Real().Now();
    side_.client->SendUncopied(
        client::Method::kGetFeatures, side_.request, absl::string_view(),
        sent + std::chrono::seconds(10),
        [this, sent](const absl::Status& status, absl::string_view answer,
                     base::MonoTime received) {
          Ended(status, answer.size(), received - sent);
        });
  }

  void StartMeasuring() {
    base::MutexLock lock(&mu_);
    measuring_ = true;
  }

  // Starts no more; what ends later is not counted.
  void Stop() {
    base::MutexLock lock(&mu_);
    measuring_ = false;
    stopping_ = true;
  }

  void AwaitEnd(int started) {
    base::MutexLock lock(&mu_);
    while (finished_ < started) all_ended_.Wait(&mu_);
  }

  // REQUIRES: AwaitEnd() returned.
  ClosedLoopResult Result(base::Duration measured) {
    base::MutexLock lock(&mu_);
    ClosedLoopResult result;
    result.calls = latency_ns_.count();
    result.errors = errors_;
    result.qps = static_cast<double>(result.calls) * 1e9 /
                 static_cast<double>(measured.count());
    result.latency_us_p50 =
        static_cast<double>(latency_ns_.Quantile(0.5)) / 1e3;
    result.latency_us_p99 =
        static_cast<double>(latency_ns_.Quantile(0.99)) / 1e3;
    result.answer_bytes = answer_bytes_;
    return result;
  }

 private:
  void Ended(const absl::Status& status, size_t bytes, base::Duration took) {
    bool again = false;
    {
      base::MutexLock lock(&mu_);
      if (measuring_) {
        latency_ns_.Record(took.count());
        if (!status.ok()) ++errors_;
        answer_bytes_ = bytes;
      }
      again = !stopping_;
      // Under the lock: this object may be gone when it is released.
      if (!again) {
        ++finished_;
        all_ended_.NotifyAll();
      }
    }
    if (again) StartOne();
  }

  const SaturateSide side_;
  base::Mutex mu_;
  base::CondVar all_ended_;
  bool measuring_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  int finished_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t errors_ ABSL_GUARDED_BY(mu_) = 0;
  size_t answer_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  base::Histogram latency_ns_ ABSL_GUARDED_BY(mu_);
};

absl::StatusOr<base::Duration> CpuOf(const SaturateSide& side) {
  if (side.process == nullptr) return base::Duration();
  return side.process->CpuTime();
}

absl::Status Usable(const ClosedLoopResult& run, absl::string_view which) {
  if (run.calls > 0 && run.errors == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("saturating the ", which, ": ",
                                          run.calls, " calls, ", run.errors,
                                          " errors"));
}

template <typename Field>
auto MedianOf(const std::vector<ClosedLoopResult>& runs, Field field) {
  std::vector<double> values;
  for (const ClosedLoopResult& run : runs) {
    values.push_back(static_cast<double>(run.*field));
  }
  return Median(std::move(values));
}

ClosedLoopResult Medians(const std::vector<ClosedLoopResult>& runs) {
  using R = ClosedLoopResult;
  R median;
  median.calls = static_cast<uint64_t>(MedianOf(runs, &R::calls));
  median.qps = MedianOf(runs, &R::qps);
  median.server_cpu_us = MedianOf(runs, &R::server_cpu_us);
  median.latency_us_p50 = MedianOf(runs, &R::latency_us_p50);
  median.latency_us_p99 = MedianOf(runs, &R::latency_us_p99);
  median.answer_bytes = runs.back().answer_bytes;
  return median;
}

double Ratio(double a, double b) { return b > 0 ? a / b : 0; }

}  // namespace

double Median(std::vector<double> values) {
  FRESHLINE_CHECK(!values.empty());
  const auto middle =
      values.begin() + static_cast<ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

absl::StatusOr<std::string> FetchAnswer(const SaturateSide& side) {
  base::Mutex mu;
  base::CondVar ended;
  std::optional<absl::StatusOr<std::string>> answer;
  side.client->Send(
      client::Method::kGetFeatures, side.request,
      base::Clock::Real().Now() + std::chrono::seconds(10),
      [&](const absl::Status& status, absl::string_view bytes, base::MonoTime) {
        base::MutexLock lock(&mu);
        if (status.ok()) {
          answer = std::string(bytes);
        } else {
          answer = status;
        }
        ended.NotifyAll();
      });
  base::MutexLock lock(&mu);
  while (!answer.has_value()) ended.Wait(&mu);
  return *std::move(answer);
}

absl::StatusOr<ClosedLoopResult> RunClosedLoop(const SaturateSide& side,
                                               const SaturateOptions& options) {
  if (options.in_flight < 1 || options.in_flight > 10'000 ||
      options.duration <= base::Duration() ||
      options.warm_up < base::Duration()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "SaturateOptions: in_flight is ", options.in_flight,
        " (1 to 10000), duration ", options.duration.count(),
        " ns (above 0), warm_up ", options.warm_up.count(), " ns (0 or more)"));
  }
  const base::Clock& clock = base::Clock::Real();
  Loop loop(side);
  for (int i = 0; i < options.in_flight; ++i) loop.StartOne();
  SleepUntil(clock.Now() + options.warm_up);
  const auto cpu_before = CpuOf(side);
  const base::MonoTime began = clock.Now();
  loop.StartMeasuring();
  SleepUntil(began + options.duration);
  loop.Stop();
  const base::Duration measured = clock.Now() - began;
  const auto cpu_after = CpuOf(side);
  loop.AwaitEnd(options.in_flight);
  FRESHLINE_RETURN_IF_ERROR(cpu_before.status());
  FRESHLINE_RETURN_IF_ERROR(cpu_after.status());
  ClosedLoopResult result = loop.Result(measured);
  result.server_cpu_us = Ratio(base::ToMicros(*cpu_after - *cpu_before),
                               static_cast<double>(result.calls));
  return result;
}

absl::StatusOr<SaturateResult> Saturate(const SaturateSide& server,
                                        const SaturateSide& echo,
                                        const SaturateOptions& options) {
  if (options.repeats < 1 || options.repeats > 1000) {
    return absl::InvalidArgumentError(
        absl::StrCat("SaturateOptions.repeats is ", options.repeats,
                     "; give a value from 1 to 1000"));
  }
  SaturateResult result;
  std::vector<double> qps_ratios;
  std::vector<double> cpu_ratios;
  for (int i = 0; i < options.repeats; ++i) {
    const bool echo_first = i % 2 == 1;
    ClosedLoopResult ours;
    ClosedLoopResult floor;
    for (const bool is_echo : {echo_first, !echo_first}) {
      ClosedLoopResult& run = is_echo ? floor : ours;
      FRESHLINE_ASSIGN_OR_RETURN(
          run, RunClosedLoop(is_echo ? echo : server, options));
      FRESHLINE_RETURN_IF_ERROR(Usable(run, is_echo ? "echo" : "server"));
    }
    qps_ratios.push_back(Ratio(ours.qps, floor.qps));
    cpu_ratios.push_back(Ratio(ours.server_cpu_us, floor.server_cpu_us));
    result.server_runs.push_back(ours);
    result.echo_runs.push_back(floor);
  }
  result.server = Medians(result.server_runs);
  result.echo = Medians(result.echo_runs);
  const auto [qps_min, qps_max] =
      std::minmax_element(qps_ratios.begin(), qps_ratios.end());
  const auto [cpu_min, cpu_max] =
      std::minmax_element(cpu_ratios.begin(), cpu_ratios.end());
  result.qps_ratio_min = *qps_min;
  result.qps_ratio_max = *qps_max;
  result.cpu_ratio_min = *cpu_min;
  result.cpu_ratio_max = *cpu_max;
  result.qps_ratio = Median(std::move(qps_ratios));
  result.cpu_ratio = Median(std::move(cpu_ratios));
  return result;
}

}  // namespace freshline::bench
