// SPDX-License-Identifier: Apache-2.0
#include "featurize/aggregate/aggregate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/string_view.h"
#include "base/check.h"
#include "featurize/aggregate/scan.h"
#include "featurize/aggregate/sums.h"

namespace freshline::featurize {

using base::UnixMicros;
using registry::Aggregate;
using registry::Filter;
using registry::RowView;
using registry::RowWriter;
using registry::Scalar;
using registry::ValueStatus;
using registry::ValueType;
using table::ColumnView;
using table::EventView;

namespace {

// NULLs before the newest cells that HoldsUntil() walks over at most.
constexpr uint32_t kNullsLooked = 32;
// Events that are filtered at once where only the newest that pass count.
constexpr size_t kFilteredAtOnce = 256;
// Scans of a row that are remembered.
constexpr size_t kScansKept = 16;

}  // namespace

// The mask of the window at hand, the cells of the feature at hand, what scans
// of the row at hand have found, and lists on their way into a row.
class AggregateFunction::MaskScratch final : public Scratch {
 public:
  explicit MaskScratch(uint32_t events_max) {
    mask.reserve(events_max);
    flags.reserve(events_max);
    cells.reserve(events_max);
    scans.reserve(kScansKept);
  }

  std::vector<uint8_t> mask;
  std::vector<uint8_t> flags;
  std::vector<double> cells;
  // Of cells that neither mask nor NULLs leave out: features often share them,
  // and windows do where a key's events are all inside.
  struct Scanned {
    const double* cells;
    size_t size;
    FloatScan found;
  };
  std::vector<Scanned> scans;
  std::vector<int64_t> ints;
  std::vector<double> doubles;
  std::vector<absl::string_view> strings;
};

namespace {

UnixMicros ToMicros(base::Duration d) {
  return std::chrono::duration_cast<std::chrono::microseconds>(d).count();
}

bool SameFilters(const std::vector<Filter>& a, const std::vector<Filter>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Filter& x, const Filter& y) {
                      return x.column == y.column && x.op == y.op &&
                             x.value.value == y.value.value;
                    });
}

template <typename Compare>
void NarrowStrings(std::span<const std::string> cells,
                   const std::string& operand, uint8_t* mask, Compare compare) {
  for (size_t i = 0; i < cells.size(); ++i) {
    if (mask[i] != 0 && !compare(cells[i], operand)) mask[i] = 0;
  }
}

void NarrowByText(Filter::Op op, std::span<const std::string> cells,
                  const std::string& operand, uint8_t* mask) {
  switch (op) {
    case Filter::Op::kEq:
      return NarrowStrings(cells, operand, mask, std::equal_to<>());
    case Filter::Op::kNe:
      return NarrowStrings(cells, operand, mask, std::not_equal_to<>());
    case Filter::Op::kLt:
      return NarrowStrings(cells, operand, mask, std::less<>());
    case Filter::Op::kLe:
      return NarrowStrings(cells, operand, mask, std::less_equal<>());
    case Filter::Op::kGt:
      return NarrowStrings(cells, operand, mask, std::greater<>());
    case Filter::Op::kGe:
      return NarrowStrings(cells, operand, mask, std::greater_equal<>());
  }
}

double AsDouble(const registry::ScalarValue& value) {
  const auto* i = std::get_if<int64_t>(&value.value);
  return i != nullptr ? static_cast<double>(*i) : std::get<double>(value.value);
}

// Clears the mask where the filter does not hold, NULL included.
void ApplyFilter(const Filter& filter, const ColumnView& column, size_t begin,
                 size_t end, uint8_t* mask) {
  const size_t size = end - begin;
  switch (column.type) {
    case Scalar::kFloat64:
      Narrow(filter.op, std::span(column.doubles + begin, size),
             AsDouble(filter.value), mask + begin);
      break;
    case Scalar::kString:
      NarrowByText(filter.op, std::span(column.strings + begin, size),
                   std::get<std::string>(filter.value.value), mask + begin);
      break;
    case Scalar::kBool:
    case Scalar::kInt64:
    case Scalar::kTimestamp:
      Narrow(filter.op, std::span(column.ints + begin, size),
             std::get<int64_t>(filter.value.value), mask + begin);
      break;
  }
  if (column.nulls != nullptr) {
    NarrowByNulls(column.nulls + begin, size, mask + begin);
  }
}

// Sets the mask where every filter holds. Returns for how many events.
size_t ApplyFilters(const std::vector<Filter>& filters, const EventView& events,
                    size_t begin, size_t end, uint8_t* mask) {
  std::fill(mask + begin, mask + end, uint8_t{1});
  size_t left = end - begin;
  for (const Filter& filter : filters) {
    if (left == 0) break;
    ApplyFilter(filter, events.columns[filter.column], begin, end, mask);
    left = CountOnes({mask + begin, end - begin});
  }
  return left;
}

// Calls visit(i) for the cells whose flag, if any, is 1, oldest first.
template <typename Visit>
void ForEach(size_t size, const uint8_t* flags, Visit visit) {
  for (size_t i = 0; i < size; ++i) {
    if (flags == nullptr || flags[i] != 0) visit(i);
  }
}

// Calls visit(i) for the rows that a mask and NULL flags (either may be
// absent) let through, newest first, until it returns false. Returns whether it
// never did.
template <typename Visit>
bool ForEachBack(size_t begin, size_t end, const uint8_t* mask,
                 const uint8_t* nulls, Visit visit) {
  for (size_t i = end; i > begin; --i) {
    if (mask != nullptr && mask[i - 1] == 0) continue;
    if (nulls != nullptr && nulls[i - 1] != 0) continue;
    if (!visit(i - 1)) return false;
  }
  return true;
}

// The first cell in the order of `before`, among those whose flag, if any, is
// 1.
template <typename Before>
std::optional<int64_t> First(std::span<const int64_t> cells,
                             const uint8_t* flags, Before before) {
  std::optional<int64_t> best;
  ForEach(cells.size(), flags, [&](size_t i) {
    if (!best || before(cells[i], *best)) best = cells[i];
  });
  return best;
}

// SUM, MEAN, MIN or MAX of finite cells, of which a scan is given. Returns
// PRESENT, NULL or ERROR.
ValueStatus AggregateFloats(uint32_t feature, Aggregate::Fn fn,
                            std::span<const double> cells, FloatScan scan,
                            RowWriter* out) {
  if (cells.empty()) return ValueStatus::kNull;
  if (fn == Aggregate::Fn::kMin || fn == Aggregate::Fn::kMax) {
    out->SetFloat64(feature,
                    fn == Aggregate::Fn::kMin ? scan.least : scan.most);
    return ValueStatus::kPresent;
  }
  double scale = 1;
  if (!std::isfinite(scan.sum.total())) {
    scan.sum = {};
    scale = CompensatedSum::kScale;
    for (const double cell : cells) {
      scan.sum.Add(cell * CompensatedSum::kScale);
    }
  }
  const double total = scan.sum.total() / scale;
  if (fn == Aggregate::Fn::kMean) {
    const auto n = static_cast<double>(cells.size());
    // Undone last where the sum itself is infinite.
    const double mean =
        std::isfinite(total) ? total / n : scan.sum.total() / n / scale;
    // Rounding could leave the range of the cells by a bit.
    out->SetFloat64(feature, std::clamp(mean, scan.least, scan.most));
    return ValueStatus::kPresent;
  }
  if (!std::isfinite(total)) return ValueStatus::kError;
  out->SetFloat64(feature, total);
  return ValueStatus::kPresent;
}

// SUM or MEAN of the INT64 cells whose flag, if any, is 1. 2^63 of them fit
// into the sum: the order of events decides nothing.
ValueStatus AggregateInts(uint32_t feature, bool mean,
                          std::span<const int64_t> cells, const uint8_t* flags,
                          RowWriter* out) {
  __int128 sum = 0;
  uint64_t count = 0;
  ForEach(cells.size(), flags, [&](size_t i) {
    sum += cells[i];
    ++count;
  });
  if (count == 0) return ValueStatus::kNull;
  if (mean) {
    out->SetFloat64(feature, MeanOf(sum, count));
    return ValueStatus::kPresent;
  }
  if (sum < std::numeric_limits<int64_t>::min() ||
      sum > std::numeric_limits<int64_t>::max()) {
    return ValueStatus::kError;
  }
  out->SetInt64(feature, static_cast<int64_t>(sum));
  return ValueStatus::kPresent;
}

}  // namespace

AggregateFunction::AggregateFunction(registry::FeatureGroup group,
                                     const registry::Source& source)
    : group_(std::move(group)),
      columns_(source.columns),
      events_max_(source.events_max) {
  uint32_t needed = 0;
  for (uint32_t i = 0; i < group_.features.size(); ++i) {
    FRESHLINE_CHECK(group_.features[i].aggregate.has_value());
    const Aggregate& a = *group_.features[i].aggregate;
    FRESHLINE_CHECK(!a.column || *a.column < columns_.size());
    const UnixMicros over_us = ToMicros(a.over);
    const bool by_count = a.last_events > 0 && a.filters.empty();
    needed = std::max(needed, by_count ? a.last_events : UINT32_MAX);
    auto window =
        std::find_if(windows_.begin(), windows_.end(), [&](const Window& w) {
          return w.over_us == over_us && w.last_events == a.last_events &&
                 SameFilters(w.filters, a.filters);
        });
    if (window == windows_.end()) {
      window = windows_.insert(
          window,
          {over_us, a.last_events, a.filters, {}, /*newest_only=*/true});
    }
    window->features.push_back(i);
    window->newest_only &=
        a.fn == Aggregate::Fn::kLast || a.fn == Aggregate::Fn::kLastN;
  }
  events_needed_ = needed;
}

std::unique_ptr<Scratch> AggregateFunction::MakeScratch() const {
  auto scratch = std::make_unique<MaskScratch>(events_max_);
  size_t n = 0;
  for (const registry::Feature& f : group_.features) {
    n = std::max<size_t>(n, f.aggregate->n);
  }
  scratch->ints.reserve(n);
  scratch->doubles.reserve(n);
  scratch->strings.reserve(n);
  return scratch;
}

AggregateFunction::Selection AggregateFunction::SelectTime(const Window& window,
                                                           const Input& input) {
  const EventView& events = input.events;
  const UnixMicros* const times = events.event_time_us;
  const UnixMicros t = input.window_time_us;
  Selection s;
  s.truncated = events.truncated && (window.over_us == 0 ||
                                     events.dropped_to_us > t - window.over_us);
  s.end = events.size;
  if (window.over_us > 0) {
    s.begin = static_cast<size_t>(
        std::upper_bound(times, times + s.end, t - window.over_us) - times);
  }
  return s;
}

AggregateFunction::Selection AggregateFunction::Select(
    const Window& window, const Input& input, MaskScratch* scratch) const {
  Selection s = SelectTime(window, input);
  if (window.filters.empty()) {
    if (window.last_events > 0 && s.end - s.begin >= window.last_events) {
      s.StartAt(s.end - window.last_events, input.events);
    }
    return s;
  }
  scratch->mask.resize(s.end);
  uint8_t* const mask = scratch->mask.data();
  s.mask = mask;
  // From the newest back, until there are enough.
  const size_t at_once =
      window.last_events > 0 ? kFilteredAtOnce : std::max(s.end, size_t{1});
  size_t left = window.last_events > 0 ? window.last_events : SIZE_MAX;
  bool any = false;
  for (size_t end = s.end; end > s.begin;) {
    const size_t begin = end - std::min(end - s.begin, at_once);
    const size_t found =
        ApplyFilters(window.filters, input.events, begin, end, mask);
    any = any || found > 0;
    if (found >= left) {
      ForEachBack(begin, end, mask, nullptr, [&](size_t i) {
        if (--left > 0) return true;
        s.StartAt(i, input.events);
        return false;
      });
      break;
    }
    left -= found;
    end = begin;
  }
  if (!any) s.begin = s.end;
  return s;
}

base::JobShape AggregateFunction::Shape(const Input& input, Scratch*) const {
  size_t longest = 0;
  for (const Window& window : windows_) {
    const Selection s = SelectTime(window, input);
    size_t n = s.end - s.begin;
    if (window.last_events > 0 && window.filters.empty()) {
      n = std::min<size_t>(n, window.last_events);
    }
    longest = std::max(longest, n);
  }
  return {group_.id, static_cast<uint32_t>(longest), 0};
}

AggregateFunction::Selection AggregateFunction::SelectUsed(
    const Window& window, const Input& input) const {
  const EventView& events = input.events;
  Selection s = SelectTime(window, input);
  if (!window.filters.empty()) return s;
  if (window.last_events > 0 && s.end - s.begin >= window.last_events) {
    s.StartAt(s.end - window.last_events, events);
  }
  if (!window.newest_only || s.begin == s.end) return s;
  size_t oldest = s.end;
  for (uint32_t feature : window.features) {
    const Aggregate& a = *group_.features[feature].aggregate;
    uint32_t left = a.fn == Aggregate::Fn::kLastN ? a.n : 1;
    const size_t floor =
        s.end - std::min<size_t>(s.end - s.begin, left + kNullsLooked);
    const bool all = ForEachBack(
        floor, s.end, nullptr, events.columns[*a.column].nulls, [&](size_t i) {
          oldest = std::min(oldest, i);
          return --left > 0;
        });
    if (all) return s;  // not so many, or behind too many NULLs
  }
  s.StartAt(oldest, events);
  return s;
}

UnixMicros AggregateFunction::HoldsUntil(const Input& input) const {
  const EventView& events = input.events;
  UnixMicros holds = table::kHoldsForEver;
  for (const Window& window : windows_) {
    const Selection s = SelectUsed(window, input);
    const auto leaves = [&](UnixMicros time_us) {
      return window.over_us > 0 ? time_us + window.over_us
                                : events.EndOf(time_us);
    };
    if (s.begin < s.end) {
      holds = std::min(holds, leaves(events.event_time_us[s.begin]));
    }
    // Until then what the cap dropped may have belonged to the window.
    if (s.truncated) holds = std::min(holds, leaves(events.dropped_to_us));
  }
  return holds;
}

absl::Status AggregateFunction::Compute(
    std::span<const Input> inputs, std::span<registry::RowBytes* const> outputs,
    Scratch* scratch) const {
  auto* const mine = static_cast<MaskScratch*>(scratch);
  for (size_t r = 0; r < inputs.size(); ++r) {
    RowWriter out(group_.layout, outputs[r]);
    mine->scans.clear();
    for (const Window& window : windows_) {
      const Selection s = Select(window, inputs[r], mine);
      for (uint32_t feature : window.features) {
        ComputeFeature(feature, s, inputs[r].events, &out, mine);
      }
    }
  }
  return absl::OkStatus();
}

void AggregateFunction::ComputeFeature(uint32_t feature, const Selection& s,
                                       const EventView& events, RowWriter* out,
                                       MaskScratch* scratch) const {
  const Aggregate& a = *group_.features[feature].aggregate;
  ColumnView column;
  if (a.column) {
    // A key without events may have no columns to show.
    column.type = columns_[*a.column].type;
    if (s.begin < s.end) column = events.columns[*a.column];
  }
  bool complete = !s.truncated;
  const bool is_last =
      a.fn == Aggregate::Fn::kLast || a.fn == Aggregate::Fn::kLastN;
  const ValueStatus status =
      is_last ? SetLast(feature, s, column, events, out, scratch, &complete)
              : SetNumber(feature, s, column, out, scratch);
  if (status == ValueStatus::kNull) {
    SetDefault(feature, out, scratch);
  } else if (status == ValueStatus::kError) {
    out->SetStatus(feature, status);
  } else if (!complete) {
    out->SetStatus(feature, ValueStatus::kTruncated);
  }
}

const uint8_t* AggregateFunction::FlagsOf(const Selection& s,
                                          const uint8_t* nulls,
                                          MaskScratch* scratch) {
  if (nulls == nullptr) return s.mask == nullptr ? nullptr : s.mask + s.begin;
  const size_t size = s.end - s.begin;
  scratch->flags.resize(size);
  uint8_t* const flags = scratch->flags.data();
  if (s.mask == nullptr) {
    std::fill_n(flags, size, uint8_t{1});
  } else {
    std::copy_n(s.mask + s.begin, size, flags);
  }
  NarrowByNulls(nulls + s.begin, size, flags);
  return flags;
}

FloatScan AggregateFunction::Scan(std::span<const double> cells,
                                  MaskScratch* scratch) {
  for (const MaskScratch::Scanned& scan : scratch->scans) {
    if (scan.cells == cells.data() && scan.size == cells.size()) {
      return scan.found;
    }
  }
  const FloatScan found = ScanFloats(cells);
  if (scratch->scans.size() < kScansKept) {
    scratch->scans.push_back({cells.data(), cells.size(), found});
  }
  return found;
}

ValueStatus AggregateFunction::SetNumber(uint32_t feature, const Selection& s,
                                         const ColumnView& column,
                                         RowWriter* out,
                                         MaskScratch* scratch) const {
  const Aggregate::Fn fn = group_.features[feature].aggregate->fn;
  const size_t size = s.end - s.begin;
  const uint8_t* const flags = FlagsOf(s, column.nulls, scratch);
  if (fn == Aggregate::Fn::kCount) {
    const size_t count = flags == nullptr ? size : CountOnes({flags, size});
    out->SetInt64(feature, static_cast<int64_t>(count));
    return ValueStatus::kPresent;
  }
  if (size == 0) return ValueStatus::kNull;
  if (column.type == Scalar::kFloat64) {
    std::span cells(column.doubles + s.begin, size);
    if (flags == nullptr) {
      return AggregateFloats(feature, fn, cells, Scan(cells, scratch), out);
    }
    scratch->cells.resize(size);
    const size_t n = Compress(cells, flags, scratch->cells.data());
    cells = std::span<const double>(scratch->cells.data(), n);
    return AggregateFloats(feature, fn, cells, ScanFloats(cells), out);
  }
  const std::span cells(column.ints + s.begin, size);
  if (fn == Aggregate::Fn::kMin || fn == Aggregate::Fn::kMax) {
    const std::optional<int64_t> v =
        fn == Aggregate::Fn::kMin ? First(cells, flags, std::less<>())
                                  : First(cells, flags, std::greater<>());
    if (v) out->SetInt64(feature, *v);
    return v ? ValueStatus::kPresent : ValueStatus::kNull;
  }
  return AggregateInts(feature, fn == Aggregate::Fn::kMean, cells, flags, out);
}

ValueStatus AggregateFunction::SetLast(uint32_t feature, const Selection& s,
                                       const ColumnView& column,
                                       const EventView& events, RowWriter* out,
                                       MaskScratch* scratch,
                                       bool* complete) const {
  const Aggregate& a = *group_.features[feature].aggregate;
  const bool is_list = a.fn == Aggregate::Fn::kLastN;
  const size_t wanted = is_list ? a.n : 1;
  scratch->ints.clear();
  scratch->doubles.clear();
  scratch->strings.clear();
  size_t found = 0;
  size_t oldest = s.end;
  size_t bytes = out->bytes();
  const bool all =
      ForEachBack(s.begin, s.end, s.mask, column.nulls, [&](size_t i) {
        bytes += column.type == Scalar::kString
                     ? registry::StringElementBytes(column.strings[i].size())
                     : sizeof(int64_t);
        if (bytes > registry::kRowBytesMax) return false;
        if (column.type == Scalar::kFloat64) {
          scratch->doubles.push_back(column.doubles[i]);
        } else if (column.type == Scalar::kString) {
          const std::string& text = column.strings[i];
          scratch->strings.emplace_back(text.data(), text.size());
        } else {
          scratch->ints.push_back(column.ints[i]);
        }
        oldest = i;
        return ++found < wanted;
      });
  if (!all && found < wanted) {  // the row is full
    if (!is_list) return ValueStatus::kError;
    *complete = false;
  } else if (found == 0) {
    return ValueStatus::kNull;
  }
  if (found == wanted) {
    *complete = !events.truncated ||
                events.dropped_to_us <= events.event_time_us[oldest];
  }
  if (column.type == Scalar::kFloat64) {
    is_list ? out->SetFloat64List(feature, scratch->doubles)
            : out->SetFloat64(feature, scratch->doubles[0]);
  } else if (column.type == Scalar::kString) {
    is_list ? out->SetStringList(feature, scratch->strings)
            : out->SetString(feature, scratch->strings[0]);
  } else {
    is_list ? out->SetInt64List(feature, scratch->ints)
            : out->SetInt64(feature, scratch->ints[0]);
  }
  return ValueStatus::kPresent;
}

void AggregateFunction::SetDefault(uint32_t feature, RowWriter* out,
                                   MaskScratch* scratch) const {
  if (!group_.features[feature].has_default) return;  // stays NULL
  const RowView defaults(group_.layout, group_.default_row);
  const ValueType& type = group_.layout.type(feature);
  const bool is_list = type.shape == ValueType::Shape::kList;
  if (type.scalar == Scalar::kFloat64) {
    is_list ? out->SetFloat64List(feature, defaults.Float64List(feature))
            : out->SetFloat64(feature, defaults.Float64(feature));
  } else if (type.scalar == Scalar::kString) {
    scratch->strings.clear();
    if (is_list) defaults.AppendStringList(feature, &scratch->strings);
    is_list ? out->SetStringList(feature, scratch->strings)
            : out->SetString(feature, defaults.String(feature));
  } else {
    is_list ? out->SetInt64List(feature, defaults.Int64List(feature))
            : out->SetInt64(feature, defaults.Int64(feature));
  }
  out->SetStatus(feature, ValueStatus::kDefaulted);
}

}  // namespace freshline::featurize
