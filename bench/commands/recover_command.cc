// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "bench/commands/commands.h"
#include "bench/commands/workload_flags.h"
#include "bench/load/absolute_sleep.h"
#include "bench/load/ask_again.h"
#include "bench/load/spinners.h"
#include "bench/replay/daemon_under_test.h"
#include "bench/replay/requests.h"
#include "bench/replay/workload.h"

namespace freshline::bench {
namespace {

constexpr double kTolerance = 0.02;

struct RecoverFlags {
  WorkloadOptions workload{"out/quickstart/trace/trace.csv",
                           "out/quickstart/tables", "auto", 0, 1};
  DaemonOptions daemon{"",          "config/rees46.textproto",
                       "",          "out/recover",
                       "slo_aware", 2,
                       1,           1500,
                       false,       ""};
  double rate = 100;
  uint32_t calm = 8;
  uint32_t foreign = 3;
  uint32_t after = 12;
  double pause_ms = 2;
  uint32_t again_max = 200;
};

absl::StatusOr<std::vector<AskAgainSecond>> Disturb(const RecoverFlags& flags,
                                                    const Workload& workload) {
  const double factor = flags.rate / workload.natural_rate();
  FRESHLINE_ASSIGN_OR_RETURN(const Slice slice, workload.Cut(factor));
  FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<DaemonUnderTest> daemon,
                             DaemonUnderTest::Start(flags.daemon));
  EncodeOptions encode;
  encode.origin_us = base::Clock::Real().WallNowMicros();
  const EncodedQueries queries =
      EncodeQueries(slice.queries, workload.pool(), encode);
  std::vector<std::string> again;
  std::vector<ImpatientQuery> impatient;
  again.reserve(slice.queries.size());
  for (size_t i = 0; i < slice.queries.size(); ++i) {
    again.push_back(EncodeProbe(slice.queries[i].user, "recommend"));
    impatient.push_back(
        {queries.requests[i].offset, queries.requests[i].query, again.back()});
  }
  AskAgainOptions options;
  options.target = daemon->target();
  options.served_feature = "next_items:items";
  options.pause = base::FromMillis(flags.pause_ms);
  options.again_max = flags.again_max;
  Say(
      absl::StrFormat("%.0f queries/s for %u s; from second %u on every core "
                      "is taken for %u s",
                      flags.rate, flags.calm + flags.foreign + flags.after,
                      flags.calm, flags.foreign));
  const base::MonoTime begin = base::Clock::Real().Now();
  std::thread foreign([&] {
    SleepUntil(begin + std::chrono::seconds(flags.calm));
    const Spinners spinners;
    SleepUntil(begin + std::chrono::seconds(flags.calm + flags.foreign));
  });
  auto seconds = RunAskAgain(options, impatient);
  foreign.join();
  return seconds;
}

absl::Status Recover(RecoverFlags flags) {
  flags.daemon.tables = flags.workload.tables;
  flags.workload.slice_seconds = flags.calm + flags.foreign + flags.after;
  FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<Workload> workload,
                             LoadWorkload(flags.workload));
  FRESHLINE_ASSIGN_OR_RETURN(std::vector<AskAgainSecond> seconds,
                             Disturb(flags, *workload));
  std::cout << "second  queries  fresh at first  in the end  asked again  "
               "errors\n";
  for (size_t s = 0; s < seconds.size(); ++s) {
    const AskAgainSecond& second = seconds[s];
    const double all =
        static_cast<double>(std::max<uint64_t>(second.queries, 1));
    std::cout << absl::StrFormat(
        "%6d  %7d  %12.1f %%  %8.1f %%  %11d  %6d%s\n", s, second.queries,
        100 * second.fresh_share(),
        100 * static_cast<double>(second.fresh_in_the_end) / all, second.again,
        second.errors,
        s >= flags.calm && s < flags.calm + flags.foreign ? "  foreign load"
                                                          : "");
  }
  const size_t end = flags.calm + flags.foreign;
  if (seconds.size() <= end) {
    return absl::FailedPreconditionError(
        "the slice ends before the foreign load does: choose a --window with "
        "clicks to its end");
  }
  const int64_t after = SecondsToRecover(seconds, flags.calm, end, kTolerance);
  if (after < 0) {
    return absl::InternalError(
        "the fresh share of before was not reached again");
  }
  std::cout << "fresh as before, less 2 points, " << after
            << " s after the end of the foreign load\n"
            << std::flush;
  return absl::OkStatus();
}

}  // namespace

void AddRecover(CLI::App* app, const Invocation& call, Run* run) {
  CLI::App* sub = app->add_subcommand(
      "recover",
      "Take every core from a daemon for a while, with callers that ask again "
      "as soon as an answer is stale, and say how soon answers are fresh "
      "again; "
      "about 30 s. Fails where they are not within the run");
  auto f = std::make_shared<RecoverFlags>();
  AddDaemonFlags(sub, call, &f->daemon);
  AddTraceFlags(sub, &f->workload);
  sub->add_option("--rate", f->rate, "Queries per second, without those again")
      ->check(CLI::Range(1.0, 1e5))
      ->capture_default_str();
  sub->add_option("--calm", f->calm, "Seconds before the foreign load")
      ->check(CLI::Range(2, 600))
      ->capture_default_str();
  sub->add_option("--foreign", f->foreign, "Seconds of it")
      ->check(CLI::Range(0, 600))
      ->capture_default_str();
  sub->add_option("--after", f->after, "Seconds after it")
      ->check(CLI::Range(1, 600))
      ->capture_default_str();
  sub->add_option("--pause-ms", f->pause_ms,
                  "From a stale answer to asking again")
      ->check(CLI::Range(0.0, 60000.0))
      ->capture_default_str();
  sub->add_option("--again", f->again_max, "Times that a query is asked again")
      ->capture_default_str();
  sub->add_option("--out", f->daemon.directory, "For logs")
      ->capture_default_str();
  sub->callback([f, run] { *run = [f] { return Recover(*f); }; });
}

}  // namespace freshline::bench
