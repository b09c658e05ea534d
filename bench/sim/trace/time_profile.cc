// SPDX-License-Identifier: Apache-2.0
#include "bench/sim/trace/time_profile.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <optional>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/check.h"
#include "base/output_file.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "registry/textproto.h"

namespace freshline::bench {

using base::Duration;

namespace {

constexpr absl::string_view kMagic = "freshline-times";

// Reads lines one after another and says where it is.
class ProfileParser {
 public:
  explicit ProfileParser(absl::string_view name) : name_(name) {}

  absl::StatusOr<TimeProfile> Parse(absl::string_view text) {
    for (const absl::string_view line : absl::StrSplit(text, '\n')) {
      ++line_;
      if (line.empty() || line[0] == '#') continue;
      const std::vector<absl::string_view> words =
          absl::StrSplit(line, ' ', absl::SkipWhitespace());
      if (words.empty()) continue;
      FRESHLINE_RETURN_IF_ERROR(TakeLine(words));
    }
    for (const char* key : {"freshline-times", "source", "function",
                            "table_rows", "kernel", "workers", "cpu_share"}) {
      if (seen_.contains(key)) continue;
      return absl::InvalidArgumentError(
          absl::StrCat(name_, ": there is no line \"", key, "\""));
    }
    for (const auto& [size, times] : profile_.times) {
      if (size.second == 1) return std::move(profile_);
    }
    return absl::InvalidArgumentError(
        absl::StrCat(name_, ": no times of a batch of 1"));
  }

 private:
  absl::Status Wrong(absl::string_view what) const {
    return absl::InvalidArgumentError(
        absl::StrCat(name_, ":", line_, ": ", what));
  }

  absl::Status TakeLine(const std::vector<absl::string_view>& words) {
    const absl::string_view key = words[0];
    if (key != kMagic && !seen_.contains(kMagic)) {
      return Wrong("no file of run times: it does not begin with \"" +
                   std::string(kMagic) + " 1\"");
    }
    if (key == "times") return TakeTimes(words);
    if (key == "overheads") return TakeOverheads(words);
    if (words.size() != 2) {
      return Wrong(absl::StrCat("\"", key, "\" takes one value, there are ",
                                words.size() - 1));
    }
    if (!seen_.insert(std::string(key)).second) {
      return Wrong(absl::StrCat("\"", key, "\" was given before"));
    }
    return TakeHeader(key, words[1]);
  }

  absl::Status TakeHeader(absl::string_view key, absl::string_view value) {
    if (key == kMagic) {
      if (value == "1") return absl::OkStatus();
      return Wrong(absl::StrCat("version \"", value, "\" is not 1"));
    }
    if (key == "source") {
      profile_.source = std::string(value);
      if (value == "profile" || value == "recorded") return absl::OkStatus();
      return Wrong(absl::StrCat("source \"", value,
                                "\" is neither profile nor recorded"));
    }
    if (key == "function") {
      profile_.function = std::string(value);
      return absl::OkStatus();
    }
    if (key == "kernel") {
      profile_.kernel = std::string(value);
      return absl::OkStatus();
    }
    if (key == "table_rows") {
      return TakeNumber(key, value, 0, UINT32_MAX, &profile_.table_rows);
    }
    if (key == "workers") {
      uint64_t workers = 0;
      FRESHLINE_RETURN_IF_ERROR(TakeNumber(key, value, 1, 1024, &workers));
      profile_.workers = static_cast<uint32_t>(workers);
      return absl::OkStatus();
    }
    if (key == "cpu_share") {
      if (absl::SimpleAtod(value, &profile_.cpu_share) &&
          profile_.cpu_share > 0 && profile_.cpu_share <= 1) {
        return absl::OkStatus();
      }
      return Wrong(absl::StrCat("cpu_share \"", value.substr(0, 40),
                                "\" is not a number in (0, 1]"));
    }
    return Wrong(absl::StrCat("unknown word \"", key, "\""));
  }

  absl::Status TakeNumber(absl::string_view what, absl::string_view text,
                          uint64_t min, uint64_t max, uint64_t* number) const {
    if (absl::SimpleAtoi(text, number) && *number >= min && *number <= max) {
      return absl::OkStatus();
    }
    return Wrong(absl::StrCat(what, " \"", text.substr(0, 40),
                              "\" is not a number in [", min, ", ", max, "]"));
  }

  absl::Status TakeOverheads(const std::vector<absl::string_view>& words) {
    if (!profile_.overheads.empty())
      return Wrong("overheads were given before");
    if (words.size() - 1 > TimeProfile::kTimesMax) {
      return Wrong(absl::StrCat(words.size() - 1, " overheads are more than ",
                                TimeProfile::kTimesMax));
    }
    for (size_t i = 1; i < words.size(); ++i) {
      uint64_t ns = 0;
      FRESHLINE_RETURN_IF_ERROR(TakeNumber(
          "overhead", words[i], 0,
          static_cast<uint64_t>(TimeProfile::kTimeMax.count()), &ns));
      profile_.overheads.push_back(Duration(static_cast<int64_t>(ns)));
    }
    std::sort(profile_.overheads.begin(), profile_.overheads.end());
    return absl::OkStatus();
  }

  absl::Status TakeTimes(const std::vector<absl::string_view>& words) {
    if (words.size() < 4) {
      return Wrong("\"times\" takes scans, batch and at least one time");
    }
    if (words.size() - 3 > TimeProfile::kTimesMax) {
      return Wrong(absl::StrCat(words.size() - 3, " times are more than ",
                                TimeProfile::kTimesMax));
    }
    uint64_t scans = 0;
    uint64_t batch = 0;
    FRESHLINE_RETURN_IF_ERROR(
        TakeNumber("scans", words[1], 0, TimeProfile::kScansMax, &scans));
    FRESHLINE_RETURN_IF_ERROR(
        TakeNumber("batch", words[2], 1, TimeProfile::kBatchMax, &batch));
    std::vector<Duration>& times = profile_.times[{
        static_cast<uint32_t>(scans), static_cast<uint32_t>(batch)}];
    if (!times.empty()) {
      return Wrong(absl::StrCat("times of ", scans, " scans in batches of ",
                                batch, " were given before"));
    }
    for (size_t i = 3; i < words.size(); ++i) {
      uint64_t ns = 0;
      FRESHLINE_RETURN_IF_ERROR(TakeNumber(
          "time", words[i], 1,
          static_cast<uint64_t>(TimeProfile::kTimeMax.count()), &ns));
      times.push_back(Duration(static_cast<int64_t>(ns)));
    }
    return absl::OkStatus();
  }

  const absl::string_view name_;
  int line_ = 0;
  std::set<std::string, std::less<>> seen_;
  TimeProfile profile_;
};

}  // namespace

uint32_t TimeProfile::batch_max() const {
  uint32_t largest = 0;
  for (const auto& [size, unused] : times) {
    largest = std::max(largest, size.second);
  }
  return largest;
}

std::string FormatProfile(const TimeProfile& profile) {
  std::string text = absl::StrCat(
      kMagic, " 1\nsource ", profile.source, "\nfunction ", profile.function,
      "\ntable_rows ", profile.table_rows, "\nkernel ", profile.kernel,
      "\nworkers ", profile.workers, "\ncpu_share ", profile.cpu_share, "\n");
  for (const auto& [size, times] : profile.times) {
    absl::StrAppend(&text, "times ", size.first, " ", size.second);
    for (const Duration time : times) absl::StrAppend(&text, " ", time.count());
    text += '\n';
  }
  if (!profile.overheads.empty()) {
    text += "overheads";
    for (const Duration time : profile.overheads) {
      absl::StrAppend(&text, " ", time.count());
    }
    text += '\n';
  }
  return text;
}

absl::StatusOr<TimeProfile> ParseProfile(absl::string_view text,
                                         absl::string_view name) {
  return ProfileParser(name).Parse(text);
}

absl::StatusOr<TimeProfile> LoadProfile(const std::string& path) {
  FRESHLINE_ASSIGN_OR_RETURN(const std::string text,
                             registry::ReadTextFile(path));
  return ParseProfile(text, path);
}

absl::Status SaveProfile(const TimeProfile& profile, const std::string& path) {
  const auto directory = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (!directory.empty()) std::filesystem::create_directories(directory, error);
  constexpr base::FileKind kKind = {
      "profile of run times",
      [](absl::string_view head) { return absl::StartsWith(head, kMagic); }};
  return base::WriteOutputFile(path, FormatProfile(profile), kKind);
}

ProfiledTimes::ProfiledTimes(const TimeProfile& profile)
    : overheads_(profile.overheads) {
  std::map<uint32_t, std::map<uint32_t, Times>> timed;  // rows, scans
  for (const auto& [size, times] : profile.times) {
    Times& t = timed[size.second][size.first];
    for (const Duration time : times) {
      t.ns.push_back(static_cast<double>(time.count()));
    }
    std::sort(t.ns.begin(), t.ns.end());
    t.mean_ns = std::accumulate(t.ns.begin(), t.ns.end(), 0.0) /
                static_cast<double>(t.ns.size());
  }
  FRESHLINE_CHECK(!timed.empty() && timed.begin()->first == 1);
  for (const auto& [rows, by_scans] : timed) {
    Batch& batch = batches_.emplace_back();
    batch.rows = rows;
    for (uint32_t scans = 0; scans <= TimeProfile::kScansMax; ++scans) {
      const auto distance = [&](uint32_t other) {
        return std::abs(static_cast<int>(other) - static_cast<int>(scans));
      };
      const auto nearest = std::min_element(
          by_scans.begin(), by_scans.end(), [&](const auto& a, const auto& b) {
            return distance(a.first) < distance(b.first);
          });
      const double factor = static_cast<double>(std::max(scans, 1U)) /
                            std::max(nearest->first, 1U);
      Times& times = batch.by_scans[scans] = nearest->second;
      for (double& ns : times.ns) ns *= factor;
      times.mean_ns *= factor;
    }
  }
}

template <typename Of>
double ProfiledTimes::Between(uint32_t scans, uint32_t batch, Of of) const {
  const uint32_t row = std::min(scans, TimeProfile::kScansMax);
  const auto above =
      std::find_if(batches_.begin(), batches_.end(),
                   [&](const Batch& b) { return b.rows >= batch; });
  if (above == batches_.end()) {
    const Batch& last = batches_.back();
    return of(last.by_scans[row]) * batch / last.rows;
  }
  const double high = of(above->by_scans[row]);
  if (above == batches_.begin() || above->rows == batch) return high;
  const Batch& below = *(above - 1);
  const double low = of(below.by_scans[row]);
  return low + (high - low) * (batch - below.rows) / (above->rows - below.rows);
}

SimRun ProfiledTimes::Sample(const base::JobShape& shape, uint32_t batch,
                             uint64_t draw, Duration) const {
  const double share = base::Rng(draw).Uniform();
  const double ns = Between(shape.scans, batch, [&](const Times& times) {
    const double at = share * static_cast<double>(times.ns.size() - 1);
    const auto index = static_cast<size_t>(at);
    if (index + 1 == times.ns.size()) return times.ns[index];
    return std::lerp(times.ns[index], times.ns[index + 1],
                     at - static_cast<double>(index));
  });
  SimRun run{Duration(std::llround(ns)), true, {}};
  if (!overheads_.empty()) {
    const double other = base::Rng(base::MixBits(draw)).Uniform();
    run.overhead = overheads_[static_cast<size_t>(
        other * static_cast<double>(overheads_.size()))];
  }
  return run;
}

Duration ProfiledTimes::Mean(uint32_t scans, uint32_t batch) const {
  return Duration(std::llround(
      Between(scans, batch, [](const Times& times) { return times.mean_ns; })));
}

Duration ProfiledTimes::Least(uint32_t scans, uint32_t batch) const {
  return Duration(std::llround(Between(
      scans, batch, [](const Times& times) { return times.ns.front(); })));
}

}  // namespace freshline::bench
