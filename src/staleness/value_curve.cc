// SPDX-License-Identifier: Apache-2.0
#include "staleness/value_curve.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"

namespace freshline::staleness {

namespace {
constexpr absl::string_view kFirstLine = "freshline-value-curve 1";
}  // namespace

class ValueCurve::Parser {
 public:
  explicit Parser(absl::string_view where) : where_(where) {}

  absl::Status Read(absl::string_view line) {
    ++number_;
    line = absl::StripAsciiWhitespace(line);
    if (number_ == 1) {
      if (line == kFirstLine) return absl::OkStatus();
      return Error(absl::StrCat(
          "is no value curve: its first line has to be \"", kFirstLine, "\""));
    }
    if (line.empty() || line[0] == '#') return absl::OkStatus();
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    uint64_t events = 0;
    uint32_t missing = 0;
    double loss = 0;
    if (words.size() != 3 || !absl::SimpleAtoi(words[0], &events) ||
        !absl::SimpleAtoi(words[1], &missing) ||
        !absl::SimpleAtod(words[2], &loss)) {
      return Error(
          "has to hold three numbers: n, j and loss, as in \"4 1 0.125\"");
    }
    FRESHLINE_RETURN_IF_ERROR(Open(events));
    return Add(missing, loss, words[2]);
  }

  absl::StatusOr<ValueCurve> Finish() && {
    if (curve_.buckets_.empty()) {
      ++number_;
      return Error("is missing: a curve has at least one point");
    }
    return std::move(curve_);
  }

 private:
  absl::Status Error(absl::string_view problem) const {
    return absl::InvalidArgumentError(
        absl::StrCat(where_, ":", number_, ": ", problem));
  }

  // Goes on with the bucket that begins at `events`, or begins it.
  absl::Status Open(uint64_t events) {
    std::vector<Bucket>& buckets = curve_.buckets_;
    if (!buckets.empty() && buckets.back().events_min == events) {
      return absl::OkStatus();
    }
    if (buckets.empty() && events != 1) {
      return Error(absl::StrCat("n is ", events,
                                ": the first n has to be 1, or keys with fewer "
                                "events would have no value"));
    }
    if (!buckets.empty()) {
      Bucket& last = buckets.back();
      if (events < last.events_min) {
        return Error(absl::StrCat("n falls from ", last.events_min, " to ",
                                  events, ": sort the lines by n, then by j"));
      }
      if (last.losses.size() > events - 1) {
        return Error(absl::StrCat(
            "the lines before reach j = ", last.losses.size(), " for n below ",
            events, ": no row lacks more events than its key has"));
      }
    }
    if (buckets.size() == kBucketsMax) {
      return Error(absl::StrCat("has n number ", kBucketsMax + 1, ": at most ",
                                kBucketsMax, " are allowed"));
    }
    buckets.push_back({events, {}});
    return absl::OkStatus();
  }

  absl::Status Add(uint32_t missing, double loss, absl::string_view word) {
    std::vector<double>& losses = curve_.buckets_.back().losses;
    if (missing != losses.size() + 1) {
      return Error(absl::StrCat(
          "j is ", missing, " where ", losses.size() + 1,
          " is next: the curve has a hole; fill it in, for instance with the "
          "loss of the j before"));
    }
    if (missing > kMissingMax) {
      return Error(absl::StrCat("j is ", missing, ": at most ", kMissingMax,
                                " is allowed; the last loss holds beyond it"));
    }
    if (!(loss >= 0 && loss <= kLossMax)) {
      return Error(absl::StrCat("loss is ", word,
                                ": it has to be a number in [0, 1e9]"));
    }
    if (!losses.empty() && loss < losses.back()) {
      return Error(absl::StrCat(
          "loss falls from ", losses.back(), " to ", word,
          " as j grows: smooth it, for instance to the larger of the two"));
    }
    losses.push_back(loss);
    return absl::OkStatus();
  }

  const absl::string_view where_;
  size_t number_ = 0;
  ValueCurve curve_;
};

absl::StatusOr<ValueCurve> ValueCurve::Parse(absl::string_view text,
                                             absl::string_view where) {
  Parser parser(where);
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    FRESHLINE_RETURN_IF_ERROR(parser.Read(line));
  }
  return std::move(parser).Finish();
}

double ValueCurve::Loss(uint64_t events, uint64_t missing) const {
  missing = std::min(missing, events);
  if (missing == 0) return 0;
  const auto above = std::upper_bound(
      buckets_.begin(), buckets_.end(), events,
      [](uint64_t n, const Bucket& b) { return n < b.events_min; });
  const std::vector<double>& losses = std::prev(above)->losses;
  return losses[std::min<uint64_t>(missing, losses.size()) - 1];
}

std::string ValueCurve::Text() const {
  std::string text = absl::StrCat(kFirstLine, "\n# n j loss\n");
  for (const Bucket& bucket : buckets_) {
    for (size_t j = 0; j < bucket.losses.size(); ++j) {
      absl::StrAppendFormat(&text, "%d %d %.17g\n", bucket.events_min, j + 1,
                            bucket.losses[j]);
    }
  }
  return text;
}

}  // namespace freshline::staleness
