// SPDX-License-Identifier: Apache-2.0
#include "bench/trace/reader.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "base/foreign_text.h"
#include "base/number_text.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "csv/input.h"
#include "csv/reader.h"
#include "csv/value.h"

namespace freshline::bench {
namespace {

constexpr size_t kRecordBytesMax = 64 << 10;
constexpr size_t kExamplesMax = 10;
constexpr size_t kExamplesTold = 5;
constexpr int64_t kSecond = 1'000'000;
// Bounds what a hostile file can make us keep.
constexpr size_t kStringsMax = size_t{1} << 20;
constexpr size_t kSecondsMax = size_t{1} << 27;

enum Column {
  kTime,
  kType,
  kItem,
  kCategory,
  kCategoryCode,
  kBrand,
  kPrice,
  kUser,
  kSession,
  kColumns
};
constexpr std::array<absl::string_view, kColumns> kNames = {
    "event_time", "event_type", "product_id", "category_id", "category_code",
    "brand",      "price",      "user_id",    "user_session"};
constexpr std::array kNeeded = {kTime, kItem, kUser};

uint64_t HashText(absl::string_view text) {
  uint64_t hash = text.size();
  for (size_t at = 0; at < text.size(); at += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + at,
                std::min(sizeof(word), text.size() - at));
    hash = base::MixBits(hash ^ word);
  }
  return hash;
}

ClickType TypeOf(absl::string_view name) {
  if (name == "view") return ClickType::kView;
  if (name == "cart") return ClickType::kCart;
  if (name == "purchase") return ClickType::kPurchase;
  return ClickType::kOther;
}

std::string NoNumber(Column column, absl::string_view text) {
  return std::string(absl::StrCat(kNames[column], " ", base::Quoted(text),
                                  " is no ", column == kPrice ? "" : "whole ",
                                  "number"));
}

// Makes clicks of records; without a pool, of their times alone.
class RowParser {
 public:
  RowParser(const ReadOptions& options, StringPool* pool)
      : options_(options), pool_(pool) {}

  absl::Status Prepare(const csv::Reader& reader) {
    const std::vector<std::string>& header = reader.header();
    for (size_t i = 0; i < kColumns; ++i) {
      const auto found = std::find(header.begin(), header.end(), kNames[i]);
      if (found == header.end()) continue;
      place_[i] = static_cast<size_t>(found - header.begin());
    }
    fields_ = header.size();
    for (const Column column : kNeeded) {
      if (place_[column].has_value()) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "the header has no column ", kNames[column],
          " (it names: ", absl::StrJoin(header, ", ").substr(0, 200),
          "); a trace needs event_time, product_id and user_id, and takes "
          "event_type, category_id, category_code, brand, price and "
          "user_session"));
    }
    return absl::OkStatus();
  }

  // Returns what is wrong with the record, or ""; *selected is whether it lies
  // in the time range, and only then is the click whole.
  std::string Parse(std::span<const absl::string_view> record, Click* click,
                    bool* selected) {
    if (record.size() != fields_) {
      return std::string(absl::StrCat(
          record.size(), " fields instead of the header's ", fields_));
    }
    record_ = record;
    const absl::StatusOr<int64_t> time =
        csv::ParseEventTime(Field(kTime), options_.time_unit);
    if (!time.ok()) {
      return std::string(absl::StrCat("event_time ", time.status().message()));
    }
    click->time_us = *time;
    *selected = click->time_us >= options_.since_us &&
                click->time_us < options_.until_us;
    return *selected && pool_ != nullptr ? ParseRest(click) : "";
  }

 private:
  absl::string_view Field(Column column) const {
    return place_[column].has_value() ? record_[*place_[column]]
                                      : absl::string_view();
  }
  bool ParseInt(Column column, int64_t* value) const {
    if (absl::SimpleAtoi(Field(column), value)) return true;
    const std::optional<int64_t> number =
        base::ParseWholeNumber(csv::PlainValue(Field(column)));
    *value = number.value_or(0);
    return number.has_value();
  }

  std::string ParseRest(Click* click) {
    if (!ParseInt(kItem, &click->item)) return NoNumber(kItem, Field(kItem));
    if (!ParseInt(kUser, &click->user)) return NoNumber(kUser, Field(kUser));
    click->category = 0;
    if (!ParseInt(kCategory, &click->category) &&
        !csv::PlainValue(Field(kCategory)).empty()) {
      return NoNumber(kCategory, Field(kCategory));
    }
    click->price = 0;
    if (const absl::string_view price = csv::PlainValue(Field(kPrice));
        !price.empty()) {
      const std::optional<double> number = base::ParseFiniteNumber(price);
      if (!number.has_value()) return NoNumber(kPrice, price);
      click->price = *number;
    }
    click->type =
        place_[kType].has_value() ? TypeOf(Field(kType)) : ClickType::kView;
    click->session = place_[kSession].has_value()
                         ? HashText(Field(kSession))
                         : base::MixBits(static_cast<uint64_t>(click->user));
    if (pool_->size() >= kStringsMax) {
      return std::string(absl::StrCat("more than ", kStringsMax,
                                      " different brands and category codes"));
    }
    click->category_code = pool_->Intern(Field(kCategoryCode));
    click->brand = pool_->Intern(Field(kBrand));
    return "";
  }

  const ReadOptions options_;
  StringPool* const pool_;
  std::array<std::optional<size_t>, kColumns> place_;
  size_t fields_ = 0;
  std::span<const absl::string_view> record_;
};

void AddMalformed(uint64_t line, absl::string_view reason, ReadReport* report) {
  ++report->malformed;
  if (report->examples.size() < kExamplesMax) {
    report->examples.push_back({line, base::Printable(reason)});
  }
}

absl::Status InFile(const std::string& path, const absl::Status& status) {
  return absl::Status(
      status.code() == absl::StatusCode::kDataLoss
          ? absl::StatusCode::kInvalidArgument
          : status.code(),
      absl::StrCat(path, ": ", base::Printable(status.message())));
}

absl::Status CheckSkipped(const std::string& path, const ReadOptions& options,
                          const ReadReport& report) {
  const auto all = static_cast<double>(report.rows + report.malformed);
  const auto skipped = static_cast<double>(report.malformed);
  if (skipped <= options.skipped_share_max * all) return absl::OkStatus();
  std::string examples;
  for (size_t i = 0; i < std::min(report.examples.size(), kExamplesTold); ++i) {
    absl::StrAppend(&examples, i > 0 ? "; " : "", "line ",
                    report.examples[i].line, ": ", report.examples[i].reason);
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "%s: %d of %d rows (%.3g %%) are malformed, and at most %.3g %% may be "
      "skipped; the first: %s. Mend the file, or allow more, up to "
      "--skipped-max 1",
      path, report.malformed, report.rows + report.malformed,
      100 * skipped / all, 100 * options.skipped_share_max, examples));
}

// Calls use(click) for every row in the time range; stops where it returns an
// error. Without a pool, clicks have times alone.
template <typename Use>
absl::Status ForEachRow(const std::string& path, const ReadOptions& options,
                        StringPool* pool, ReadReport* report, Use use) {
  FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<csv::Input> input,
                             csv::Input::OpenFile(path));
  csv::ReaderOptions csv_options;
  csv_options.record_bytes_max = kRecordBytesMax;
  auto reader = csv::Reader::Open(*input, csv_options);
  if (!reader.ok()) return InFile(path, reader.status());
  RowParser parser(options, pool);
  if (const absl::Status s = parser.Prepare(*reader); !s.ok()) {
    return InFile(path, s);
  }
  Click click;
  while (true) {
    const csv::Reader::Got got = reader->Next();
    if (got == csv::Reader::Got::kEnd) break;
    if (got == csv::Reader::Got::kFailed) {
      const std::string what(
          absl::StrCat("cannot be read on: ", reader->error(), "; ",
                       report->rows, " rows stand before"));
      AddMalformed(reader->line(), what, report);
      if (options.skipped_share_max >= 1) break;
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": line ", reader->line(), ": ", what,
                       "; to go on with those, allow --skipped-max 1"));
    }
    if (got == csv::Reader::Got::kMalformed) {
      AddMalformed(reader->line(), reader->error(), report);
      continue;
    }
    bool selected = false;
    const std::string wrong = parser.Parse(reader->fields(), &click, &selected);
    if (!wrong.empty()) {
      AddMalformed(reader->line(), wrong, report);
      reader->Reject();
      continue;
    }
    ++report->rows;
    if (selected) FRESHLINE_RETURN_IF_ERROR(use(click));
  }
  return CheckSkipped(path, options, *report);
}

void SortByTime(std::vector<Click>* clicks, ReadReport* report) {
  uint64_t later = 0;
  for (size_t i = 1; i < clicks->size(); ++i) {
    const int64_t before = (*clicks)[i - 1].time_us;
    report->out_of_order += (*clicks)[i].time_us < before ? 1 : 0;
    later += (*clicks)[i].time_us > before ? 1 : 0;
  }
  if (report->out_of_order == 0) return;
  if (report->out_of_order > later)
    std::reverse(clicks->begin(), clicks->end());
  std::stable_sort(
      clicks->begin(), clicks->end(),
      [](const Click& a, const Click& b) { return a.time_us < b.time_us; });
}

int64_t SecondOf(int64_t time_us) {
  const int64_t second = time_us / kSecond;
  return time_us % kSecond < 0 ? second - 1 : second;
}

// Spreads the clicks of each second over it; they are in order of time.
void Jitter(uint64_t seed, std::vector<Click>* clicks) {
  base::Rng rng(seed);
  std::vector<int64_t> offsets;
  for (size_t begin = 0; begin < clicks->size();) {
    const int64_t second = SecondOf((*clicks)[begin].time_us);
    size_t end = begin;
    bool whole = true;
    for (; end < clicks->size() && SecondOf((*clicks)[end].time_us) == second;
         ++end) {
      whole = whole && (*clicks)[end].time_us == second * kSecond;
    }
    offsets.resize(end - begin);
    for (int64_t& offset : offsets) {
      offset = static_cast<int64_t>(rng.Below(kSecond));
    }
    std::sort(offsets.begin(), offsets.end());
    for (size_t i = begin; whole && i < end; ++i) {
      (*clicks)[i].time_us += offsets[i - begin];
    }
    begin = end;
  }
}

}  // namespace

absl::string_view ClickTypeName(ClickType type) {
  switch (type) {
    case ClickType::kView:
      return "view";
    case ClickType::kCart:
      return "cart";
    case ClickType::kPurchase:
      return "purchase";
    case ClickType::kOther:
      return "other";
  }
  return "other";
}

absl::StatusOr<std::vector<Click>> ReadTrace(const std::string& path,
                                             const ReadOptions& options,
                                             StringPool* pool,
                                             ReadReport* report) {
  *report = {};
  std::vector<Click> clicks;
  FRESHLINE_RETURN_IF_ERROR(ForEachRow(
      path, options, pool, report, [&](const Click& click) -> absl::Status {
        if (clicks.size() == options.clicks_max) {
          return absl::InvalidArgumentError(absl::StrCat(
              path, ": more than ", options.clicks_max,
              " rows in the time range, which do not fit into memory; narrow "
              "it, or cut the file"));
        }
        clicks.push_back(click);
        return absl::OkStatus();
      }));
  SortByTime(&clicks, report);
  if (options.jitter) Jitter(options.seed, &clicks);
  return clicks;
}

absl::StatusOr<TraceWindow> FindPeakWindow(const std::string& path,
                                           int64_t seconds,
                                           const ReadOptions& options) {
  if (seconds <= 0) {
    return absl::InvalidArgumentError("the window must be at least a second");
  }
  ReadReport report;
  absl::flat_hash_map<int64_t, uint64_t> in_second;
  FRESHLINE_RETURN_IF_ERROR(ForEachRow(
      path, options, /*pool=*/nullptr, &report,
      [&](const Click& click) -> absl::Status {
        if (in_second.size() == kSecondsMax) {
          return absl::InvalidArgumentError(absl::StrCat(
              path, ": its rows lie in more than ", kSecondsMax, " seconds"));
        }
        ++in_second[SecondOf(click.time_us)];
        return absl::OkStatus();
      }));
  std::vector<std::pair<int64_t, uint64_t>> counts(in_second.begin(),
                                                   in_second.end());
  std::sort(counts.begin(), counts.end());
  TraceWindow best;
  uint64_t clicks = 0;
  for (size_t first = 0, i = 0; i < counts.size(); ++i) {
    clicks += counts[i].second;
    for (; counts[first].first <= counts[i].first - seconds; ++first) {
      clicks -= counts[first].second;
    }
    if (clicks > best.clicks) {
      const int64_t start_us = counts[first].first * kSecond;
      best = {start_us, start_us + seconds * kSecond, clicks};
    }
  }
  if (best.clicks == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " holds no well-formed row"));
  }
  return best;
}

}  // namespace freshline::bench
