// SPDX-License-Identifier: Apache-2.0
#include "daemon/concerns.h"

#include "absl/strings/str_cat.h"

namespace freshline::daemon {
namespace {

using v1::GetStatusResponse;

uint64_t CountIn(const google::protobuf::Map<std::string, uint64_t>& counts,
                 const char* name) {
  const auto found = counts.find(name);
  return found == counts.end() ? 0 : found->second;
}

// A counter that grows where something is refused, lost or fails, and what to
// say behind the number by which it grew.
struct CounterRule {
  const char* name;
  uint64_t (*count)(const GetStatusResponse&);
  const char* sentence;
};

constexpr CounterRule kCounters[] = {
    {"in_flight",
     [](const GetStatusResponse& s) {
       return CountIn(s.refused(), "rpc.requests_in_flight_max");
     },
     " requests were refused, as rpc.requests_in_flight_max was reached"},
    {"intake",
     [](const GetStatusResponse& s) {
       return CountIn(s.refused(), "rpc.intake_bytes_max");
     },
     " large requests were refused, as rpc.intake_bytes_max was reached"},
    {"tickets",
     [](const GetStatusResponse& s) {
       return s.scheduler().tickets_refused_full() +
              s.scheduler().tickets_refused_policy();
     },
     " queries were answered as they stood, as scheduler.tickets_max was "
     "reached"},
    {"rows",
     [](const GetStatusResponse& s) {
       return s.scheduler().rows_refused_full();
     },
     " rows were not queued for a refresh, as scheduler.tickets_max or "
     "scheduler.background_rows_max was reached"},
    {"table",
     [](const GetStatusResponse& s) { return s.table().appends_refused(); },
     " events were refused as EXHAUSTED, as table.keys_max or "
     "table.bytes_max was reached"},
    {"producers",
     [](const GetStatusResponse& s) { return s.events().producers_evicted(); },
     " producers were forgotten, as ingest.producers_max was reached: their "
     "repeated events count twice"},
    {"outcomes",
     [](const GetStatusResponse& s) { return s.outcomes().refused(); },
     " outcomes were refused, as outcomes.per_second_max was reached"},
    {"starved",
     [](const GetStatusResponse& s) { return s.scheduler().relief_refused(); },
     " runs of workers starved beside other busy programs: grant CAP_SYS_NICE, "
     "or set scheduler.worker_class to NORMAL"},
    {"log_lost", [](const GetStatusResponse& s) { return s.log().lost(); },
     " lines of the log were lost: whoever reads standard error does not keep "
     "up, or its disk is full"},
};

void LookAtClock(const GetStatusResponse& status,
                 std::vector<Concerns::Concern>* out) {
  if (status.clock().pending_us() == 0) return;
  out->push_back(
      {"clock",
       absl::StrCat("the machine's clock jumped by ",
                    status.clock().pending_us() / 1'000'000, " s ",
                    status.clock().pending_for_s(),
                    " s ago; windows and retention keep to the time before it "
                    "until it has lasted for 600 s: look at the time "
                    "synchronisation of this machine")});
}

std::string GroupList(const GetStatusResponse& status,
                      bool (v1::FeaturizerStatus::*is)() const) {
  std::string names;
  for (const v1::FeaturizerStatus& group : status.featurizers()) {
    if (!(group.*is)()) continue;
    absl::StrAppend(&names, names.empty() ? "" : ", ", group.group());
  }
  return names;
}

void LookAtWorkers(const GetStatusResponse& status,
                   std::vector<Concerns::Concern>* out) {
  const v1::SchedulerStatus& scheduler = status.scheduler();
  if (scheduler.workers_hung() > 0) {
    out->push_back(
        {"hung",
         absl::StrCat(scheduler.workers_hung(),
                      " threads hang in computations that were given up; ",
                      scheduler.workers_usable(), " workers are usable, ",
                      scheduler.spares_left(), " spares left")});
  }
  for (const v1::FeaturizerStatus& group : status.featurizers()) {
    if (group.disabled()) {
      out->push_back(
          {absl::StrCat("disabled ", group.group()),
           absl::StrCat("feature group ", group.group(),
                        " is disabled: its runs hang, and used the last spare "
                        "thread")});
    }
  }
  const std::string away =
      GroupList(status, &v1::FeaturizerStatus::quarantined);
  if (!away.empty()) {
    out->push_back({"quarantined",
                    absl::StrCat("feature groups whose runs keep failing, so "
                                 "that they are only probed: ",
                                 away)});
  }
}

void LookAtThreads(const GetStatusResponse& status,
                   std::vector<Concerns::Concern>* out) {
  std::string lacking;
  for (const v1::ThreadStatus& thread : status.threads()) {
    if (thread.wanted().empty() || thread.wanted() == thread.sched_class()) {
      continue;
    }
    absl::StrAppend(&lacking, lacking.empty() ? "" : ", ", thread.name(),
                    " runs as ", thread.sched_class(), " instead of ",
                    thread.wanted());
  }
  if (lacking.empty()) return;
  out->push_back(
      {"threads",
       absl::StrCat(lacking,
                    ": answers may be late beside busy programs; grant "
                    "CAP_SYS_NICE, or set scheduler.dispatcher_realtime and "
                    "rpc.poller_realtime to false")});
}

}  // namespace

uint64_t Concerns::Growth(absl::string_view rule, uint64_t count,
                          base::MonoTime now) {
  Episode& episode = episodes_[std::string(rule)];
  const bool over = episode.grew_at == base::kInfinitePast ||
                    now - episode.grew_at > kRemembered;
  if (count > episode.last) {
    if (over) episode.before = episode.last;
    episode.last = count;
    episode.grew_at = now;
    return episode.last - episode.before;
  }
  return over ? 0 : episode.last - episode.before;
}

std::vector<Concerns::Concern> Concerns::Look(const GetStatusResponse& status,
                                              base::MonoTime now) {
  std::vector<Concern> out;
  if (status.bugs() > 0) {
    out.push_back(
        {"bugs", absl::StrCat(status.bugs(),
                              " states that should be impossible were "
                              "survived: a bug; the log has the first ones")});
  }
  LookAtWorkers(status, &out);
  if (!status.decision_log().ended().empty()) {
    out.push_back(
        {"decision_log_ended", absl::StrCat("the decision log ended early: ",
                                            status.decision_log().ended())});
  }
  LookAtThreads(status, &out);
  LookAtClock(status, &out);
  base::MutexLock lock(&mu_);
  for (const CounterRule& rule : kCounters) {
    const uint64_t grew = Growth(rule.name, rule.count(status), now);
    if (grew == 0) continue;
    out.push_back({rule.name, absl::StrCat(grew, rule.sentence)});
  }
  for (const v1::FeaturizerStatus& group : status.featurizers()) {
    const std::string rule = absl::StrCat("failures ", group.group());
    const uint64_t grew = Growth(rule, group.failures(), now);
    if (grew == 0) continue;
    out.push_back({rule, absl::StrCat(grew, " runs of feature group ",
                                      group.group(), " failed")});
  }
  return out;
}

ConcernChanges::Changes ConcernChanges::Since(
    const std::vector<Concerns::Concern>& now) {
  Changes changes;
  std::map<std::string, std::string> said;
  for (const Concerns::Concern& concern : now) {
    if (said_.count(concern.rule) == 0)
      changes.came.push_back(concern.sentence);
    said[concern.rule] = concern.sentence;
  }
  for (const auto& [rule, sentence] : said_) {
    if (said.count(rule) == 0) changes.went.push_back(sentence);
  }
  said_ = std::move(said);
  return changes;
}

}  // namespace freshline::daemon
