// SPDX-License-Identifier: Apache-2.0
#include "bench/sim/synthetic.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"

namespace freshline::bench {

using base::Duration;
using base::JobShape;

namespace {

Duration Seconds(double s) { return Duration(static_cast<int64_t>(s * 1e9)); }

double ToSeconds(Duration d) { return static_cast<double>(d.count()) / 1e9; }

}  // namespace

SyntheticStream::SyntheticStream(const SyntheticOptions& options)
    : options_(options), rng_(options.seed) {
  FRESHLINE_CHECK(options.users > 0 && options.queries_per_second > 0);
  FRESHLINE_CHECK(options.groups > 0);
  if (options.zipf <= 0) return;
  double sum = 0;
  for (uint32_t k = 0; k < options.users; ++k) {
    sum += std::pow(k + 1, -options.zipf);
    cumulative_.push_back(sum);
  }
}

uint32_t SyntheticStream::InterestsOf(const SyntheticOptions& options,
                                      uint64_t user) {
  base::Rng rng(base::MixBits(user) ^ options.seed);
  double u = rng.Uniform();
  for (uint32_t i = 0; i < options.interests.size(); ++i) {
    u -= options.interests[i];
    if (u < 0) return i + 1;
  }
  return static_cast<uint32_t>(options.interests.size());
}

std::vector<JobShape> SyntheticStream::Shapes(const SyntheticOptions& options) {
  std::vector<JobShape> shapes;
  for (uint32_t group = 0; group < options.groups; ++group) {
    for (uint32_t scans = 1; scans <= options.interests.size(); ++scans) {
      shapes.push_back({base::GroupId{group}, 8, scans});
    }
  }
  return shapes;
}

SimArrival SyntheticStream::Draw() {
  const double crowd_from = ToSeconds(options_.crowd_at);
  const double crowd_to = crowd_from + ToSeconds(options_.crowd_for);
  const bool crowded = at_seconds_ >= crowd_from && at_seconds_ < crowd_to;
  const double rate =
      options_.queries_per_second * (crowded ? options_.crowd_factor : 1);
  at_seconds_ += rng_.Exponential(1 / rate);
  uint64_t user = 0;
  if (cumulative_.empty()) {
    user = rng_.Below(options_.users);
  } else {
    const double u = rng_.Uniform() * cumulative_.back();
    user = static_cast<uint64_t>(
        std::lower_bound(cumulative_.begin(), cumulative_.end(), u) -
        cumulative_.begin());
  }
  SimArrival arrival;
  arrival.at = Seconds(at_seconds_);
  const base::GroupId group{static_cast<uint32_t>(rng_.Below(options_.groups))};
  arrival.row = {base::KeyId{user + 1}, group};
  arrival.shape = {group, 8, InterestsOf(options_, user)};
  const double sigma = options_.value_sigma;
  arrival.value = rng_.LogNormal(-sigma * sigma / 2, sigma);
  if (rng_.Chance(options_.leave_share)) {
    arrival.patience =
        Seconds(rng_.Exponential(ToSeconds(options_.patience_mean)));
  }
  return arrival;
}

bool SyntheticStream::Next(SimArrival* arrival) {
  if (options_.gap == Duration::zero()) {
    *arrival = Draw();
    return arrival->at < options_.duration;
  }
  if (!drawn_) drawn_ = Draw();
  const bool query_waits = pending_head_ < pending_.size();
  if (query_waits && pending_[pending_head_].at <= drawn_->at) {
    *arrival = pending_[pending_head_++];
    if (pending_head_ == pending_.size()) {
      pending_.clear();
      pending_head_ = 0;
    }
    return true;
  }
  if (drawn_->at >= options_.duration) {
    if (!query_waits) return false;
    *arrival = pending_[pending_head_++];
    return true;
  }
  SimArrival query = *drawn_;
  query.event = false;
  query.at += options_.gap;
  pending_.push_back(query);
  *arrival = *drawn_;
  arrival->query = false;
  drawn_ = Draw();
  return true;
}

FlowStreams::FlowStreams(std::vector<std::unique_ptr<SimStream>> streams) {
  for (std::unique_ptr<SimStream>& stream : streams) {
    Head& head = heads_.emplace_back();
    head.stream = std::move(stream);
    SimArrival first;
    if (head.stream->Next(&first)) head.next = first;
  }
}

bool FlowStreams::Next(SimArrival* arrival) {
  Head* earliest = nullptr;
  for (Head& head : heads_) {
    if (!head.next) continue;
    if (earliest == nullptr || head.next->at < earliest->next->at) {
      earliest = &head;
    }
  }
  if (earliest == nullptr) return false;
  const auto flow = static_cast<uint32_t>(earliest - heads_.data());
  *arrival = *earliest->next;
  arrival->flow = base::FlowId{flow};
  constexpr int kKeyBits = 40;
  arrival->row.key =
      base::KeyId{base::ToInt(arrival->row.key) | uint64_t{flow} << kKeyBits};
  SimArrival next;
  earliest->next.reset();
  if (earliest->stream->Next(&next)) earliest->next = next;
  return true;
}

double CurveServiceTimes::MeanMillis(const JobShape& shape,
                                     uint32_t batch) const {
  const auto& mean = curve_.mean_ms;
  const uint32_t last = static_cast<uint32_t>(mean.size()) - 1;
  double one = mean[std::min(shape.scans, last)];
  if (shape.scans > last) {
    one += (shape.scans - last) * (mean[last] - mean[last - 1]);
  }
  const double fixed = curve_.batch_fixed_share;
  return one * (fixed + (1 - fixed) * std::max(batch, 1U));
}

double CurveServiceTimes::MeanMillis(const SyntheticOptions& options) const {
  double sum = 0;
  for (uint32_t user = 0; user < options.users; ++user) {
    sum += MeanMillis(
        {base::GroupId{0}, 8, SyntheticStream::InterestsOf(options, user)}, 1);
  }
  return sum / options.users;
}

SimRun CurveServiceTimes::Sample(const JobShape& shape, uint32_t batch,
                                 uint64_t draw, Duration at) const {
  base::Rng rng(draw);
  const double sigma = curve_.sigma;
  double ms =
      MeanMillis(shape, batch) * rng.LogNormal(-sigma * sigma / 2, sigma);
  if (rng.Chance(curve_.outlier_share)) ms *= 100;
  if (at >= curve_.slow_at && at < curve_.slow_at + curve_.slow_for) {
    ms *= curve_.slow_factor;
  }
  return {base::FromMillis(ms), !rng.Chance(curve_.failure_share), {}};
}

}  // namespace freshline::bench
