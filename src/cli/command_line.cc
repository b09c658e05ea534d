// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "base/foreign_text.h"
#include "cli/commands.h"

namespace freshline::cli {
namespace {

constexpr char kFooter[] =
    "Values are of the types that the daemon's definitions declare: 42, 4.5,\n"
    "true, text or \"text, quoted\", 2019-10-01T00:00:00Z; empty is NULL.\n"
    "Durations: 30ms, 1h30m. Exit codes: 0 done; 64 wrong arguments or "
    "request;\n"
    "65 wrong data in a file, or none of it applied; 69 daemon not reached,\n"
    "draining or busy; 70 internal error.";

int ExitCode(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kExitOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kOutOfRange:
      return kExitUsage;
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kFailedPrecondition:
      return kExitData;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
      return kExitUnavailable;
    default:
      return kExitInternal;
  }
}

// Everything that the arguments can set, and the commands that were declared.
struct Arguments {
  CommonFlags common;
  GetFlags get;
  PushFlags push;
  ReportFlags report;
  StatusFlags status;
  std::string health_service;
  std::string health_wait;
};

// CLI11 reads -1, and what is beyond 64 bits, as the largest number.
CLI::Validator WholeNumber() {
  return CLI::Validator(
      [](const std::string& text) -> std::string {
        uint64_t number = 0;
        const bool read =
            text.find_first_not_of("0123456789") == std::string::npos &&
            absl::SimpleAtoi(text, &number);
        return read ? "" : text + ": write a whole number from 0";
      },
      "");
}

void AddCommon(CLI::App& command, CommonFlags& common) {
  command.add_option("--target", common.target, "host:port or unix:/path")
      ->envname("FRESHLINE_TARGET")
      ->capture_default_str();
  command.add_option("--timeout", common.timeout, "Give up after this")
      ->capture_default_str();
}

CLI::App* AddGet(CLI::App& app, Arguments& arguments) {
  CLI::App* get = app.add_subcommand("get", "Features of entities");
  GetFlags& flags = arguments.get;
  AddCommon(*get, arguments.common);
  get->add_flag("--json", arguments.common.json,
                "Print the wire's answer as JSON");
  get->add_option("--service", flags.service, "A feature service");
  get->add_option("--feature", flags.features,
                  "group:feature; may be repeated");
  get->add_option("--entity", flags.entities,
                  "KEY=VALUE,...: one value for all rows, or one per row; may "
                  "be repeated");
  get->add_option("--event", flags.events,
                  "SOURCE:NAME=VALUE,...: applied before answering; also "
                  "event_time_us=TIME and producer_sequence=N; may be "
                  "repeated");
  get->add_option("--producer", flags.producer,
                  "Who sends the events, for deduplication");
  get->add_option("--budget", flags.budget,
                  "Time for the answer; 0s is the stored answer at once "
                  "[the service's SLO]");
  get->add_option("--max-pending", flags.max_pending,
                  "A stored row with at most so many unseen events will do")
      ->check(WholeNumber());
  get->add_option("--max-age", flags.max_age,
                  "A stored row computed at most so long ago will do");
  get->add_option("--request-id", flags.request_id, "Returned in the answer");
  return get;
}

void AddPushColumns(CLI::App& push, PushFlags& flags) {
  push.add_option("--ignore", flags.ignore,
                  "Column of the file to leave out; may be repeated")
      ->allow_extra_args(false);
  push.add_option("--null", flags.nulls,
                  "Text that is NULL in every column; may be repeated")
      ->allow_extra_args(false);
  push.add_option("--delimiter", flags.delimiter,
                  "Between fields: a character, or comma, semicolon, tab, bar "
                  "[the one that the header has]");
  push.add_option("--time-column", flags.time_column,
                  "Column with the event's time: 2019-10-01 00:00:00 (UTC), "
                  "2019-10-01T02:00:00+02:00, or a number")
      ->capture_default_str();
  push.add_option("--time-unit", flags.time_unit,
                  "What numbers count in columns of times: s, ms, us, ns")
      ->capture_default_str();
  push.add_option("--shift-time", flags.shift_time,
                  "Added to the events' times: a duration, as 90d or -1h, or "
                  "now: the newest event comes now");
}

CLI::App* AddPush(CLI::App& app, Arguments& arguments) {
  CLI::App* push = app.add_subcommand("push", "Send events");
  PushFlags& flags = arguments.push;
  AddCommon(*push, arguments.common);
  push->add_flag("--json", arguments.common.json, "Print the result as JSON");
  push->add_option("--source", flags.source, "The events' source");
  push->add_option("--csv", flags.csv_path,
                   "CSV file, plain or gzipped, whose header names columns of "
                   "the source; - is standard input. An empty field is NULL");
  push->add_option(
      "--json-file", flags.json_path,
      "File with a PushEventsRequest as JSON; - is standard input");
  AddPushColumns(*push, flags);
  push->add_option("--producer", flags.producer,
                   "Who sends, for deduplication: pushing again is harmless");
  push->add_option("--sequence-column", flags.sequence_column,
                   "Column with the producer's number of the event "
                   "[the record's number]");
  push->add_option("--first-sequence", flags.first_sequence,
                   "Number of the first record")
      ->check(WholeNumber())
      ->capture_default_str();
  push->add_option("--from-line", flags.from_line,
                   "Go on at the record that begins on this line of the file")
      ->check(WholeNumber());
  push->add_option("--batch", flags.batch_events,
                   "Events per request, where as many fit")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  return push;
}

CLI::App* AddReport(CLI::App& app, Arguments& arguments) {
  CLI::App* report =
      app.add_subcommand("report", "Say what became of answers: their loss");
  ReportFlags& flags = arguments.report;
  AddCommon(*report, arguments.common);
  report->add_flag("--json", arguments.common.json,
                   "Print the wire's answer as JSON");
  report->add_option("--service", flags.service, "The feature service")
      ->required();
  report
      ->add_option("--entity", flags.entities,
                   "KEY=VALUE,...: one value for all outcomes, or one for "
                   "each; may be repeated")
      ->required();
  report
      ->add_option("--loss", flags.losses,
                   "REQUEST_ID=LOSS: what the answer lost against the best it "
                   "could have been, from 0; may be repeated")
      ->required();
  return report;
}

CLI::App* AddStatus(CLI::App& app, Arguments& arguments) {
  CLI::App* status = app.add_subcommand("status", "State of the daemon");
  AddCommon(*status, arguments.common);
  status->add_flag("--json", arguments.common.json, "Print JSON");
  status->add_flag("--watch", arguments.status.watch,
                   "Print again and again; one line each with --json");
  status
      ->add_option("--interval", arguments.status.interval,
                   "Time between two with --watch")
      ->capture_default_str();
  status
      ->add_option("--count", arguments.status.count,
                   "Stop after so many with --watch [0: never]")
      ->check(CLI::NonNegativeNumber);
  return status;
}

int Report(const absl::Status& status, std::ostream& err) {
  if (!status.ok()) {
    err << "freshline: " << absl::StatusCodeToString(status.code()) << ": "
        << base::Printable(status.message()) << "\n";
  }
  return ExitCode(status);
}

int ParseAndRun(std::vector<std::string> arguments, std::istream& in,
                std::ostream& out, std::ostream& err) {
  CLI::App app("Command line of freshlined, the feature store", "freshline");
  Arguments parsed;
  app.set_version_flag("--version", "freshline " FRESHLINE_VERSION);
  app.require_subcommand(1);
  app.footer(kFooter);
  const CLI::App* get = AddGet(app, parsed);
  const CLI::App* push = AddPush(app, parsed);
  const CLI::App* report = AddReport(app, parsed);
  const CLI::App* status = AddStatus(app, parsed);
  CLI::App* health =
      app.add_subcommand("healthcheck", "Exit 0 where serving, else 1");
  AddCommon(*health, parsed.common);
  health->add_option("--service", parsed.health_service,
                     "A gRPC service [the daemon as a whole]");
  health->add_option("--wait", parsed.health_wait,
                     "Ask again until it serves, for so long at most");

  parsed.push.arguments = arguments;
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    // --help and --version arrive here too, with code 0.
    return app.exit(error, out, err) == 0 ? kExitOk : kExitUsage;
  }
  if (get->parsed()) return Report(RunGet(parsed.common, parsed.get, out), err);
  if (push->parsed()) {
    parsed.push.json = parsed.common.json;
    return Report(RunPush(parsed.common, parsed.push, in, out, err), err);
  }
  if (report->parsed()) {
    return Report(RunReport(parsed.common, parsed.report, out), err);
  }
  if (status->parsed()) {
    return Report(RunStatus(parsed.common, parsed.status, out), err);
  }
  bool healthy = false;
  const absl::Status asked = RunHealthcheck(
      parsed.common, parsed.health_service, parsed.health_wait, out, &healthy);
  Report(asked, err);
  if (asked.code() == absl::StatusCode::kInvalidArgument) return kExitUsage;
  return healthy ? kExitOk : kExitUnhealthy;
}

}  // namespace

int RunCommandLine(const std::vector<std::string>& arguments, std::istream& in,
                   std::ostream& out, std::ostream& err) {
  try {
    return ParseAndRun(arguments, in, out, err);
  } catch (const std::exception& error) {
    err << "freshline: INTERNAL: " << error.what() << "\n";
    return kExitInternal;
  }
}

}  // namespace freshline::cli
