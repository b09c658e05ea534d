// SPDX-License-Identifier: Apache-2.0
#include "bench/trace/workload_shape.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/check.h"
#include "base/random.h"

namespace freshline::bench {
namespace {

const NamedWorkload& Find(WorkloadKind kind) {
  const auto& all = NamedWorkloads();
  const auto it = std::find_if(
      all.begin(), all.end(),
      [&](const NamedWorkload& workload) { return workload.kind == kind; });
  FRESHLINE_CHECK(it != all.end());
  return *it;
}

absl::Status Wrong(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("--workload: ", what));
}

std::string ParameterNames(const NamedWorkload& workload) {
  if (workload.parameters.empty()) return "none";
  return absl::StrJoin(workload.parameters, ", ",
                       [](std::string* out, const WorkloadParameter& p) {
                         absl::StrAppend(out, p.name);
                       });
}

absl::Status SetParameter(const NamedWorkload& workload, absl::string_view text,
                          std::map<std::string, double>* given) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('=', 1));
  const auto& all = workload.parameters;
  const auto it = std::find_if(
      all.begin(), all.end(),
      [&](const WorkloadParameter& p) { return parts.first == p.name; });
  if (it == all.end()) {
    return Wrong(absl::StrCat(workload.name, " has no parameter \"",
                              parts.first.substr(0, 40), "\"; it has ",
                              ParameterNames(workload)));
  }
  double value = 0;
  if (!absl::SimpleAtod(parts.second, &value) ||
      !(value >= it->min && value <= it->max)) {
    return Wrong(absl::StrCat(workload.name, ": ", it->name, " is \"",
                              parts.second.substr(0, 40), "\"; give ", it->min,
                              " to ", it->max));
  }
  if (!given->emplace(it->name, value).second) {
    return Wrong(
        absl::StrCat(workload.name, ": ", it->name, " is given twice"));
  }
  return absl::OkStatus();
}

}  // namespace

const std::vector<NamedWorkload>& NamedWorkloads() {
  static const auto* const all = new std::vector<NamedWorkload>{
      {WorkloadKind::kPoster, "poster", "the trace as it is", {}},
      {WorkloadKind::kReal,
       "real",
       "the same, of real rows: name them by --trace",
       {}},
      {WorkloadKind::kFlashCrowd,
       "flash_crowd",
       "for some seconds in the middle of the slice more users come, and go",
       {{"factor", 10, 1, 100, "times the rate"},
        {"seconds", 30, 1, 3600, "how long"}}},
      {WorkloadKind::kHotKeys,
       "hot_keys",
       "users share keys, whose popularity is a Zipf distribution",
       {{"exponent", 1.2, 0.1, 4, "of the distribution"}}},
      {WorkloadKind::kLongHistory,
       "long_history",
       "users have earlier clicks of other interests, as many as a Pareto "
       "distribution says: heavy-tailed service times",
       {{"alpha", 1.2, 0.5, 10, "the tail's exponent"},
        {"max", 200, 1, 10'000, "clicks at most"}}},
      {WorkloadKind::kFirstSeen,
       "first_seen",
       "so many queries are of users without a click before the slice",
       {{"share", 0.9, 0, 1, "of the queries"}}},
      {WorkloadKind::kSlowDrift,
       "slow_drift",
       "users who come later have more interests: service times rise",
       {{"until", 1, 0, 1, "share of such users at the end"},
        {"clicks", 12, 1, 1000, "of other interests that they have"}}},
      {WorkloadKind::kGap,
       "gap",
       "clicks are pushed first, their queries follow",
       {{"ms", 100, 1, 60'000, "milliseconds between them"}}},
      {WorkloadKind::kNoisyTenant,
       "noisy_tenant",
       "two feature services of equal weight share the workers, and one of "
       "them sends more",
       {{"factor", 10, 0.1, 100, "times the queries of the other"}}},
      {WorkloadKind::kMixedSlo,
       "mixed_slo",
       "a quarter of the users each has an SLO of 10, 30, 50 and 100 ms, "
       "whatever --slo says",
       {}},
      {WorkloadKind::kIngestStorm,
       "ingest_storm",
       "for some seconds in the middle of the slice clicks of other users are "
       "pushed, whose queries never come",
       {{"factor", 20, 0.1, 200, "clicks for each query"},
        {"seconds", 10, 1, 3600, "how long"}}},
  };
  return *all;
}

WorkloadShape::WorkloadShape() : kind_(WorkloadKind::kPoster) {}

absl::StatusOr<WorkloadShape> WorkloadShape::Parse(absl::string_view text) {
  WorkloadShape shape;
  if (text.empty()) return shape;
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits(':', 1));
  const auto& all = NamedWorkloads();
  const auto it =
      std::find_if(all.begin(), all.end(), [&](const NamedWorkload& workload) {
        return parts.first == workload.name;
      });
  if (it == all.end()) {
    return Wrong(absl::StrCat(
        "there is no \"", parts.first.substr(0, 40), "\"; there are ",
        absl::StrJoin(all, ", ", [](std::string* out, const NamedWorkload& w) {
          absl::StrAppend(out, w.name);
        })));
  }
  shape.kind_ = it->kind;
  if (text.size() > parts.first.size()) {
    for (const absl::string_view one : absl::StrSplit(parts.second, ',')) {
      const absl::Status set = SetParameter(*it, one, &shape.values_);
      if (!set.ok()) return set;
    }
  }
  for (const WorkloadParameter& p : it->parameters) {
    shape.values_.emplace(p.name, p.value);
  }
  return shape;
}

double WorkloadShape::GapOr(double otherwise) const {
  return kind_ == WorkloadKind::kGap ? value("ms") : otherwise;
}

bool WorkloadShape::plain() const {
  return kind_ == WorkloadKind::kPoster || kind_ == WorkloadKind::kReal;
}

double WorkloadShape::value(absl::string_view parameter) const {
  const auto it = values_.find(std::string(parameter));
  FRESHLINE_CHECK(it != values_.end());
  return it->second;
}

std::string WorkloadShape::Text() const {
  if (plain()) return "";
  const NamedWorkload& workload = Find(kind_);
  std::string text = workload.name;
  char separator = ':';
  for (const WorkloadParameter& p : workload.parameters) {
    absl::StrAppend(&text, std::string(1, separator), p.name, "=",
                    value(p.name));
    separator = ',';
  }
  return text;
}

double UserDraw(int64_t user, uint64_t seed, uint64_t salt) {
  const uint64_t hash = base::MixBits(
      base::MixBits(static_cast<uint64_t>(user) ^ salt) ^ base::MixBits(seed));
  return static_cast<double>(hash >> 11) * 0x1.0p-53;
}

uint32_t TenantOf(int64_t user, const WorkloadShape& shape, uint64_t seed) {
  if (shape.kind() != WorkloadKind::kNoisyTenant) return 0;
  const double factor = shape.value("factor");
  return UserDraw(user, seed, 0x7e4a) < factor / (1 + factor) ? 1 : 0;
}

base::Duration SloOf(int64_t user, const WorkloadShape& shape, uint64_t seed,
                     base::Duration otherwise) {
  if (shape.kind() != WorkloadKind::kMixedSlo) return otherwise;
  constexpr size_t kCount = std::size(kMixedSlos);
  const double draw = UserDraw(user, seed, 0x510);
  return kMixedSlos[static_cast<size_t>(draw * kCount)];
}

std::string WorkloadHelp() {
  std::string help;
  for (const NamedWorkload& workload : NamedWorkloads()) {
    absl::StrAppend(&help, "\n  ", workload.name);
    char separator = ':';
    for (const WorkloadParameter& p : workload.parameters) {
      absl::StrAppend(&help, std::string(1, separator), p.name, "=", p.value);
      separator = ',';
    }
    absl::StrAppend(&help, "  ", workload.meaning);
    for (const WorkloadParameter& p : workload.parameters) {
      absl::StrAppend(&help, "; ", p.name, ": ", p.meaning);
    }
  }
  return help;
}

}  // namespace freshline::bench
