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

// One cut of the trace: clicks of [begin_us, end_us) come at_us after the
// slice's start, their users renamed by adding `rename`.
struct Part {
  int64_t begin_us = 0;
  int64_t end_us = 0;
  int64_t at_us = 0;
  int64_t rename = 0;
};

// Where copy k is cut: the blocks of the window in turn, then the same blocks
// half a slice later. Where a slice leaves no room for another one, copies are
// rotations of the window by golden sections, so that no two are in step.
std::vector<Part> PartsOfCopy(const SliceOptions& o, int64_t copy) {
  const int64_t length = o.end_us - o.start_us;
  const int64_t window = o.window_end_us - o.window_start_us;
  const int64_t room = window - length;
  const int64_t offset = o.start_us - o.window_start_us;
  const int64_t rename = copy * kCopyStride;
  if (room >= length) {
    const int64_t block =
        offset + copy * length + (copy / (window / length)) * (length / 2);
    const int64_t begin = o.window_start_us + block % (room + 1);
    return {{begin, begin + length, 0, rename}};
  }
  constexpr uint64_t kGoldenSection = 0x9e3779b97f4a7c15;  // of 2^64
  const double turn =
      static_cast<double>(static_cast<uint64_t>(copy) * kGoldenSection >> 11) *
      0x1.0p-53;
  const int64_t begin =
      o.window_start_us +
      (offset + static_cast<int64_t>(turn * static_cast<double>(window))) %
          window;
  const int64_t first = std::min(length, o.window_end_us - begin);
  std::vector<Part> parts = {{begin, begin + first, 0, rename}};
  if (first < length) {
    parts.push_back({o.window_start_us, o.window_start_us + length - first,
                     first, rename + kCopyStride / 2});
  }
  return parts;
}

bool KeepUser(int64_t user, double share) {
  const uint64_t hash = base::MixBits(static_cast<uint64_t>(user) ^ 0x5eed);
  return static_cast<double>(hash >> 11) * 0x1.0p-53 < share;
}

void AddPart(const std::vector<Click>& clicks, const SliceOptions& o,
             const Part& part, double share, Slice* slice) {
  const auto at = [&clicks](int64_t time_us) {
    return std::lower_bound(
        clicks.begin(), clicks.end(), time_us,
        [](const Click& c, int64_t t) { return c.time_us < t; });
  };
  const auto begin = at(part.begin_us);
  const auto end = at(part.end_us);
  absl::flat_hash_set<int64_t> users;
  for (auto it = begin; it != end; ++it) {
    if (KeepUser(it->user, share)) users.insert(it->user);
  }
  const auto add = [&](auto from, auto to, int64_t shift_us,
                       std::vector<Click>* out) {
    for (auto it = from; it != to; ++it) {
      if (!users.contains(it->user)) continue;
      Click moved = *it;
      moved.time_us += shift_us;
      moved.user += part.rename;
      moved.session ^= base::MixBits(static_cast<uint64_t>(part.rename));
      out->push_back(moved);
    }
  };
  add(at(part.begin_us - o.warm_up_us), begin, -part.begin_us, &slice->warm_up);
  add(begin, end, part.at_us - part.begin_us, &slice->queries);
  add(end, at(part.end_us + kLaterUs), o.end_us - o.start_us - part.end_us,
      &slice->later);
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
  const auto copies = static_cast<int64_t>(std::ceil(o.superpose));
  for (int64_t copy = 0; copy < copies; ++copy) {
    const double share = std::min(1.0, o.superpose - static_cast<double>(copy));
    for (const Part& part : PartsOfCopy(o, o.first_copy + copy)) {
      AddPart(clicks, o, part, share, &slice);
    }
  }
  SortByTime(&slice.warm_up);
  SortByTime(&slice.queries);
  SortByTime(&slice.later);
  return slice;
}

}  // namespace freshline::bench
