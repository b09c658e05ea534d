// SPDX-License-Identifier: Apache-2.0
#include "bench/replay/daemon_under_test.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/output_file.h"
#include "base/status_macros.h"
#include "base/waker.h"
#include "bench/replay/requests.h"
#include "client/raw_client.h"
#include "freshline/v1/feature_store.pb.h"

namespace freshline::bench {
namespace {

// Users whose rows are made fresh before the next ones are looked at: below
// every policy's bound on queued rows.
constexpr size_t kUsersPerChunk = 2000;
constexpr size_t kEventsPerPush = 1000;
constexpr int kInFlight = 64;
constexpr base::Duration kCallTimeout = std::chrono::seconds(10);
constexpr base::Duration kPatience = std::chrono::minutes(5);
constexpr int64_t kWarmUpBudgetUs = 200'000;

// Calls from one thread, at most kInFlight at a time, and their end.
class Bounded {
 public:
  explicit Bounded(client::RawClient* client) : client_(client) {}

  using Done = std::function<void(const absl::Status&, absl::string_view)>;
  void Send(client::Method method, absl::string_view bytes, Done done) {
    {
      base::MutexLock lock(&mu_);
      while (in_flight_ >= kInFlight) changed_.Wait(&mu_);
      ++in_flight_;
    }
    client_->Send(method, bytes, base::Clock::Real().Now() + kCallTimeout,
                  [this, done = std::move(done)](const absl::Status& status,
                                                 absl::string_view answer,
                                                 base::MonoTime) {
                    if (!status.ok()) Keep(status);
                    if (done) done(status, answer);
                    base::MutexLock lock(&mu_);
                    --in_flight_;
                    changed_.NotifyAll();
                  });
  }
  absl::Status Wait() {
    base::MutexLock lock(&mu_);
    while (in_flight_ > 0) changed_.Wait(&mu_);
    return first_error_;
  }

 private:
  void Keep(const absl::Status& status) {
    base::MutexLock lock(&mu_);
    if (first_error_.ok()) first_error_ = status;
  }
  client::RawClient* const client_;
  base::Mutex mu_;
  base::CondVar changed_;
  int in_flight_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status first_error_ ABSL_GUARDED_BY(mu_);
};

// Asks for every user once; returns how many rows were not fresh.
absl::StatusOr<uint64_t> AskAll(client::RawClient* client,
                                const std::vector<int64_t>& users, size_t begin,
                                size_t end, int64_t budget_us) {
  std::atomic<uint64_t> stale{0};
  Bounded calls(client);
  for (size_t i = begin; i < end; ++i) {
    calls.Send(client::Method::kGetFeatures,
               EncodeProbe(users[i], "recommend", budget_us),
               [&stale](const absl::Status& status, absl::string_view bytes) {
                 v1::GetFeaturesResponse answer;
                 const bool fresh =
                     status.ok() &&
                     answer.ParseFromArray(bytes.data(),
                                           static_cast<int>(bytes.size())) &&
                     answer.groups_size() > 0 &&
                     answer.groups(0).pending_events(0) == 0 &&
                     answer.groups(0).as_of_us(0) > 0;
                 if (!fresh) ++stale;
               });
  }
  FRESHLINE_RETURN_IF_ERROR(calls.Wait());
  return stale.load();
}

absl::Status RefreshChunk(client::RawClient* client,
                          const std::vector<int64_t>& users, size_t begin,
                          size_t end) {
  const base::Clock& clock = base::Clock::Real();
  const base::MonoTime give_up = clock.Now() + kPatience;
  base::EventFdWaker pause(clock);
  uint64_t stale = 1;
  while (stale > 0) {
    FRESHLINE_ASSIGN_OR_RETURN(
        stale, AskAll(client, users, begin, end, kWarmUpBudgetUs));
    if (stale > 0 && clock.Now() > give_up) {
      return absl::DeadlineExceededError(
          absl::StrCat(stale, " rows stay stale during the warm-up"));
    }
    // Policies that answer at once compute behind our back.
    if (stale > 0) pause.WaitUntil(clock.Now() + std::chrono::milliseconds(50));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<DaemonUnderTest>> DaemonUnderTest::Start(
    const DaemonOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(options.directory, error);
  const std::string base =
      std::filesystem::absolute(options.directory).string() + "/";
  const auto absolute = [](const std::string& path) {
    return std::filesystem::absolute(path).string();
  };
  const std::string config = base + "freshlined.textproto";
  {
    constexpr base::FileKind kKind = {
        "configuration of a daemon under test", [](absl::string_view head) {
          return absl::StartsWith(head,
                                  "# SPDX-License-Identifier: Apache-2.0\n"
                                  "listen: \"127.0.0.1:0\"\nport_file: ");
        }};
    FRESHLINE_RETURN_IF_ERROR(base::CheckReplaceable(config, kKind));
    std::ofstream out(config);
    out << "# SPDX-License-Identifier: Apache-2.0\n"
        << "listen: \"127.0.0.1:0\"\n"
        << "port_file: \"" << base << "port\"\n"
        << "definitions: \"" << absolute(options.definitions) << "\"\n"
        << "item_table_dir: \"" << absolute(options.tables) << "\"\n"
        << "scheduler {\n"
        << "  policy: \"" << options.policy << "\"\n"
        << "  workers: " << options.workers << "\n"
        << "  batch_max: " << options.batch_max << "\n"
        << "  guard_floor_us: " << options.guard_floor_us << "\n"
        << "  approximate: " << (options.approximate ? "true" : "false") << "\n"
        << "}\n"
        << "rpc { reflection: false }\n";
    if (!options.decision_log.empty()) {
      out << "decision_log { path: \"" << absolute(options.decision_log)
          << "\" }\n";
    }
    if (!out) {
      return absl::UnavailableError(
          absl::StrCat("cannot write \"", config, "\""));
    }
  }
  auto daemon = std::unique_ptr<DaemonUnderTest>(new DaemonUnderTest());
  ProcessOptions process;
  process.arguments = {options.binary, "--config", config};
  process.log_path = base + "freshlined.log";
  process.port_file = base + "port";
  process.start_timeout = std::chrono::seconds(60);
  FRESHLINE_ASSIGN_OR_RETURN(daemon->process_, ProcessRunner::Start(process));
  daemon->target_ = absl::StrCat("127.0.0.1:", daemon->process_->port());
  return daemon;
}

absl::StatusOr<v1::GetStatusResponse> DaemonUnderTest::Status() const {
  ClientOptions options;
  options.target = target_;
  FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client,
                             Client::Create(options));
  FRESHLINE_ASSIGN_OR_RETURN(const DaemonStatus status, client->GetStatus());
  return status.proto();
}

absl::StatusOr<WarmUpReport> WarmUp(const std::string& target,
                                    const std::vector<Click>& clicks,
                                    const StringPool& pool, int64_t origin_us) {
  client::RawOptions raw;
  raw.target = target;
  raw.thread_name = "warm-up";
  FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<client::RawClient> client,
                             client::RawClient::Create(raw));
  const base::Clock& clock = base::Clock::Real();
  const base::MonoTime begin = clock.Now();
  // User by user, so that one chunk's users are complete before the next.
  absl::flat_hash_map<int64_t, std::vector<size_t>> of_user;
  std::vector<int64_t> users;
  for (size_t i = 0; i < clicks.size(); ++i) {
    std::vector<size_t>& mine = of_user[clicks[i].user];
    if (mine.empty()) users.push_back(clicks[i].user);
    mine.push_back(i);
  }
  WarmUpReport report;
  report.users = users.size();
  EncodeOptions encode;
  encode.origin_us = origin_us;
  encode.producer.clear();
  for (size_t from = 0; from < users.size(); from += kUsersPerChunk) {
    const size_t to = std::min(users.size(), from + kUsersPerChunk);
    std::vector<Click> chunk;
    for (size_t u = from; u < to; ++u) {
      for (const size_t i : of_user[users[u]]) chunk.push_back(clicks[i]);
    }
    Bounded calls(client.get());
    for (size_t i = 0; i < chunk.size(); i += kEventsPerPush) {
      const size_t end = std::min(chunk.size(), i + kEventsPerPush);
      calls.Send(client::Method::kPushEvents,
                 EncodePush(chunk, i, end, pool, encode), nullptr);
    }
    FRESHLINE_RETURN_IF_ERROR(calls.Wait());
    report.events += chunk.size();
    FRESHLINE_RETURN_IF_ERROR(RefreshChunk(client.get(), users, from, to));
  }
  report.rows_computed = users.size();
  report.seconds = base::ToMillis(clock.Now() - begin) / 1e3;
  return report;
}

}  // namespace freshline::bench
