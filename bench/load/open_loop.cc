// SPDX-License-Identifier: Apache-2.0
#include "bench/load/open_loop.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "bench/load/absolute_sleep.h"
#include "freshline/v1/feature_store.pb.h"

namespace freshline::bench {
namespace {

constexpr base::Duration kPatience = std::chrono::seconds(1);
constexpr base::Duration kLead = std::chrono::milliseconds(20);
constexpr base::Duration kLagMax = std::chrono::milliseconds(1);

template <typename Field>
auto First(const Field& field) -> std::decay_t<decltype(field[0])> {
  if (field.empty()) return {};
  return field[0];
}

uint64_t LastSequence(const v1::EventResults& results) {
  return results.ingest_sequence().empty()
             ? 0
             : *results.ingest_sequence().rbegin();
}

// Fills the record from an answer; keeps the list of `served_feature` in
// `served` (room for served_max).
void Decode(const v1::GetFeaturesResponse& answer, const LoadOptions& options,
            int64_t* served, QueryRecord& record) {
  uint32_t group = 0;
  record.complete = options.served_feature.empty();
  for (const v1::FeatureColumn& column : answer.features()) {
    if (column.name() != options.served_feature) continue;
    record.complete = answer.rows() > 0;
    group = column.group();
    const v1::Lists& lists = column.values().lists();
    const auto& items = lists.elements().int64s().values();
    const size_t count = std::min<size_t>({First(lists.lengths()),
                                           static_cast<size_t>(items.size()),
                                           options.served_max});
    std::copy_n(items.begin(), count, served);
    record.served = static_cast<uint32_t>(count);
    break;
  }
  if (static_cast<int>(group) < answer.groups_size()) {
    const v1::GroupFreshness& fresh = answer.groups(static_cast<int>(group));
    record.obtained = static_cast<Obtained>(First(fresh.obtained()));
    record.fidelity = static_cast<Fidelity>(First(fresh.fidelity()));
    record.pending = First(fresh.pending_events());
    record.as_of_sequence = First(fresh.as_of_sequence());
    record.as_of_us = First(fresh.as_of_us());
    record.event_time_us = First(fresh.event_time_us());
  }
  if (answer.events_size() > 0) {
    record.event_sequence = LastSequence(*answer.events().rbegin());
  }
}

void Summarize(LoadResult& result) {
  result.errors = 0;
  std::vector<base::MonoTime> violated;
  for (const QueryRecord& record : result.records) {
    if (record.code != absl::StatusCode::kOk) ++result.errors;
    if (record.Violated()) violated.push_back(record.intended);
  }
  result.violations =
      SummarizeViolations(result.records.size(), std::move(violated));
  result.client_limited =
      result.dispatch_lag_ns.Quantile(0.99) > kLagMax.count();
}

}  // namespace

// One Run(): what the sender and the completion threads share. Every record is
// written by the sender before its call, and by one completion after it.
struct OpenLoopRunner::Session {
  absl::Span<const LoadRequest> requests;
  base::MonoTime zero;  // when trace time 0 would be
  LoadResult result;
  std::vector<uint64_t> push_sequences;  // by request
  std::atomic<uint64_t> push_errors{0};
  std::atomic<uint64_t> report_errors{0};
  // By request: its answer is in its record, which only then is read.
  std::vector<std::atomic<bool>> answered;
  // Calls ended. Release, so that whoever sees the last one with acquire sees
  // every record.
  std::atomic<size_t> ended{0};
  // The sender's, until it is joined.
  size_t started = 0;
  v1::GetFeaturesRequest patch;
  v1::ReportOutcomeRequest loss;
  std::string patch_bytes;
};

absl::Span<const int64_t> LoadResult::ServedBy(size_t i) const {
  return absl::MakeConstSpan(served).subspan(i * served_max, records[i].served);
}

void LoadResult::Append(LoadResult other) {
  FRESHLINE_CHECK(records.empty() || served_max == other.served_max);
  served_max = other.served_max;
  records.insert(records.end(), other.records.begin(), other.records.end());
  served.insert(served.end(), other.served.begin(), other.served.end());
  dispatch_lag_ns.Merge(other.dispatch_lag_ns);
  latency_ns.Merge(other.latency_ns);
  push_errors += other.push_errors;
  reports += other.reports;
  report_errors += other.report_errors;
  sender_cpu += other.sender_cpu;
  sched_class = other.sched_class;
  Summarize(*this);
}

absl::StatusOr<std::unique_ptr<OpenLoopRunner>> OpenLoopRunner::Create(
    const LoadOptions& options) {
  if (options.slo <= base::Duration() || options.gap < base::Duration()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "LoadOptions: slo is ", options.slo.count(), " ns and gap ",
        options.gap.count(), " ns; give slo > 0 and gap >= 0"));
  }
  if (options.served_max > 1000) {
    return absl::InvalidArgumentError(
        absl::StrCat("LoadOptions.served_max is ", options.served_max,
                     "; give a value from 0 to 1000"));
  }
  client::RawOptions raw;
  raw.target = options.target;
  raw.channels = options.channels;
  raw.completion_threads = options.completion_threads;
  raw.outstanding_max = 10'000'000;
  raw.thread_name = "completion";
  raw.sched_class = options.sched_class;
  FRESHLINE_ASSIGN_OR_RETURN(auto client,
                             client::RawClient::Create(std::move(raw)));
  FRESHLINE_RETURN_IF_ERROR(client->WaitConnected(base::Clock::Real().Now() +
                                                  std::chrono::seconds(10)));
  return std::unique_ptr<OpenLoopRunner>(
      new OpenLoopRunner(options, std::move(client)));
}

OpenLoopRunner::OpenLoopRunner(const LoadOptions& options,
                               std::unique_ptr<client::RawClient> client)
    : options_(options), client_(std::move(client)) {}
OpenLoopRunner::~OpenLoopRunner() = default;

void OpenLoopRunner::SendQuery(Session& session, size_t index) {
  const base::MonoTime now = base::Clock::Real().Now();
  QueryRecord& record = session.result.records[index];
  record.intended = session.zero + session.requests[index].offset;
  record.sent = now;
  const base::Duration own = session.requests[index].slo;
  record.slo = own > base::Duration() ? own : options_.slo;
  const base::Duration lag = now - record.intended;
  session.result.dispatch_lag_ns.Record(lag.count());
  const base::Duration left = std::max(base::Duration(), record.slo - lag);
  absl::string_view tail;
  if (options_.send_budget) {
    // Behind the prebuilt request, this field overrides an earlier one.
    session.patch.set_budget_us(left.count() / 1000);
    session.patch.clear_overhead_us();
    if (options_.send_overhead) {
      if (const auto overhead_us = overhead_.TakeMicros()) {
        session.patch.set_overhead_us(*overhead_us);
      }
    }
    session.patch.SerializeToString(&session.patch_bytes);
    tail = session.patch_bytes;
  }
  ++session.started;
  client_->SendUncopied(
      client::Method::kGetFeatures, session.requests[index].query, tail,
      record.intended + record.slo + kPatience,
      [this, s = &session, index](const absl::Status& status,
                                  absl::string_view bytes,
                                  base::MonoTime received) {
        // Reused, so that decoding settles into not allocating.
        static thread_local v1::GetFeaturesResponse answer;
        QueryRecord& r = s->result.records[index];
        r.received = received;
        r.code = status.code();
        if (status.ok() && answer.ParseFromArray(
                               bytes.data(), static_cast<int>(bytes.size()))) {
          overhead_.Answered(received - r.sent, answer.server_us());
          Decode(answer, options_,
                 s->result.served.data() + index * options_.served_max, r);
        }
        s->answered[index].store(true, std::memory_order_release);
        s->ended.fetch_add(1, std::memory_order_release);
      });
}

void OpenLoopRunner::SendPush(Session& session, absl::string_view push,
                              base::MonoTime intended, uint64_t* sequence) {
  ++session.started;
  client_->SendUncopied(
      client::Method::kPushEvents, push, absl::string_view(),
      intended + options_.slo + kPatience,
      [s = &session, sequence](const absl::Status& status,
                               absl::string_view bytes, base::MonoTime) {
        static thread_local v1::PushEventsResponse answer;
        if (!status.ok() || !answer.ParseFromArray(
                                bytes.data(), static_cast<int>(bytes.size()))) {
          s->push_errors.fetch_add(1, std::memory_order_relaxed);
        } else if (answer.results_size() > 0 && sequence != nullptr) {
          *sequence = LastSequence(*answer.results().rbegin());
        }
        s->ended.fetch_add(1, std::memory_order_release);
      });
}

void OpenLoopRunner::SendReport(Session& session, size_t index) {
  const LoadRequest& request = session.requests[index];
  if (request.report.empty() || request.report_back > index) return;
  const size_t earlier = index - request.report_back;
  if (!session.answered[earlier].load(std::memory_order_acquire) ||
      session.result.records[earlier].Violated()) {
    return;
  }
  const absl::Span<const int64_t> list = session.result.ServedBy(earlier);
  const bool found =
      std::find(list.begin(), list.end(), request.chosen) != list.end();
  session.loss.clear_loss();
  session.loss.add_loss(found ? 0 : 1);
  session.loss.SerializeToString(&session.patch_bytes);
  ++session.result.reports;
  ++session.started;
  client_->SendUncopied(
      client::Method::kReportOutcome, request.report, session.patch_bytes,
      session.zero + request.offset + options_.slo + kPatience,
      [s = &session](const absl::Status& status, absl::string_view /*bytes*/,
                     base::MonoTime) {
        if (!status.ok()) {
          s->report_errors.fetch_add(1, std::memory_order_relaxed);
        }
        s->ended.fetch_add(1, std::memory_order_release);
      });
}

void OpenLoopRunner::SendAll(Session& session) {
  base::PrepareThread("sender", /*punctual=*/true);
  session.result.sched_class = base::SetOwnSchedClass(options_.sched_class);
  const int64_t cpu_before = base::ThreadCpuNanos();
  const auto& requests = session.requests;
  size_t push = 0;
  for (size_t query = 0; query < requests.size();) {
    // A push comes before a query that is due at the same time.
    if (push < requests.size() &&
        requests[push].offset - options_.gap <= requests[query].offset) {
      if (!requests[push].push.empty()) {
        SleepUntil(session.zero + requests[push].offset - options_.gap);
        SendPush(session, requests[push].push,
                 session.zero + requests[push].offset,
                 &session.push_sequences[push]);
      }
      ++push;
      continue;
    }
    const base::MonoTime intended = session.zero + requests[query].offset;
    SleepUntil(intended);
    if (!requests[query].beside.empty()) {
      SendPush(session, requests[query].beside, intended, nullptr);
    }
    SendReport(session, query);
    SendQuery(session, query++);
  }
  session.result.sender_cpu =
      base::Duration(base::ThreadCpuNanos() - cpu_before);
}

LoadResult OpenLoopRunner::Run(absl::Span<const LoadRequest> requests,
                               base::Duration origin) {
  const base::Clock& clock = base::Clock::Real();
  Session session;
  session.requests = requests;
  session.result.records.resize(requests.size());
  session.result.served_max = options_.served_max;
  session.result.served.resize(requests.size() * options_.served_max);
  session.push_sequences.resize(requests.size());
  session.answered = std::vector<std::atomic<bool>>(requests.size());
  session.zero = clock.Now() + kLead + options_.gap - origin;
  std::thread sender([&] { SendAll(session); });
  sender.join();
  // Every call has a deadline, so that this ends.
  while (session.ended.load(std::memory_order_acquire) < session.started) {
    SleepUntil(clock.Now() + std::chrono::milliseconds(1));
  }
  LoadResult& result = session.result;
  result.push_errors = session.push_errors.load(std::memory_order_relaxed);
  result.report_errors = session.report_errors.load(std::memory_order_relaxed);
  for (size_t i = 0; i < requests.size(); ++i) {
    QueryRecord& record = result.records[i];
    if (!requests[i].push.empty()) {
      record.event_sequence = session.push_sequences[i];
    }
    result.latency_ns.Record(record.latency().count());
  }
  Summarize(result);
  return std::move(session.result);
}

absl::StatusOr<AlternatingResult> RunAlternating(
    const LoadSide& daemon, const LoadSide& echo,
    absl::Span<const LoadRequest> requests, base::Duration block) {
  FRESHLINE_CHECK(block > base::Duration());
  AlternatingResult result;
  const auto run = [&](const LoadSide& active, const LoadSide& idle,
                       absl::Span<const LoadRequest> part,
                       base::Duration origin,
                       LoadResult& into) -> absl::Status {
    if (idle.process != nullptr) idle.process->Pause();
    if (active.process != nullptr) active.process->Resume();
    FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<OpenLoopRunner> runner,
                               OpenLoopRunner::Create(active.options));
    into.Append(runner->Run(part, origin));
    return absl::OkStatus();
  };
  const auto resume = [](const LoadSide& side) {
    if (side.process != nullptr) side.process->Resume();
  };
  for (size_t begin = 0; begin < requests.size();) {
    const base::Duration origin = requests[begin].offset;
    const auto* end = std::partition_point(
        requests.begin() + begin, requests.end(),
        [&](const LoadRequest& r) { return r.offset < origin + block; });
    const auto part = requests.subspan(
        begin, static_cast<size_t>(end - requests.begin()) - begin);
    absl::Status status = run(daemon, echo, part, origin, result.daemon);
    if (status.ok()) status = run(echo, daemon, part, origin, result.echo);
    if (!status.ok()) {
      resume(daemon);
      resume(echo);
      return status;
    }
    begin += part.size();
  }
  resume(daemon);
  resume(echo);
  return result;
}

}  // namespace freshline::bench
