// SPDX-License-Identifier: Apache-2.0
#include "bench/load/ask_again.h"

#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "base/waker.h"
#include "client/raw_client.h"
#include "freshline/v1/feature_store.pb.h"

namespace freshline::bench {
namespace {

using base::MonoTime;

bool IsFresh(absl::string_view bytes, absl::string_view feature) {
  static thread_local v1::GetFeaturesResponse answer;
  if (!answer.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return false;
  }
  for (const v1::FeatureColumn& column : answer.features()) {
    if (column.name() != feature) continue;
    const auto group = static_cast<int>(column.group());
    if (group >= answer.groups_size()) return false;
    const auto& obtained = answer.groups(group).obtained();
    return !obtained.empty() &&
           (obtained[0] == v1::ALREADY_FRESH || obtained[0] == v1::REFRESHED ||
            obtained[0] == v1::COMPUTED_INLINE);
  }
  return false;
}

class Storm {
 public:
  Storm(const AskAgainOptions& options,
        absl::Span<const ImpatientQuery> queries, client::RawClient* client)
      : options_(options), client_(client), callers_(queries.size()) {
    begin_ = base::Clock::Real().Now();
    for (size_t i = 0; i < queries.size(); ++i) {
      callers_[i].query = &queries[i];
      due_.push({begin_ + queries[i].offset, i});
    }
    const auto seconds =
        queries.empty() ? 0 : SecondOf(queries[queries.size() - 1]) + 1;
    seconds_.resize(seconds);
  }

  std::vector<AskAgainSecond> Run() {
    while (true) {
      MonoTime at = base::kInfiniteFuture;
      const std::optional<size_t> caller = TakeDue(&at);
      if (caller.has_value()) {
        Send(*caller);
      } else if (at == base::kInfinitePast) {
        break;
      } else {
        waker_.WaitUntil(at);
      }
    }
    base::MutexLock lock(&mu_);
    return seconds_;
  }

 private:
  struct Caller {
    const ImpatientQuery* query = nullptr;
    uint32_t again = 0;
    bool asked = false;
  };

  static size_t SecondOf(const ImpatientQuery& query) {
    return static_cast<size_t>(query.offset / std::chrono::seconds(1));
  }
  // The caller whose time has come; or none, with when to look again, and
  // kInfinitePast where nobody is left.
  std::optional<size_t> TakeDue(MonoTime* at) {
    base::MutexLock lock(&mu_);
    if (settled_ == callers_.size()) *at = base::kInfinitePast;
    if (due_.empty()) return std::nullopt;
    const auto [time, caller] = due_.top();
    if (time > base::Clock::Real().Now()) {
      *at = time;
      return std::nullopt;
    }
    due_.pop();
    return caller;
  }

  void Send(size_t caller) {
    const ImpatientQuery& query = *callers_[caller].query;
    const bool first = !callers_[caller].asked;
    callers_[caller].asked = true;
    client_->SendUncopied(
        client::Method::kGetFeatures, first ? query.query : query.again, {},
        base::Clock::Real().Now() + options_.timeout,
        [this, caller, first](const absl::Status& status,
                              absl::string_view bytes, MonoTime received) {
          const bool fresh =
              status.ok() && IsFresh(bytes, options_.served_feature);
          Answered(caller, first, fresh, status.ok(), received);
        });
  }

  void Answered(size_t caller, bool first, bool fresh, bool ok,
                MonoTime received) {
    base::MutexLock lock(&mu_);
    Caller& who = callers_[caller];
    AskAgainSecond& second = seconds_[SecondOf(*who.query)];
    if (first) ++second.queries;
    if (!ok) ++second.errors;
    if (fresh) {
      if (first) ++second.fresh_at_first;
      ++second.fresh_in_the_end;
    }
    if (fresh || who.again >= options_.again_max) {
      ++settled_;
    } else {
      ++who.again;
      ++second.again;
      due_.push({received + options_.pause, caller});
    }
    waker_.Wake();
  }

  const AskAgainOptions options_;
  client::RawClient* const client_;
  MonoTime begin_;
  base::EventFdWaker waker_{base::Clock::Real()};
  base::Mutex mu_;
  // A caller is under way or due, never both: what it has asked is the
  // sender's while it is due.
  std::vector<Caller> callers_;
  std::priority_queue<std::pair<MonoTime, size_t>,
                      std::vector<std::pair<MonoTime, size_t>>, std::greater<>>
      due_ ABSL_GUARDED_BY(mu_);
  std::vector<AskAgainSecond> seconds_ ABSL_GUARDED_BY(mu_);
  size_t settled_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace

absl::StatusOr<std::vector<AskAgainSecond>> RunAskAgain(
    const AskAgainOptions& options, absl::Span<const ImpatientQuery> queries) {
  client::RawOptions raw;
  raw.target = options.target;
  raw.channels = options.channels;
  raw.outstanding_max = 10'000'000;
  FRESHLINE_ASSIGN_OR_RETURN(const auto client,
                             client::RawClient::Create(std::move(raw)));
  FRESHLINE_RETURN_IF_ERROR(client->WaitConnected(base::Clock::Real().Now() +
                                                  std::chrono::seconds(10)));
  return Storm(options, queries, client.get()).Run();
}

int64_t SecondsToRecover(absl::Span<const AskAgainSecond> seconds, size_t calm,
                         size_t end, double tolerance) {
  FRESHLINE_CHECK(1 < calm && calm <= end && end < seconds.size());
  AskAgainSecond before;
  for (size_t s = 1; s < calm; ++s) {
    before.queries += seconds[s].queries;
    before.fresh_at_first += seconds[s].fresh_at_first;
  }
  size_t recovered = seconds.size();
  const auto as_before = [&](const AskAgainSecond& second) {
    return second.queries == 0 ||
           second.fresh_share() >= before.fresh_share() - tolerance;
  };
  while (recovered > end && as_before(seconds[recovered - 1])) --recovered;
  return recovered == seconds.size() ? -1
                                     : static_cast<int64_t>(recovered - end);
}

}  // namespace freshline::bench
