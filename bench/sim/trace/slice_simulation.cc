// SPDX-License-Identifier: Apache-2.0
#include "bench/sim/trace/slice_simulation.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/histogram.h"
#include "base/status_macros.h"
#include "bench/bound/fresh_value.h"
#include "bench/report/scored.h"
#include "bench/stats/fairness.h"

namespace freshline::bench {

using base::Duration;
using base::Obtained;

namespace {

constexpr base::GroupId kGroup{0};

Duration TimeOf(const ShapedSlice& slice, size_t query) {
  const ScoringTrace& trace = slice.view.trace;
  return std::chrono::microseconds(
      trace.clicks[trace.queries_begin + query].time_us);
}

int64_t UserOf(const ShapedSlice& slice, size_t query) {
  const ScoringTrace& trace = slice.view.trace;
  return trace.clicks[trace.queries_begin + query].user;
}

Duration SloOf(const ShapedSlice& slice, const SliceRunOptions& options,
               size_t query) {
  return options.slo_of ? options.slo_of(UserOf(slice, query)) : options.slo;
}

base::RowId RowOf(const Query& query) {
  return {base::KeyId{uint64_t{query.user} + 1}, kGroup};
}

// The names of the wire.
const char* NameOf(Obtained how) {
  switch (how) {
    case Obtained::kUnset:
      return "OBTAINED_UNSPECIFIED";
    case Obtained::kAlreadyFresh:
      return "ALREADY_FRESH";
    case Obtained::kComputedInline:
      return "COMPUTED_INLINE";
    case Obtained::kRefreshed:
      return "REFRESHED";
    case Obtained::kApproximated:
      return "APPROXIMATED";
    case Obtained::kWritten:
      return "WRITTEN";
    case Obtained::kStaleShed:
      return "STALE_SHED";
    case Obtained::kStaleDeadline:
      return "STALE_DEADLINE";
    case Obtained::kStaleError:
      return "STALE_ERROR";
    case Obtained::kDefaultCold:
      return "DEFAULT_COLD";
  }
  return "";
}

RunReport::Quantiles QuantilesOf(const base::Histogram& h, double unit) {
  const auto at = [&](double q) {
    return static_cast<double>(h.Quantile(q)) / unit;
  };
  return {at(0.5),  at(0.9),   at(0.95),
          at(0.99), at(0.999), static_cast<double>(h.max()) / unit};
}

absl::Status Check(const SliceRunOptions& options) {
  const auto wrong = [](absl::string_view what) {
    return absl::InvalidArgumentError(what);
  };
  if (options.workers == 0 || options.workers > 1024) {
    return wrong(
        absl::StrCat("workers: ", options.workers, " is not in [1, 1024]"));
  }
  if (options.batch_max == 0 || options.batch_max > TimeProfile::kBatchMax) {
    return wrong(absl::StrCat("batch: ", options.batch_max, " is not in [1, ",
                              TimeProfile::kBatchMax, "]"));
  }
  if (options.slo <= Duration::zero() ||
      options.slo > std::chrono::minutes(1)) {
    return wrong(absl::StrCat("SLO: ", base::ToMillis(options.slo),
                              " ms is not in (0, 60000]"));
  }
  if (options.guard < Duration::zero() || options.guard >= options.slo) {
    return wrong(absl::StrCat("guard: ", base::ToMillis(options.guard),
                              " ms is not in [0, SLO), the SLO being ",
                              base::ToMillis(options.slo), " ms"));
  }
  if (options.gap < Duration::zero() || options.gap > std::chrono::minutes(1)) {
    return wrong(absl::StrCat("gap: ", base::ToMillis(options.gap),
                              " ms is not in [0, 60000]"));
  }
  if (options.approximate &&
      !(*options.approximate >= 0 && *options.approximate < 1)) {
    return wrong(absl::StrCat("approximate: ", *options.approximate,
                              " is not in [0, 1)"));
  }
  return schedule::ValidatePolicyConfig(options.policy);
}

SimOptions SimOptionsOf(const ShapedSlice& slice,
                        const SliceRunOptions& options) {
  SimOptions sim;
  sim.policy = options.policy;
  sim.groups = {{options.batch_max}};
  sim.workers = options.workers;
  sim.slo = options.slo;
  sim.guard = options.policy.guard ? options.guard : Duration::zero();
  sim.metric = options.metric != nullptr
                   ? options.metric
                   : std::make_shared<const staleness::StalenessMetric>(
                         staleness::StalenessMetric::PendingShare());
  // As the daemon's start-up profile: made-up events, each of its own
  // interest, up to what the function looks at.
  for (uint32_t events = 1; events <= 32; events *= 2) {
    sim.profile_shapes.push_back({kGroup, events, std::min(events, 4U)});
  }
  sim.warm_rows = WarmRowsOf(slice.view);
  sim.waiting_gain_share = 1 - options.approximate.value_or(0);
  sim.keep_outcomes = true;
  sim.seed = options.seed;
  return sim;
}

// Whether a list that lacks 0, 1, ... kReportedMissing clicks holds the next
// one, for each query.
class ReportedLosses {
 public:
  ReportedLosses(const QuerySet& set, StateRanker* ranker) : set_(set) {
    std::vector<ServedState> served(set.queries.size());
    for (uint32_t missing = 0; missing <= kReportedMissing; ++missing) {
      for (size_t i = 0; i < served.size(); ++i) {
        const Prefix whole = set.queries[i].fresh;
        served[i] = {true, whole - std::min<Prefix>(whole, missing)};
      }
      ranks_.push_back(ranker->Rank(served));
    }
  }

  double Of(uint64_t number, uint64_t seen) const {
    const Query& query = set_.queries[number];
    if (!query.scored) return -1;
    const uint64_t missing =
        query.fresh - std::min<uint64_t>(seen, query.fresh);
    const size_t row = std::min<uint64_t>(missing, kReportedMissing);
    return ranks_[row][number] > 0 ? 0 : 1;
  }

 private:
  const QuerySet& set_;
  std::vector<Ranks> ranks_;  // by missing
};

void FillServed(const SimResult& result, const QuerySet& set, bool approximate,
                RunReport* r) {
  r->queries = result.queries;
  r->violations = result.late + (result.queries - result.answered);
  r->violation_episodes = r->violations;
  r->latency_us = QuantilesOf(result.latency_ns, 1e3);
  r->pending = QuantilesOf(result.pending, 1);
  r->featurizations = result.rows_computed;
  r->wasted = result.rows_wasted;
  const estimate::Calibration& known = result.calibration;
  r->p99_coverage = known.runs == 0 ? 0
                                    : static_cast<double>(known.within_p99) /
                                          static_cast<double>(known.runs);
  r->p99_coverage_windows = result.p99_coverage_windows;
  base::Histogram age_us;
  uint64_t fresh = 0;
  double value = 0;
  double captured = 0;
  for (size_t i = 0; i < result.outcomes.size(); ++i) {
    const SimOutcome& outcome = result.outcomes[i];
    const bool cold = outcome.seen == 0;
    const Obtained stored = cold ? Obtained::kDefaultCold : outcome.how;
    ++r->obtained[NameOf(approximate && !outcome.fresh ? Obtained::kApproximated
                                                       : stored)];
    if (!cold) age_us.Record(outcome.age.count() / 1000);
    const double worth = 1.0 / set.queries[i].fresh;
    value += worth;
    if (!outcome.fresh) continue;
    ++fresh;
    captured += worth;
  }
  r->staleness_ms = QuantilesOf(age_us, 1e3);
  r->fraction_fresh = static_cast<double>(fresh) /
                      static_cast<double>(std::max<uint64_t>(1, r->queries));
  r->quality.value_captured = value > 0 ? captured / value : 0;
}

// Of the worker time that flows of equal weight got, and wanted by what their
// queries' rows take on average; none with one flow.
std::optional<double> JainOf(const ShapedSlice& slice,
                             const ProfiledTimes& times,
                             const SliceRunOptions& options,
                             const std::vector<Duration>& service) {
  if (service.size() < 2 || !options.flow_of) return std::nullopt;
  std::vector<FlowUse> flows;
  flows.reserve(service.size());
  for (const Duration got : service) flows.push_back({base::ToMillis(got)});
  for (size_t i = 0; i < slice.shapes.size(); ++i) {
    const uint32_t flow = options.flow_of(UserOf(slice, i));
    if (flow >= flows.size()) continue;
    flows[flow].wanted += base::ToMillis(times.Mean(slice.shapes[i].scans, 1));
  }
  return FairnessIndex(flows);
}

// The least that batches of several rows take of a row, by its scans, in any
// run of any such size. Of a run each row bears a part that grows with its
// scans + 1, as run times do, nearly.
class LeastShares {
 public:
  LeastShares(const ProfiledTimes& times, uint32_t batch_max) {
    for (size_t scans = least_.size(); scans-- > 0;) {
      BoundEvent& least = least_[scans];
      least.run = least.work = Duration::max();
      for (uint32_t batch = 2; batch <= batch_max; ++batch) {
        for (uint32_t mean = 0; mean < least_.size(); ++mean) {
          // The other rows scan nothing at least.
          if (uint64_t{mean} * batch < scans) continue;
          const Duration time = times.Least(mean, batch);
          least.run = std::min(least.run, time);
          least.work =
              std::min(least.work, time * static_cast<int64_t>(scans + 1) /
                                       (int64_t{batch} * (mean + 1)));
        }
      }
    }
  }
  BoundEvent Of(uint32_t scans) const {
    return least_[std::min<size_t>(scans, least_.size() - 1)];
  }

 private:
  std::array<BoundEvent, TimeProfile::kScansMax + 1> least_;
};

}  // namespace

SliceStream::SliceStream(const ShapedSlice& slice, Duration gap,
                         std::function<uint32_t(int64_t user)> flow_of,
                         std::function<Duration(int64_t user)> slo_of)
    : slice_(slice),
      gap_(gap),
      flow_of_(std::move(flow_of)),
      slo_of_(std::move(slo_of)),
      newest_(slice.view.set->timelines.size()) {
  FRESHLINE_CHECK(slice.shapes.size() == slice.view.set->queries.size());
  own_ = Own();
}

SimArrival SliceStream::Of(size_t query) const {
  SimArrival arrival;
  arrival.at = TimeOf(slice_, query);
  arrival.row = RowOf(slice_.view.set->queries[query]);
  arrival.shape = slice_.shapes[query];
  const int64_t user = UserOf(slice_, query);
  if (flow_of_) arrival.flow = base::FlowId{flow_of_(user)};
  if (slo_of_) arrival.slo = slo_of_(user);
  return arrival;
}

SimArrival SliceStream::OfStorm() {
  const Click& click = slice_.storm[next_storm_++];
  const auto [key, made] =
      storm_keys_.try_emplace(click.user, kStormKey + storm_keys_.size());
  SimArrival arrival;
  arrival.at = std::chrono::microseconds(click.time_us);
  arrival.row = {base::KeyId{key->second}, kGroup};
  arrival.query = false;
  arrival.shape = {kGroup, ++storm_clicks_[click.user], 1};
  return arrival;
}

std::optional<SimArrival> SliceStream::Own() {
  const size_t count = slice_.shapes.size();
  if (gap_ == Duration::zero()) {
    if (next_event_ == count) return std::nullopt;
    return Of(next_event_++);
  }
  if (next_query_ == count) return std::nullopt;
  if (next_event_ < count &&
      TimeOf(slice_, next_event_) <= TimeOf(slice_, next_query_) + gap_) {
    newest_[slice_.view.set->queries[next_event_].user] = next_event_;
    SimArrival arrival = Of(next_event_++);
    arrival.query = false;
    return arrival;
  }
  const uint32_t user = slice_.view.set->queries[next_query_].user;
  SimArrival arrival = Of(next_query_++);
  arrival.at += gap_;
  arrival.event = false;
  arrival.shape = slice_.shapes[newest_[user]];
  return arrival;
}

bool SliceStream::Next(SimArrival* arrival) {
  if (!own_.has_value()) return false;
  if (next_storm_ < slice_.storm.size() &&
      std::chrono::microseconds(slice_.storm[next_storm_].time_us) < own_->at) {
    *arrival = OfStorm();
    return true;
  }
  *arrival = *own_;
  own_ = Own();
  return true;
}

std::vector<SimWarmRow> WarmRowsOf(const SliceView& slice) {
  std::vector<SimWarmRow> rows;
  for (uint32_t user = 0; user < slice.set->timelines.size(); ++user) {
    const std::vector<uint32_t>& timeline = slice.set->timelines[user];
    const auto end = std::lower_bound(timeline.begin(), timeline.end(),
                                      slice.trace.queries_begin);
    const auto events = static_cast<uint32_t>(end - timeline.begin());
    if (events == 0) continue;
    rows.push_back({{base::KeyId{uint64_t{user} + 1}, kGroup}, events});
  }
  return rows;
}

Duration MeanTime(const ShapedSlice& slice, const ProfiledTimes& times) {
  FRESHLINE_CHECK(!slice.shapes.empty());
  Duration sum{};
  for (const base::JobShape& shape : slice.shapes) {
    sum += times.Mean(shape.scans, 1);
  }
  return sum / static_cast<int64_t>(slice.shapes.size());
}

double ValueBound(const ShapedSlice& slice, const ProfiledTimes& times,
                  const SliceRunOptions& options) {
  const QuerySet& set = *slice.view.set;
  const LeastShares shares(times, options.batch_max);
  BoundInstance instance;
  instance.workers = options.workers;
  base::Seq newest = 0;
  for (const SimWarmRow& warm : WarmRowsOf(slice.view)) newest += warm.events;
  size_t storm = 0;  // its events have sequences of their own
  for (size_t i = 0; i < set.queries.size(); ++i) {
    for (; storm < slice.storm.size() &&
           std::chrono::microseconds(slice.storm[storm].time_us) <
               TimeOf(slice, i);
         ++storm) {
      ++newest;
    }
    const uint64_t draw = DrawOf(options.seed, RowOf(set.queries[i]), ++newest);
    const Duration alone = times.Sample(slice.shapes[i], 1, draw, {}).time;
    const BoundEvent least = shares.Of(slice.shapes[i].scans);
    instance.events.push_back({set.queries[i].user, TimeOf(slice, i),
                               std::min(alone, least.run),
                               std::min(alone, least.work)});
  }
  std::vector<uint32_t> newest_of(set.timelines.size());  // by user
  size_t next_event = 0;
  double value = 0;
  for (size_t i = 0; i < set.queries.size(); ++i) {
    const Query& q = set.queries[i];
    const Duration at = TimeOf(slice, i) + options.gap;
    // Without a gap a query comes before the next click of the same moment.
    const auto clicked = [&](size_t event) {
      return options.gap == Duration::zero() ? event <= i
                                             : TimeOf(slice, event) <= at;
    };
    for (; next_event < set.queries.size() && clicked(next_event);
         ++next_event) {
      newest_of[set.queries[next_event].user] =
          static_cast<uint32_t>(next_event);
    }
    instance.queries.push_back(
        {newest_of[q.user], at + SloOf(slice, options, i), 1.0 / q.fresh});
    value += 1.0 / q.fresh;
  }
  return value > 0 ? std::min(1.0, FreshValueBound(instance) / value) : 1;
}

absl::StatusOr<SliceRun> RunSlice(const ShapedSlice& slice,
                                  const ProfiledTimes& times,
                                  const std::array<Ranks, kModelRows>& models,
                                  const SliceRunOptions& options,
                                  StateRanker* ranker) {
  FRESHLINE_RETURN_IF_ERROR(Check(options));
  const QuerySet& set = *slice.view.set;
  SimOptions sim = SimOptionsOf(slice, options);
  std::optional<ReportedLosses> losses;
  if (options.reports) {
    losses.emplace(set, ranker);
    sim.loss_of = [&](uint64_t number, uint64_t seen) {
      return losses->Of(number, seen);
    };
  }
  SliceStream stream(slice, options.gap, options.flow_of, options.slo_of);
  const SimResult result = RunSimulation(sim, &stream, times);
  FRESHLINE_CHECK(result.outcomes.size() == set.queries.size());
  std::vector<ServedState> served;
  served.reserve(result.outcomes.size());
  for (size_t i = 0; i < result.outcomes.size(); ++i) {
    const SimOutcome& outcome = result.outcomes[i];
    served.push_back({outcome.how != Obtained::kUnset &&
                          outcome.latency <= SloOf(slice, options, i),
                      static_cast<Prefix>(outcome.seen)});
  }
  SliceRun run;
  RunReport& r = run.report;
  r.kind = "simulated";
  r.policy = options.policy.name;
  r.slo_ms = base::ToMillis(options.slo);
  r.gap_ms = base::ToMillis(options.gap);
  r.seed = options.seed;
  r.guard_us = base::ToMicros(sim.guard);
  r.workers = options.workers;
  r.batch_max = options.batch_max;
  r.approximate = options.approximate.has_value();
  run.ranks = ranker->Rank(served);
  if (r.approximate) {
    const Ranks& cheap = models[static_cast<size_t>(ModelRow::kCheap)];
    for (size_t i = 0; i < served.size(); ++i) {
      if (served[i].in_time && !result.outcomes[i].fresh) {
        run.ranks[i] = cheap[i];
      }
    }
  }
  r.quality = QualityOf(set, models, run.ranks);
  FillServed(result, set, r.approximate, &r);
  r.jain = JainOf(slice, times, options, result.policy.flow_service);
  r.quality.value_bound = options.value_bound
                              ? *options.value_bound
                              : ValueBound(slice, times, options);
  run.actions_hash = result.actions_hash;
  return run;
}

}  // namespace freshline::bench
