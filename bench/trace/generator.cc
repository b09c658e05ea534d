// SPDX-License-Identifier: Apache-2.0
#include "bench/trace/generator.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/output_file.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "bench/trace/click.h"
#include "bench/trace/reader.h"

namespace freshline::bench {
namespace {

constexpr double kMeanSessionLength = 5.03;
constexpr double kGapMu = 3.505;
constexpr double kGapSigma = 0.960;
constexpr double kReturning = 0.2;
constexpr double kContinues = 0.65;
constexpr double kRepeat = 0.335;
constexpr double kRevisit = 0.18;
constexpr double kRevisitStop = 0.6;
constexpr double kSameCategory = 0.823;
constexpr double kNearShare = 0.97;  // of the same category
constexpr double kOtherBrand = 0.28;
constexpr double kPriceReach = 0.3;
constexpr double kPriceFollow = 0.3;
constexpr int kTries = 8;
constexpr int64_t kFirstUser = 500'000'000;
// An empty store takes about an hour to fill with sessions under way and with
// users who come back.
constexpr int64_t kSettleSeconds = 3600;
constexpr uint64_t kProgressRows = 1'000'000;

enum class Mode { kNear, kCategory, kStore };

}  // namespace

ClickGenerator::ClickGenerator(const Catalogue& catalogue,
                               double clicks_per_second, int64_t start_us,
                               uint64_t seed)
    : catalogue_(catalogue),
      sessions_per_second_(clicks_per_second / kMeanSessionLength),
      rng_(seed),
      next_session_us_(start_us) {}

uint32_t ClickGenerator::SessionLength() {
  struct Point {
    double u, length;
  };
  static constexpr Point kPoints[] = {{.42, 1},  {.56, 2},   {.65, 3},
                                      {.73, 4},  {.82, 6},   {.90, 11},
                                      {.99, 35}, {.999, 91}, {1, 100}};
  const double u = rng_.Uniform();
  if (u < kPoints[0].u) return 1;
  for (size_t i = 1; i < std::size(kPoints); ++i) {
    const Point& a = kPoints[i - 1];
    const Point& b = kPoints[i];
    if (u > b.u) continue;
    const double share = (u - a.u) / (b.u - a.u);
    const double length = a.length * std::pow(b.length / a.length, share);
    return static_cast<uint32_t>(std::ceil(length));
  }
  return 100;
}

void ClickGenerator::BeginSession() {
  Session session;
  session.next_us = next_session_us_;
  session.number = ++sessions_;
  session.clicks_left = SessionLength();
  const bool returning = !ended_.empty() && rng_.Chance(kReturning);
  bool continues = false;
  if (returning) {
    const size_t i = rng_.Below(ended_.size());
    const Ended ended = ended_[i];
    ended_[i] = ended_.back();
    ended_.pop_back();
    session.user = ended.user;
    continues = rng_.Chance(kContinues);
    if (continues) {
      session.position = ended.position;
      session.shelf = catalogue_.shelf(ended.position);
      session.price_level = ended.price_level;
    }
  } else {
    session.user = kFirstUser + users_++;
  }
  if (continues) {
    const uint32_t position = PickNear(session);
    MoveIntent(&session, position, /*near=*/true);
    session.position = position;
  } else {
    session.position = catalogue_.Pick(0, catalogue_.size(), rng_.Uniform());
    MoveIntent(&session, session.position, /*near=*/false);
  }

  uint32_t slot = 0;
  if (free_slots_.empty()) {
    slot = static_cast<uint32_t>(slots_.size());
    slots_.push_back(session);
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
    slots_[slot] = session;
  }
  wakes_.emplace(session.next_us, session.number, slot);
}

GeneratedClick ClickGenerator::Next() {
  while (wakes_.empty() || std::get<0>(wakes_.top()) >= next_session_us_) {
    BeginSession();
    next_session_us_ +=
        1 + static_cast<int64_t>(rng_.Exponential(1e6 / sessions_per_second_));
  }
  const uint32_t slot = std::get<2>(wakes_.top());
  wakes_.pop();
  Session& session = slots_[slot];
  ClickOnce(&session);
  GeneratedClick click;
  click.time_us = session.next_us;
  click.user = session.user;
  click.session = session.number;
  click.position = session.position;
  const double u = rng_.Uniform();
  click.type = static_cast<uint8_t>(u < 0.961   ? ClickType::kView
                                    : u < 0.983 ? ClickType::kCart
                                                : ClickType::kPurchase);
  if (--session.clicks_left == 0) {
    EndSession(session);
    free_slots_.push_back(slot);
  } else {
    session.next_us +=
        1 + static_cast<int64_t>(1e6 * rng_.LogNormal(kGapMu, kGapSigma));
    wakes_.emplace(session.next_us, session.number, slot);
  }
  return click;
}

void ClickGenerator::EndSession(const Session& session) {
  const Ended ended{session.user, session.position, session.price_level};
  if (ended_.size() < kEndedMax) {
    ended_.push_back(ended);
  } else {
    ended_[rng_.Below(ended_.size())] = ended;
  }
}

void ClickGenerator::ClickOnce(Session* session) {
  if (!session->started) {
    session->started = true;  // the first item was chosen at the beginning
  } else if (rng_.Chance(kRepeat)) {
    return;
  } else if (session->seen_count >= 2 && rng_.Chance(kRevisit)) {
    const uint64_t back = 1 + rng_.Geometric(kRevisitStop);
    session->position =
        session->seen[std::min<uint64_t>(back, session->seen_count - 1)];
  } else {
    session->position = PickNew(session);
  }
  See(session, session->position);
}

uint32_t ClickGenerator::PickNew(Session* session) {
  const double u = rng_.Uniform();
  auto mode = Mode::kStore;
  if (u < kSameCategory * kNearShare) {
    mode = Mode::kNear;
  } else if (u < kSameCategory) {
    mode = Mode::kCategory;
  }
  uint32_t position = session->position;
  for (; mode <= Mode::kStore; mode = Mode{static_cast<int>(mode) + 1}) {
    for (int i = 0; i < kTries; ++i) {
      if (mode == Mode::kNear) {
        position = PickNear(*session);
      } else if (mode == Mode::kCategory) {
        position = catalogue_.Pick(catalogue_.CategoryBegin(session->shelf),
                                   catalogue_.CategoryEnd(session->shelf),
                                   rng_.Uniform());
      } else {
        position = catalogue_.Pick(0, catalogue_.size(), rng_.Uniform());
      }
      if (!HasSeen(*session, position)) {
        MoveIntent(session, position, mode == Mode::kNear);
        return position;
      }
    }
  }
  return position;
}

uint32_t ClickGenerator::PickNear(const Session& session) {
  uint32_t shelf = session.shelf;
  uint32_t fallback = session.position;
  if (rng_.Chance(kOtherBrand)) {
    fallback = catalogue_.Pick(catalogue_.CategoryBegin(shelf),
                               catalogue_.CategoryEnd(shelf), rng_.Uniform());
    shelf = catalogue_.shelf(fallback);
  }
  uint32_t begin = 0;
  uint32_t end = 0;
  catalogue_.PriceRange(shelf, session.price_level, kPriceReach, &begin, &end);
  if (begin == end) return fallback;
  return catalogue_.Pick(begin, end, rng_.Uniform());
}

void ClickGenerator::MoveIntent(Session* session, uint32_t position,
                                bool near) {
  const double log_price = catalogue_.log_price(position);
  session->shelf = catalogue_.shelf(position);
  if (near) {
    session->price_level += kPriceFollow * (log_price - session->price_level);
  } else {
    session->price_level = log_price;
  }
}

bool ClickGenerator::HasSeen(const Session& session, uint32_t position) {
  const uint32_t* end = session.seen + session.seen_count;
  return std::find(session.seen, end, position) != end;
}

void ClickGenerator::See(Session* session, uint32_t position) {
  uint32_t* begin = session->seen;
  uint32_t* end = begin + session->seen_count;
  uint32_t* at = std::find(begin, end, position);
  if (at == end) {
    if (session->seen_count < kSeenMax) {
      ++session->seen_count;
    } else {
      --at;  // the oldest falls out
    }
  }
  std::move_backward(begin, at, at + 1);
  *begin = position;
}

namespace {

constexpr char kTraceHeader[] =
    "event_time,event_type,product_id,category_id,category_code,brand,price,"
    "user_id,user_session";
constexpr base::FileKind kTraceKind = {
    "trace of clicks", [](absl::string_view head) {
      return absl::StartsWith(head, kTraceHeader);
    }};

class CsvFile {
 public:
  explicit CsvFile(const std::string& path)
      : file_(std::fopen(path.c_str(), "w")) {}
  ~CsvFile() {
    if (file_ != nullptr) std::fclose(file_);
  }
  CsvFile(const CsvFile&) = delete;
  CsvFile& operator=(const CsvFile&) = delete;

  bool ok() const { return file_ != nullptr && std::ferror(file_) == 0; }
  // False where anything since the opening was not written.
  bool Close() {
    bool written = ok();
    if (file_ != nullptr) written = std::fclose(file_) == 0 && written;
    file_ = nullptr;
    return written;
  }
  void Header() {
    std::fputs(kTraceHeader, file_);
    std::fputc('\n', file_);
  }
  void Row(const GeneratedClick& click, const CatalogueItem& item) {
    if (const int64_t second = click.time_us / 1'000'000; second != second_) {
      second_ = second;
      time_ = base::FormatTime(click.time_us);
    }
    const absl::string_view type =
        ClickTypeName(static_cast<ClickType>(click.type));
    const uint64_t a = base::MixBits(click.session);
    const uint64_t b = base::MixBits(a);
    std::fprintf(
        file_, "%s,%s,%lld,%lld,%s,%s,%.2f,%lld,%08x-%04x-4%03x-%04x-%012llx\n",
        time_.c_str(), std::string(type).c_str(),
        static_cast<long long>(item.id), static_cast<long long>(item.category),
        item.category_code.c_str(), item.brand.c_str(), item.price,
        static_cast<long long>(click.user), static_cast<unsigned>(a >> 32),
        static_cast<unsigned>(a >> 16 & 0xffff),
        static_cast<unsigned>(a & 0xfff),
        static_cast<unsigned>(0x8000 | (b >> 48 & 0x3fff)),
        static_cast<unsigned long long>(b & 0xffffffffffff));
  }

 private:
  std::FILE* file_;
  int64_t second_ = -1;
  std::string time_;
};

absl::Status Rename(const std::string& from, const std::string& to) {
  std::error_code error;
  std::filesystem::rename(from, to, error);
  if (!error) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("cannot rename \"", from, "\": ", error.message()));
}

absl::Status CheckOptions(const GenerateOptions& o) {
  const auto wrong = [](absl::string_view what) {
    return absl::InvalidArgumentError(what);
  };
  if (o.queries < 1 || o.queries > 1'000'000'000) {
    return wrong("--queries must be 1 to 1000000000");
  }
  if (o.items < 1000 || o.items > 100'000'000) {
    return wrong("--items must be 1000 to 100000000");
  }
  if (o.seconds < 1 || o.seconds > 86'400 * 365) {
    return wrong("--seconds must be 1 to a year's");
  }
  if (o.history < 0 || o.history > 86'400 * 365) {
    return wrong("--history must be 0 to a year's seconds");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<GenerateReport> RunGenerate(const GenerateOptions& options) {
  FRESHLINE_RETURN_IF_ERROR(CheckOptions(options));
  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  GenerateReport report;
  report.trace_path = options.out + "/trace.csv";
  report.catalogue_path = options.out + "/catalogue.csv";
  FRESHLINE_RETURN_IF_ERROR(
      base::CheckReplaceable(report.trace_path, kTraceKind));
  FRESHLINE_RETURN_IF_ERROR(
      base::CheckReplaceable(report.catalogue_path, kCatalogueKind));
  const Catalogue catalogue(options.items);
  const std::string catalogue_partial = report.catalogue_path + ".partial";
  FRESHLINE_RETURN_IF_ERROR(catalogue.Write(catalogue_partial));

  const double rate = static_cast<double>(options.queries) /
                      static_cast<double>(options.seconds);
  const int64_t history_us = kWindowStartUs - options.history * 1'000'000;
  const int64_t start_us =
      kWindowStartUs - std::max(options.history, kSettleSeconds) * 1'000'000;
  const int64_t end_us = kWindowStartUs + options.seconds * 1'000'000;
  ClickGenerator generator(catalogue, rate, start_us, options.seed);
  // Under its name only when whole.
  const std::string partial = report.trace_path + ".partial";
  CsvFile csv(partial);
  if (!csv.ok()) {
    return absl::UnavailableError(
        absl::StrCat("cannot write \"", partial, "\""));
  }
  csv.Header();
  absl::flat_hash_set<int64_t> users;
  while (true) {
    const GeneratedClick click = generator.Next();
    if (click.time_us >= end_us) break;
    if (click.time_us < history_us) continue;
    csv.Row(click, catalogue.item(click.position));
    if (click.time_us >= kWindowStartUs) {
      ++report.window_clicks;
      users.insert(click.user);
    } else {
      ++report.history_clicks;
    }
    const uint64_t rows = report.history_clicks + report.window_clicks;
    if (options.progress != nullptr && rows % kProgressRows == 0) {
      std::fprintf(options.progress, "generate: %llu clicks, %.0f %%\n",
                   static_cast<unsigned long long>(rows),
                   100.0 * static_cast<double>(click.time_us - history_us) /
                       static_cast<double>(end_us - history_us));
    }
  }
  if (!csv.Close()) {
    return absl::UnavailableError(
        absl::StrCat("cannot write \"", partial, "\""));
  }
  // An older trace goes first: it must not stand beside a new catalogue.
  std::filesystem::remove(report.trace_path, error);
  FRESHLINE_RETURN_IF_ERROR(Rename(catalogue_partial, report.catalogue_path));
  FRESHLINE_RETURN_IF_ERROR(Rename(partial, report.trace_path));
  report.window_users = users.size();
  return report;
}

}  // namespace freshline::bench
