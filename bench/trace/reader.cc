// SPDX-License-Identifier: Apache-2.0
#include "bench/trace/reader.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"

namespace freshline::bench {
namespace {

constexpr char kHeader[] =
    "event_time,event_type,product_id,category_id,category_code,brand,price,"
    "user_id,user_session";
constexpr size_t kFields = 9;
constexpr size_t kLineBytesMax = 4096;
constexpr size_t kExamplesMax = 10;
constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kBackwardsMaxUs = 60 * kSecond;
constexpr int64_t kLeapMaxUs = 86'400 * kSecond;
// Bounds what a hostile file can make us keep.
constexpr size_t kStringsMax = size_t{1} << 20;

// Two or four digits at `at`; false where there are others.
bool Digits(absl::string_view text, size_t at, size_t n, int64_t* out) {
  *out = 0;
  for (size_t i = at; i < at + n; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    *out = *out * 10 + (text[i] - '0');
  }
  return true;
}

uint64_t HashText(absl::string_view text) {
  uint64_t hash = text.size();
  for (const char c : text) {
    hash = base::MixBits(hash ^ static_cast<unsigned char>(c));
  }
  return hash;
}

ClickType TypeOf(absl::string_view name) {
  if (name == "view") return ClickType::kView;
  if (name == "cart") return ClickType::kCart;
  if (name == "purchase") return ClickType::kPurchase;
  return ClickType::kOther;
}

// Fills `click` from one line; returns what is wrong with it, or "".
std::string ParseRow(absl::string_view line, StringPool* pool, Click* click) {
  absl::string_view fields[kFields];
  size_t n = 0;
  for (const absl::string_view field : absl::StrSplit(line, ',')) {
    if (n == kFields) return "more than 9 fields";
    fields[n++] = field;
  }
  if (n < kFields) return std::string(absl::StrCat(n, " fields instead of 9"));
  const absl::StatusOr<int64_t> time = ParseTraceTime(fields[0]);
  if (!time.ok()) return std::string(time.status().message());
  const auto number = [](absl::string_view name, absl::string_view text) {
    return std::string(
        absl::StrCat(name, " \"", text.substr(0, 40), "\" is not a number"));
  };
  click->time_us = *time;
  click->type = TypeOf(fields[1]);
  if (!absl::SimpleAtoi(fields[2], &click->item)) {
    return number("product_id", fields[2]);
  }
  if (!absl::SimpleAtoi(fields[3], &click->category)) {
    return number("category_id", fields[3]);
  }
  if (!absl::SimpleAtod(fields[6], &click->price) ||
      !std::isfinite(click->price)) {
    return number("price", fields[6]);
  }
  if (!absl::SimpleAtoi(fields[7], &click->user)) {
    return number("user_id", fields[7]);
  }
  // A row cut in its last field looks whole but for a short session.
  constexpr size_t kSessionBytes = 36;
  if (fields[8].size() != kSessionBytes) {
    return std::string(absl::StrCat("user_session has ", fields[8].size(),
                                    " characters instead of 36"));
  }
  click->session = HashText(fields[8]);
  if (pool->size() >= kStringsMax) {
    return std::string(absl::StrCat("more than ", kStringsMax,
                                    " different brands and category codes"));
  }
  click->category_code = pool->Intern(fields[4]);
  click->brand = pool->Intern(fields[5]);
  return "";
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

// Lines of a plain or gzipped file; zlib reads both.
struct TraceReader::File {
  ~File() {
    if (gz != nullptr) gzclose(gz);
  }
  // False at the end. A line beyond kLineBytesMax is cut there, its rest
  // skipped, and *too_long set. `error` is set where the file cannot be read
  // on.
  bool NextLine(std::string* out, bool* too_long) {
    out->clear();
    *too_long = false;
    while (true) {
      if (at == end) {
        const int n =
            gzread(gz, buffer.data(), static_cast<unsigned>(buffer.size()));
        if (n <= 0) {
          // An archive cut short gives its last bytes first, then this.
          int code = Z_OK;
          const char* text = gzerror(gz, &code);
          if (code == Z_ERRNO) text = std::strerror(errno);
          if (code != Z_OK && code != Z_STREAM_END) error = text;
          return !out->empty();
        }
        at = 0;
        end = static_cast<size_t>(n);
      }
      const char* begin = buffer.data() + at;
      const auto* newline =
          static_cast<const char*>(std::memchr(begin, '\n', end - at));
      const size_t take =
          newline == nullptr ? end - at : static_cast<size_t>(newline - begin);
      const size_t room = kLineBytesMax - out->size();
      out->append(begin, std::min(take, room));
      *too_long |= take > room;
      at += take;
      if (newline != nullptr) {
        ++at;
        break;
      }
    }
    if (!out->empty() && out->back() == '\r') out->pop_back();
    return true;
  }

  gzFile gz = nullptr;
  std::vector<char> buffer = std::vector<char>(1 << 18);
  size_t at = 0;
  size_t end = 0;
  uint64_t line_number = 0;
  std::string line;
  std::string error;
};

absl::StatusOr<int64_t> ParseTraceTime(absl::string_view text) {
  const absl::string_view t = absl::StripSuffix(text, " UTC");
  int64_t y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0;
  const bool ok = t.size() == 19 && t[4] == '-' && t[7] == '-' &&
                  t[10] == ' ' && t[13] == ':' && t[16] == ':' &&
                  Digits(t, 0, 4, &y) && Digits(t, 5, 2, &mo) &&
                  Digits(t, 8, 2, &d) && Digits(t, 11, 2, &h) &&
                  Digits(t, 14, 2, &mi) && Digits(t, 17, 2, &s) && h < 24 &&
                  mi < 60 && s < 60;
  const std::chrono::year_month_day date(
      std::chrono::year(static_cast<int>(y)),
      std::chrono::month(static_cast<unsigned>(mo)),
      std::chrono::day(static_cast<unsigned>(d)));
  if (!ok || !date.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("time \"", text.substr(0, 40),
                     "\" is not of the form 2019-10-01 00:00:00 UTC"));
  }
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return (days * 86400 + h * 3600 + mi * 60 + s) * kSecond;
}

std::string FormatTraceTime(int64_t time_us) {
  const int64_t seconds = time_us / kSecond;
  const int64_t days = seconds / 86400;
  const int64_t left = seconds % 86400;
  const std::chrono::year_month_day date{
      std::chrono::sys_days(std::chrono::days(days))};
  char text[64];
  std::snprintf(
      text, sizeof(text), "%04d-%02u-%02u %02d:%02d:%02d UTC",
      static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
      static_cast<unsigned>(date.day()), static_cast<int>(left / 3600),
      static_cast<int>(left / 60 % 60), static_cast<int>(left % 60));
  return text;
}

TraceReader::TraceReader(std::unique_ptr<File> file, const ReadOptions& options,
                         StringPool* pool)
    : file_(std::move(file)),
      options_(options),
      pool_(pool),
      rng_(options.seed) {}

TraceReader::~TraceReader() = default;

absl::StatusOr<std::unique_ptr<TraceReader>> TraceReader::Open(
    const std::string& path, const ReadOptions& options, StringPool* pool) {
  auto file = std::make_unique<File>();
  file->gz = gzopen(path.c_str(), "rb");
  if (file->gz == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("cannot open the trace \"", path, "\""));
  }
  bool too_long = false;
  std::string header;
  const bool any = file->NextLine(&header, &too_long);
  file->line_number = 1;
  if (!any) {
    return absl::InvalidArgumentError(
        file->error.empty()
            ? absl::StrCat("the trace \"", path,
                           "\" is empty; its header must be \"", kHeader, "\"")
            : absl::StrCat("cannot read the trace \"", path,
                           "\": ", file->error));
  }
  if (header != kHeader) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ":1: the header is \"", absl::string_view(header).substr(0, 200),
        "\"; it must be \"", kHeader, "\""));
  }
  return std::unique_ptr<TraceReader>(
      new TraceReader(std::move(file), options, pool));
}

void TraceReader::AddMalformed(uint64_t line, std::string reason) {
  ++report_.malformed;
  if (report_.examples.size() < kExamplesMax) {
    report_.examples.push_back({line, std::move(reason)});
  }
}

bool TraceReader::ParseNext(Row* row) {
  if (held_) {
    *row = *std::exchange(held_, std::nullopt);
    return true;
  }
  bool too_long = false;
  while (file_->NextLine(&file_->line, &too_long)) {
    row->line = ++file_->line_number;
    if (file_->line.empty()) continue;
    std::string wrong = too_long ? "longer than 4096 bytes"
                                 : ParseRow(file_->line, pool_, &row->click);
    if (wrong.empty()) return true;
    AddMalformed(row->line, std::move(wrong));
  }
  if (!file_->error.empty()) {
    // Stands among the examples even where they are full.
    ++report_.malformed;
    report_.examples.push_back({file_->line_number + 1,
                                "the file cannot be read on: " + file_->error});
    file_->error.clear();
  }
  return false;
}

bool TraceReader::ReadRow(Click* click) {
  Row row;
  while (ParseNext(&row)) {
    const int64_t time_us = row.click.time_us;
    if (time_us < newest_us_ - kBackwardsMaxUs) {
      AddMalformed(row.line, absl::StrCat((newest_us_ - time_us) / kSecond,
                                          " s earlier than the row before"));
      continue;
    }
    if (time_us > newest_us_ + kLeapMaxUs) {
      // One row from a wrong far future would make all later ones too old.
      Row next;
      if (ParseNext(&next)) held_ = next;
      if (held_ && held_->click.time_us < time_us - kLeapMaxUs) {
        AddMalformed(row.line,
                     absl::StrCat((time_us - held_->click.time_us) / kSecond,
                                  " s later than the row after"));
        continue;
      }
    }
    ++report_.rows;
    report_.out_of_order += time_us < newest_us_ ? 1 : 0;
    newest_us_ = std::max(newest_us_, time_us);
    *click = row.click;
    click->time_us = newest_us_;
    return true;
  }
  return false;
}

bool TraceReader::FillSecond() {
  second_.clear();
  next_ = 0;
  if (!has_ahead_ && !ReadRow(&ahead_)) return false;
  has_ahead_ = false;
  const int64_t second = ahead_.time_us;
  second_.push_back(ahead_);
  Click click;
  while (ReadRow(&click)) {
    if (click.time_us != second) {
      ahead_ = click;
      has_ahead_ = true;
      break;
    }
    second_.push_back(click);
  }
  if (options_.jitter) {
    std::vector<int64_t> offsets(second_.size());
    for (int64_t& offset : offsets) {
      offset = static_cast<int64_t>(rng_.Below(kSecond));
    }
    std::sort(offsets.begin(), offsets.end());
    for (size_t i = 0; i < second_.size(); ++i) {
      second_[i].time_us += offsets[i];
    }
  }
  return true;
}

bool TraceReader::Next(Click* click) {
  while (true) {
    if (next_ == second_.size() && !FillSecond()) return false;
    const int64_t second = second_[0].time_us / kSecond * kSecond;
    if (second >= options_.until_us) return false;
    if (second < options_.since_us) {
      next_ = second_.size();
      continue;
    }
    *click = second_[next_++];
    return true;
  }
}

absl::StatusOr<std::vector<Click>> ReadTrace(const std::string& path,
                                             const ReadOptions& options,
                                             StringPool* pool,
                                             ReadReport* report) {
  FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<TraceReader> reader,
                             TraceReader::Open(path, options, pool));
  std::vector<Click> clicks;
  Click click;
  while (reader->Next(&click)) clicks.push_back(click);
  *report = reader->report();
  return clicks;
}

absl::StatusOr<TraceWindow> FindPeakWindow(const std::string& path,
                                           int64_t seconds) {
  if (seconds <= 0) {
    return absl::InvalidArgumentError("the window must be at least a second");
  }
  StringPool pool;
  ReadOptions options;
  options.jitter = false;
  FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<TraceReader> reader,
                             TraceReader::Open(path, options, &pool));
  std::deque<int64_t> window;
  TraceWindow best;
  Click click;
  while (reader->Next(&click)) {
    window.push_back(click.time_us);
    while (window.front() <= click.time_us - seconds * kSecond) {
      window.pop_front();
    }
    if (window.size() > best.clicks) {
      best = {window.front(), window.front() + seconds * kSecond,
              window.size()};
    }
  }
  if (best.clicks == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " holds no well-formed row"));
  }
  return best;
}

}  // namespace freshline::bench
