// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"

#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/duration_text.h"
#include "base/status_macros.h"
#include "base/waker.h"
#include "cli/literal.h"
#include "cli/print.h"
#include "cli/print_status.h"
#include "cli/schema.h"
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

absl::Status AddEntitiesAndEvents(const GetFlags& flags, int64_t now_us,
                                  const Schema& schema,
                                  FeatureRequest& request) {
  for (const std::string& entity : flags.entities) {
    FRESHLINE_ASSIGN_OR_RETURN(const EntityValues values,
                               ParseEntity(entity, schema));
    values.AddTo(request);
  }
  for (const std::string& event : flags.events) {
    FRESHLINE_ASSIGN_OR_RETURN(
        EventRows rows, ParseEvent(event, flags.producer, now_us, schema));
    request.AddEvents(rows);
  }
  return absl::OkStatus();
}

absl::StatusOr<FeatureRequest> MakeRequest(const GetFlags& flags) {
  if (flags.service.empty() == flags.features.empty()) {
    return absl::InvalidArgumentError(
        "give either --service or --feature (one or more)");
  }
  FeatureRequest request = flags.features.empty()
                               ? FeatureRequest(flags.service)
                               : FeatureRequest::Of(flags.features);
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

}  // namespace

absl::Status RunGet(const CommonFlags& common, const GetFlags& flags,
                    std::ostream& out) {
  FRESHLINE_ASSIGN_OR_RETURN(FeatureRequest request, MakeRequest(flags));
  FRESHLINE_ASSIGN_OR_RETURN(const auto client, Connect(common));
  if (!flags.entities.empty() || !flags.events.empty()) {
    FRESHLINE_ASSIGN_OR_RETURN(const Schema schema, Schema::Ask(*client));
    FRESHLINE_RETURN_IF_ERROR(AddEntitiesAndEvents(
        flags, base::Clock::Real().WallNowMicros(), schema, request));
  }
  FRESHLINE_ASSIGN_OR_RETURN(const FeatureAnswer answer,
                             client->GetFeatures(request));
  if (common.json) return PrintJson(answer.proto(), /*pretty=*/true, out);
  PrintAnswer(answer, base::Clock::Real().WallNowMicros(), out);
  return absl::OkStatus();
}

absl::Status RunPush(const CommonFlags& common, const PushFlags& flags,
                     std::istream& in, std::ostream& out, std::ostream& err) {
  if (flags.csv_path.empty() == flags.json_path.empty()) {
    return absl::InvalidArgumentError("give either --csv or --json-file");
  }
  if (flags.json_path.empty() && flags.source.empty()) {
    return absl::InvalidArgumentError("--csv needs --source");
  }
  if (!flags.sequence_column.empty() && flags.producer.empty()) {
    return absl::InvalidArgumentError(
        "--sequence-column needs --producer: the numbers are its own");
  }
  FRESHLINE_ASSIGN_OR_RETURN(const auto client, Connect(common));
  return Push(*client, flags, in, out, err);
}

absl::Status RunReport(const CommonFlags& common, const ReportFlags& flags,
                       std::ostream& out) {
  OutcomeReport report(flags.service);
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
  FRESHLINE_ASSIGN_OR_RETURN(const Schema schema, Schema::Ask(*client));
  for (const std::string& entity : flags.entities) {
    FRESHLINE_ASSIGN_OR_RETURN(const EntityValues values,
                               ParseEntity(entity, schema));
    values.AddTo(report);
  }
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
