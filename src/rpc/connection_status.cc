// SPDX-License-Identifier: Apache-2.0
#include "rpc/connection_status.h"

#include <numeric>
#include <string>

#include "absl/strings/str_cat.h"

namespace freshline::rpc {

using http2::ConnectionStats;
using http2::EndReason;
using http2::EndReasonName;
using http2::kEndReasons;
using http2::kRefusals;
using http2::Refusal;
using http2::RefusalName;

namespace {

// A refusal is news for so long.
constexpr base::Duration kRecent = std::chrono::minutes(1);

}  // namespace

void FillConnections(const ConnectionStats& stats, base::MonoTime now,
                     v1::GetStatusResponse* out) {
  v1::ConnectionStatus* status = out->mutable_connections();
  status->set_open(stats.open);
  status->set_accepted(stats.accepted);
  for (size_t i = 1; i < kRefusals; ++i) {
    (*status->mutable_refused())[RefusalName(static_cast<Refusal>(i))] =
        stats.refused[i];
  }
  for (size_t i = 1; i < kEndReasons; ++i) {
    (*status->mutable_ended())[EndReasonName(static_cast<EndReason>(i))] =
        stats.ended[i];
  }
  status->set_calls(stats.calls);
  status->set_unread_bytes(stats.answer_bytes);
  status->set_answers_refused(stats.answers_refused);
  const uint64_t refused =
      std::accumulate(stats.refused.begin(), stats.refused.end(), uint64_t{0});
  if (refused > 0 && now - stats.last_refused < kRecent) {
    out->add_degraded(absl::StrCat(
        refused,
        " connections were refused since start, the last one within "
        "the last minute; connections.refused says why"));
  }
}

}  // namespace freshline::rpc
