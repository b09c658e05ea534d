// SPDX-License-Identifier: Apache-2.0
#include "bench/trace/shaped_cut.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "base/status_macros.h"

namespace freshline::bench {
namespace {

constexpr int64_t kSecond = 1'000'000;
// Beyond every copy's users: 2^50 holds a thousand copies of 2^40.
constexpr int64_t kFirstHotKey = int64_t{1} << 52;

void SortByTime(std::vector<Click>* clicks) {
  std::stable_sort(
      clicks->begin(), clicks->end(),
      [](const Click& a, const Click& b) { return a.time_us < b.time_us; });
}

// Adds `from`, moved in time, to `to`.
void AddMoved(const std::vector<Click>& from, int64_t by_us,
              std::vector<Click>* to) {
  for (Click click : from) {
    click.time_us += by_us;
    to->push_back(click);
  }
  SortByTime(to);
}

// The middle of the slice, of further copies, `more` times as many.
absl::StatusOr<SliceOptions> MiddleOf(const SliceOptions& o, const char* name,
                                      const WorkloadShape& shape, double more) {
  const auto length = static_cast<int64_t>(
      std::lround(shape.value("seconds") * static_cast<double>(kSecond)));
  const int64_t spare = o.end_us - o.start_us - length;
  if (spare < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--workload: ", name, ": seconds is ", shape.value("seconds"),
        ", more than the slice's ", (o.end_us - o.start_us) / kSecond,
        "; give fewer, or a longer --slice"));
  }
  SliceOptions middle = o;
  middle.start_us = o.start_us + spare / 2;
  middle.end_us = middle.start_us + length;
  middle.superpose = more * o.superpose;
  middle.first_copy =
      o.first_copy + static_cast<int64_t>(std::ceil(o.superpose));
  return middle;
}

absl::Status AddCrowd(const std::vector<Click>& clicks, const SliceOptions& o,
                      const WorkloadShape& shape, Slice* slice) {
  const double more = shape.value("factor") - 1;
  FRESHLINE_ASSIGN_OR_RETURN(const SliceOptions crowd,
                             MiddleOf(o, "flash_crowd", shape, more));
  if (more <= 0) return absl::OkStatus();
  FRESHLINE_ASSIGN_OR_RETURN(const Slice extra, CutSlice(clicks, crowd));
  AddMoved(extra.warm_up, 0, &slice->warm_up);
  AddMoved(extra.queries, crowd.start_us - o.start_us, &slice->queries);
  // What comes after the crowd comes after the slice.
  const int64_t length = crowd.end_us - crowd.start_us;
  AddMoved(extra.later, o.end_us - o.start_us - length, &slice->later);
  slice->users += extra.users;
  return absl::OkStatus();
}

absl::Status AddStorm(const std::vector<Click>& clicks, const SliceOptions& o,
                      const WorkloadShape& shape, Slice* slice) {
  FRESHLINE_ASSIGN_OR_RETURN(
      const SliceOptions storm,
      MiddleOf(o, "ingest_storm", shape, shape.value("factor")));
  FRESHLINE_ASSIGN_OR_RETURN(const Slice extra, CutSlice(clicks, storm));
  AddMoved(extra.queries, storm.start_us - o.start_us, &slice->storm);
  return absl::OkStatus();
}

// The users of the queries, in order of appearance.
std::vector<int64_t> UsersOf(const Slice& slice) {
  std::vector<int64_t> users;
  absl::flat_hash_set<int64_t> seen;
  for (const Click& click : slice.queries) {
    if (seen.insert(click.user).second) users.push_back(click.user);
  }
  return users;
}

void ShareKeys(double exponent, uint64_t seed, Slice* slice) {
  const std::vector<int64_t> users = UsersOf(*slice);
  std::vector<double> sums;  // of the weights of ranks 1, 2, ...
  double sum = 0;
  for (size_t rank = 1; rank <= users.size(); ++rank) {
    sums.push_back(sum += std::pow(static_cast<double>(rank), -exponent));
  }
  absl::flat_hash_map<int64_t, int64_t> key_of;
  absl::flat_hash_set<int64_t> keys;
  for (const int64_t user : users) {
    const double x = UserDraw(user, seed, 0x207) * sum;
    const auto it = std::upper_bound(sums.begin(), sums.end() - 1, x);
    key_of[user] = kFirstHotKey + (it - sums.begin());
    keys.insert(key_of[user]);
  }
  for (auto* part : {&slice->warm_up, &slice->queries, &slice->later}) {
    for (Click& click : *part) {
      const auto it = key_of.find(click.user);
      if (it != key_of.end()) click.user = it->second;
    }
  }
  slice->users = keys.size();
}

// Hands out earlier clicks of users of a slice.
class Donors {
 public:
  Donors(const Slice& slice, uint64_t seed) : rng_(base::MixBits(seed)) {
    absl::flat_hash_map<int64_t, size_t> index;
    for (const Click& click : slice.warm_up) {
      const auto [it, made] = index.emplace(click.user, histories_.size());
      if (made) histories_.emplace_back();
      histories_[it->second].push_back(click);
      oldest_us_.emplace(click.user, click.time_us);  // keeps the first
    }
  }

  bool empty() const { return histories_.empty(); }

  // Appends `count` clicks before the oldest one of `user`, `run` of a donor.
  void Give(int64_t user, size_t count, size_t run, std::vector<Click>* out) {
    const auto oldest = oldest_us_.find(user);
    int64_t at_us = oldest == oldest_us_.end() ? 0 : oldest->second;
    while (count > 0) {
      const auto& history = histories_[rng_.Below(histories_.size())];
      const size_t take = std::min({count, run, history.size()});
      const uint64_t session = rng_.Next();
      for (size_t i = 0; i < take; ++i) {
        Click click = history[history.size() - 1 - i];
        click.time_us = at_us -= kSecond;
        click.user = user;
        click.session = session;
        out->push_back(click);
      }
      count -= take;
    }
  }

 private:
  base::Rng rng_;
  std::vector<std::vector<Click>> histories_;
  absl::flat_hash_map<int64_t, int64_t> oldest_us_;
};

absl::Status LengthenHistories(const SliceOptions& o,
                               const WorkloadShape& shape, uint64_t seed,
                               Slice* slice) {
  Donors donors(*slice, seed);
  if (donors.empty()) {
    return absl::InvalidArgumentError(
        "--workload: the trace has no click before the slice that a user could "
        "be given as history; generate one with --history, or move --window");
  }
  const bool drift = shape.kind() == WorkloadKind::kSlowDrift;
  std::vector<Click> given;
  absl::flat_hash_set<int64_t> seen;
  for (const Click& query : slice->queries) {
    if (!seen.insert(query.user).second) continue;
    const double u = UserDraw(query.user, seed, 0x41570);
    if (drift) {
      const double share = static_cast<double>(query.time_us) /
                           static_cast<double>(o.end_us - o.start_us);
      if (u >= share * shape.value("until")) continue;
      donors.Give(query.user, static_cast<size_t>(shape.value("clicks")), 1,
                  &given);
    } else {
      const double length = std::min(std::pow(1 - u, -1 / shape.value("alpha")),
                                     shape.value("max"));
      donors.Give(query.user, static_cast<size_t>(length), 3, &given);
    }
  }
  AddMoved(given, 0, &slice->warm_up);
  return absl::OkStatus();
}

absl::Status ForgetUsers(double share, uint64_t seed, Slice* slice) {
  absl::flat_hash_set<int64_t> known;
  for (const Click& click : slice->warm_up) known.insert(click.user);
  const auto unknown = static_cast<double>(std::count_if(
      slice->queries.begin(), slice->queries.end(),
      [&](const Click& click) { return !known.contains(click.user); }));
  const double natural =
      slice->queries.empty()
          ? 0
          : unknown / static_cast<double>(slice->queries.size());
  if (share < natural) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--workload: first_seen: share is ", share, ", but ", natural,
        " of the queries are of users without history as it is; give more"));
  }
  const double forget = natural < 1 ? (share - natural) / (1 - natural) : 0;
  std::erase_if(slice->warm_up, [&](const Click& click) {
    return UserDraw(click.user, seed, 0xf125) < forget;
  });
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Slice> CutShaped(const std::vector<Click>& clicks,
                                const SliceOptions& options,
                                const WorkloadShape& shape, uint64_t seed) {
  FRESHLINE_ASSIGN_OR_RETURN(Slice slice, CutSlice(clicks, options));
  switch (shape.kind()) {
    case WorkloadKind::kPoster:
    case WorkloadKind::kReal:
    case WorkloadKind::kGap:
    case WorkloadKind::kNoisyTenant:
    case WorkloadKind::kMixedSlo:
      break;
    case WorkloadKind::kIngestStorm:
      FRESHLINE_RETURN_IF_ERROR(AddStorm(clicks, options, shape, &slice));
      break;
    case WorkloadKind::kFlashCrowd:
      FRESHLINE_RETURN_IF_ERROR(AddCrowd(clicks, options, shape, &slice));
      break;
    case WorkloadKind::kHotKeys:
      ShareKeys(shape.value("exponent"), seed, &slice);
      break;
    case WorkloadKind::kLongHistory:
    case WorkloadKind::kSlowDrift:
      FRESHLINE_RETURN_IF_ERROR(
          LengthenHistories(options, shape, seed, &slice));
      break;
    case WorkloadKind::kFirstSeen:
      FRESHLINE_RETURN_IF_ERROR(
          ForgetUsers(shape.value("share"), seed, &slice));
      break;
  }
  return slice;
}

}  // namespace freshline::bench
