// SPDX-License-Identifier: Apache-2.0
#include "bench/trace/slice.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/random.h"

namespace freshline::bench {
namespace {

// Renamed users live beyond every real number of the published trace.
constexpr int64_t kCopyStride = int64_t{1} << 40;
constexpr int64_t kLaterUs = 1'800'000'000;

// Where copy k is cut: the blocks of the window in turn, then the same blocks
// half a slice later.
int64_t StartOfCopy(const SliceOptions& o, int64_t copy) {
  const int64_t length = o.end_us - o.start_us;
  const int64_t room = o.window_end_us - o.window_start_us - length;
  if (room <= 0) return o.start_us;
  const int64_t blocks =
      std::max<int64_t>(1, (o.window_end_us - o.window_start_us) / length);
  const int64_t offset = (o.start_us - o.window_start_us) + copy * length +
                         (copy / blocks) * (length / 2);
  return o.window_start_us + offset % (room + 1);
}

bool KeepUser(int64_t user, double share) {
  const uint64_t hash = base::MixBits(static_cast<uint64_t>(user) ^ 0x5eed);
  return static_cast<double>(hash >> 11) * 0x1.0p-53 < share;
}

void AddCopy(const std::vector<Click>& clicks, const SliceOptions& o,
             int64_t copy, double share, Slice* slice) {
  const int64_t start = StartOfCopy(o, copy);
  const int64_t end = start + (o.end_us - o.start_us);
  const auto before = [](const Click& c, int64_t t) { return c.time_us < t; };
  const auto from = std::lower_bound(clicks.begin(), clicks.end(),
                                     start - o.warm_up_us, before);
  const auto begin = std::lower_bound(from, clicks.end(), start, before);
  const auto stop = std::lower_bound(begin, clicks.end(), end, before);
  const auto last =
      std::lower_bound(stop, clicks.end(), end + kLaterUs, before);
  absl::flat_hash_set<int64_t> users;
  for (auto it = begin; it != stop; ++it) {
    if (KeepUser(it->user, share)) users.insert(it->user);
  }
  const auto add = [&](const Click& click, std::vector<Click>* out) {
    if (!users.contains(click.user)) return;
    Click moved = click;
    moved.time_us -= start;
    moved.user += copy * kCopyStride;
    moved.session ^= base::MixBits(static_cast<uint64_t>(copy));
    out->push_back(moved);
  };
  for (auto it = from; it != begin; ++it) add(*it, &slice->warm_up);
  for (auto it = begin; it != stop; ++it) add(*it, &slice->queries);
  for (auto it = stop; it != last; ++it) add(*it, &slice->later);
  slice->users += users.size();
}

void SortByTime(std::vector<Click>* clicks) {
  std::stable_sort(
      clicks->begin(), clicks->end(),
      [](const Click& a, const Click& b) { return a.time_us < b.time_us; });
}

}  // namespace

absl::StatusOr<Slice> CutSlice(const std::vector<Click>& clicks,
                               const SliceOptions& o) {
  if (o.start_us >= o.end_us || o.start_us < o.window_start_us ||
      o.end_us > o.window_end_us) {
    return absl::InvalidArgumentError(
        absl::StrCat("the slice [", o.start_us, ", ", o.end_us,
                     ") us does not lie in the window [", o.window_start_us,
                     ", ", o.window_end_us, ") us"));
  }
  if (!(o.superpose > 0 && o.superpose <= 1000)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "superpose is ", o.superpose, "; it must be above 0, at most 1000"));
  }
  Slice slice;
  const auto whole = static_cast<int64_t>(std::floor(o.superpose));
  for (int64_t copy = 0; copy < whole; ++copy) {
    AddCopy(clicks, o, copy, 1.0, &slice);
  }
  if (const double rest = o.superpose - static_cast<double>(whole); rest > 0) {
    AddCopy(clicks, o, whole, rest, &slice);
  }
  SortByTime(&slice.warm_up);
  SortByTime(&slice.queries);
  SortByTime(&slice.later);
  return slice;
}

}  // namespace freshline::bench
