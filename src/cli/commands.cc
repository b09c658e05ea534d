// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"

#include <google/protobuf/util/json_util.h>

#include <array>
#include <fstream>
#include <memory>
#include <sstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/duration_text.h"
#include "base/status_macros.h"
#include "base/waker.h"
#include "cli/literal.h"
#include "cli/print.h"
#include "cli/print_status.h"
#include "freshline/v1/feature_store.pb.h"
#include "freshline/v1/operations.pb.h"

namespace freshline::cli {
namespace {

// Between two questions of `healthcheck --wait`.
constexpr base::Duration kHealthPause = std::chrono::milliseconds(50);

absl::StatusOr<std::chrono::microseconds> ParseFlagDuration(
    absl::string_view flag, const std::string& text) {
  const auto parsed = base::ParseDuration(text);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(flag, ": ", parsed.status().message()));
  }
  return std::chrono::duration_cast<std::chrono::microseconds>(*parsed);
}

absl::StatusOr<std::unique_ptr<Client>> Connect(const CommonFlags& common) {
  ClientOptions options;
  options.target = common.target;
  FRESHLINE_ASSIGN_OR_RETURN(options.timeout,
                             ParseFlagDuration("--timeout", common.timeout));
  return Client::Create(options);
}

absl::StatusOr<FeatureRequest> MakeRequest(const GetFlags& flags,
                                           int64_t now_us) {
  if (flags.service.empty() == flags.features.empty()) {
    return absl::InvalidArgumentError(
        "give either --service or --feature (one or more)");
  }
  FeatureRequest request = flags.features.empty()
                               ? FeatureRequest(flags.service)
                               : FeatureRequest::Of(flags.features);
  for (const std::string& entity : flags.entities) {
    FRESHLINE_ASSIGN_OR_RETURN(const EntityValues values, ParseEntity(entity));
    values.AddTo(request);
  }
  for (const std::string& event : flags.events) {
    FRESHLINE_ASSIGN_OR_RETURN(EventRows rows,
                               ParseEvent(event, flags.producer, now_us));
    request.AddEvents(rows);
  }
  if (!flags.budget.empty()) {
    FRESHLINE_ASSIGN_OR_RETURN(const auto budget,
                               ParseFlagDuration("--budget", flags.budget));
    request.Budget(budget);
  }
  if (flags.max_pending.has_value()) request.MaxPending(*flags.max_pending);
  if (!flags.max_age.empty()) {
    FRESHLINE_ASSIGN_OR_RETURN(const auto age,
                               ParseFlagDuration("--max-age", flags.max_age));
    request.MaxAge(age);
  }
  if (!flags.request_id.empty()) request.RequestId(flags.request_id);
  return request;
}

// What became of the events pushed so far.
struct PushTally {
  void Add(const PushAnswer& answer) {
    for (size_t b = 0; b < answer.event_batches(); ++b) {
      const EventAnswer events = answer.events(b);
      for (size_t i = 0; i < events.size(); ++i) {
        ++total;
        const auto status = static_cast<size_t>(events.status(i));
        ++by_status[std::min(status, by_status.size() - 1)];
        newest = std::max(newest, events.ingest_sequence(i));
      }
      level = events.ack_level();
    }
  }

  void Print(bool json, std::ostream& out) const {
    std::vector<std::string> parts;
    for (size_t s = 1; s < by_status.size(); ++s) {
      if (!json && by_status[s] == 0) continue;
      const std::string name = ToString(static_cast<EventStatus>(s));
      parts.push_back(json ? absl::StrCat("\"", name, "\": ", by_status[s])
                           : absl::StrCat(by_status[s], " ", name));
    }
    if (json) {
      out << "{\"events\": " << total << ", \"by_status\": {"
          << absl::StrJoin(parts, ", ") << "}, \"newest_sequence\": " << newest
          << ", \"ack_level\": \"" << (total > 0 ? ToString(level) : "")
          << "\"}\n";
      return;
    }
    out << "pushed " << total << " events";
    if (total > 0) {
      out << ": " << absl::StrJoin(parts, ", ") << "; acknowledged "
          << ToString(level) << ", newest sequence " << newest;
    }
    out << "\n";
  }

  uint64_t total = 0;
  std::array<uint64_t, 6> by_status{};
  uint64_t newest = 0;
  AckLevel level{};
};

// Runs `use` on the file at `path`, or on `in` for "-".
template <typename Use>
absl::Status WithFile(const std::string& path, std::istream& in, Use use) {
  if (path == "-") return use(in);
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": cannot be opened for reading"));
  }
  absl::Status status = use(file);
  if (status.code() != absl::StatusCode::kDataLoss) return status;
  return absl::DataLossError(absl::StrCat(path, ": ", status.message()));
}

absl::Status PushCsv(Client& client, const PushFlags& flags, std::istream& in,
                     PushTally& tally) {
  CsvEventReader reader(flags.csv, in);
  while (true) {
    FRESHLINE_ASSIGN_OR_RETURN(const auto rows, reader.Next());
    if (!rows.has_value()) return absl::OkStatus();
    FRESHLINE_ASSIGN_OR_RETURN(const PushAnswer answer,
                               client.PushEvents(*rows));
    tally.Add(answer);
  }
}

absl::Status PushJson(Client& client, std::istream& in, PushTally& tally) {
  std::stringstream text;
  text << in.rdbuf();
  v1::PushEventsRequest request;
  const auto parsed =
      google::protobuf::util::JsonStringToMessage(text.str(), &request);
  if (!parsed.ok()) {
    return absl::DataLossError(
        absl::StrCat("no PushEventsRequest: ", parsed.ToString()));
  }
  std::vector<EventRows> batches;
  for (v1::EventBatch& batch : *request.mutable_batches()) {
    batches.emplace_back(std::move(batch));
  }
  FRESHLINE_ASSIGN_OR_RETURN(const PushAnswer answer,
                             client.PushEvents(batches));
  tally.Add(answer);
  return absl::OkStatus();
}

}  // namespace

absl::Status RunGet(const CommonFlags& common, const GetFlags& flags,
                    std::ostream& out) {
  const int64_t now_us = base::Clock::Real().WallNowMicros();
  FRESHLINE_ASSIGN_OR_RETURN(const FeatureRequest request,
                             MakeRequest(flags, now_us));
  FRESHLINE_ASSIGN_OR_RETURN(const auto client, Connect(common));
  FRESHLINE_ASSIGN_OR_RETURN(const FeatureAnswer answer,
                             client->GetFeatures(request));
  if (common.json) return PrintJson(answer.proto(), /*pretty=*/true, out);
  PrintAnswer(answer, base::Clock::Real().WallNowMicros(), out);
  return absl::OkStatus();
}

absl::Status RunPush(const CommonFlags& common, const PushFlags& flags,
                     std::istream& in, std::ostream& out) {
  if (flags.csv_path.empty() == flags.json_path.empty()) {
    return absl::InvalidArgumentError("give either --csv or --json-file");
  }
  if (flags.json_path.empty() && flags.csv.source.empty()) {
    return absl::InvalidArgumentError("--csv needs --source");
  }
  FRESHLINE_ASSIGN_OR_RETURN(const auto client, Connect(common));
  PushTally tally;
  absl::Status status =
      flags.json_path.empty()
          ? WithFile(flags.csv_path, in,
                     [&](std::istream& file) {
                       return PushCsv(*client, flags, file, tally);
                     })
          : WithFile(flags.json_path, in, [&](std::istream& file) {
              return PushJson(*client, file, tally);
            });
  // After an error too: what was accepted stays accepted.
  tally.Print(common.json, out);
  return status;
}

absl::Status RunReport(const CommonFlags& common, const ReportFlags& flags,
                       std::ostream& out) {
  OutcomeReport report(flags.service);
  for (const std::string& entity : flags.entities) {
    FRESHLINE_ASSIGN_OR_RETURN(const EntityValues values, ParseEntity(entity));
    values.AddTo(report);
  }
  for (const std::string& text : flags.losses) {
    // An id may hold anything, a loss no "=".
    const size_t equals = text.rfind('=');
    double loss = 0;
    if (equals == std::string::npos ||
        !absl::SimpleAtod(text.substr(equals + 1), &loss)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--loss \"", text, "\": write REQUEST_ID=LOSS, as in req-17=0.5"));
    }
    report.Loss(absl::string_view(text).substr(0, equals), loss);
  }
  FRESHLINE_ASSIGN_OR_RETURN(const auto client, Connect(common));
  FRESHLINE_ASSIGN_OR_RETURN(const OutcomeAnswer answer,
                             client->ReportOutcome(report));
  if (common.json) return PrintJson(answer.proto(), /*pretty=*/true, out);
  for (size_t i = 0; i < answer.size(); ++i) {
    out << report.proto().request_id(static_cast<int>(i)) << " "
        << ToString(answer.status(i)) << "\n";
  }
  return absl::OkStatus();
}

absl::Status RunStatus(const CommonFlags& common, const StatusFlags& flags,
                       std::ostream& out) {
  FRESHLINE_ASSIGN_OR_RETURN(const auto interval,
                             ParseFlagDuration("--interval", flags.interval));
  FRESHLINE_ASSIGN_OR_RETURN(const auto client, Connect(common));
  const base::Clock& clock = base::Clock::Real();
  base::EventFdWaker waker(clock);
  for (int i = 0; i == 0 || (flags.watch && i != flags.count); ++i) {
    if (i > 0) {
      const base::MonoTime next = clock.Now() + interval;
      while (clock.Now() < next) waker.WaitUntil(next);
    }
    FRESHLINE_ASSIGN_OR_RETURN(const DaemonStatus status, client->GetStatus());
    if (common.json) {
      FRESHLINE_RETURN_IF_ERROR(
          PrintJson(status.proto(), /*pretty=*/!flags.watch, out));
    } else {
      if (i > 0) out << "\n";
      PrintStatus(status.proto(), out);
    }
    out.flush();
  }
  return absl::OkStatus();
}

absl::Status RunHealthcheck(const CommonFlags& common,
                            const std::string& service, const std::string& wait,
                            std::ostream& out, bool* healthy) {
  *healthy = false;
  std::chrono::microseconds patience{};
  if (!wait.empty()) {
    FRESHLINE_ASSIGN_OR_RETURN(patience, ParseFlagDuration("--wait", wait));
  }
  const base::Clock& clock = base::Clock::Real();
  const base::MonoTime give_up = clock.Now() + patience;
  base::EventFdWaker pause(clock);
  while (true) {
    // A new connection each time: one that was refused backs off.
    FRESHLINE_ASSIGN_OR_RETURN(const auto client, Connect(common));
    const absl::StatusOr<Health> health = client->CheckHealth(service);
    *healthy = health.ok() && *health == Health::kServing;
    if (*healthy || clock.Now() >= give_up) {
      FRESHLINE_RETURN_IF_ERROR(health.status());
      break;
    }
    pause.WaitUntil(clock.Now() + kHealthPause);
  }
  out << (*healthy ? "SERVING" : "NOT_SERVING") << "\n";
  return absl::OkStatus();
}

}  // namespace freshline::cli
