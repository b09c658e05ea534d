// SPDX-License-Identifier: Apache-2.0
#include "estimate/worker_speeds.h"

#include <algorithm>
#include <cmath>

namespace freshline::estimate {
namespace {

constexpr size_t kWorkersMax = 256;
constexpr double kDecay = 1.0 / 64;
// One stalled run says little about the worker.
constexpr double kLogRatioMax = 1.5;
constexpr double kFactorMax = 4;

}  // namespace

double WorkerSpeeds::FactorOf(std::optional<base::WorkerId> worker) const {
  if (!worker.has_value()) return 1;
  const size_t index = base::ToInt(*worker);
  return index < workers_.size() ? workers_[index].factor : 1;
}

void WorkerSpeeds::Observe(base::WorkerId worker, double ratio) {
  const size_t index = base::ToInt(worker);
  if (index >= kWorkersMax || !(ratio > 0)) return;
  if (index >= workers_.size()) workers_.resize(index + 1);
  Worker& seen = workers_[index];
  ++seen.runs;
  const double log_ratio =
      std::clamp(std::log(ratio), -kLogRatioMax, kLogRatioMax);
  seen.log_ratio += kDecay * (log_ratio - seen.log_ratio);
  double sum = 0;
  size_t known = 0;
  for (const Worker& w : workers_) {
    if (w.runs == 0) continue;
    sum += w.log_ratio;
    ++known;
  }
  for (Worker& w : workers_) {
    if (w.runs == 0) continue;
    w.factor =
        std::clamp(std::exp(w.log_ratio - sum / static_cast<double>(known)),
                   1 / kFactorMax, kFactorMax);
  }
}

}  // namespace freshline::estimate
