// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "execute/waiting_query.h"
#include "serve/answer.h"
#include "serve/feature_server.h"
#include "serve/query.h"

namespace freshline::serve {

// A row of an answer that is stale, and where it stands. A key that was given
// twice has two places and one need.
struct StaleRow {
  schedule::Need need;
  uint32_t group = 0;                      // of the plan
  uint32_t row = 0;                        // of the answer
  base::UnixMicros computed_after_us = 0;  // older rows do not satisfy it
};

// The answer to a query whose stale rows wait for the dispatcher.
class PendingAnswer final : public execute::WaitingQuery {
 public:
  // `stale` is not empty, in any order.
  PendingAnswer(FeatureServer* server, Answer answer, CompletionHandle done,
                base::MonoTime deadline, std::optional<int64_t> overhead_us,
                std::vector<StaleRow> stale);

  base::FlowId flow() const override { return answer_.plan().flow; }
  base::MonoTime deadline() const override { return deadline_; }
  std::optional<int64_t> overhead_us() const override { return overhead_us_; }
  std::span<const schedule::Need> needs() const override { return needs_; }
  bool SatisfiedBy(size_t need, const table::StoredRow& row) const override;
  void Patch(size_t need, const table::StoredRow& row, uint32_t pending,
             base::Obtained how) override;
  void Settle(size_t need, base::Obtained reason, double price) override;
  void Send() override;

  // Closes every need and sends.
  void SendStale(base::Obtained reason);

 private:
  FeatureServer* const server_;
  Answer answer_;
  CompletionHandle done_;
  const base::MonoTime deadline_;
  const std::optional<int64_t> overhead_us_;
  std::vector<StaleRow> places_;       // sorted by row
  std::vector<schedule::Need> needs_;  // distinct rows of places_
  std::vector<size_t> first_place_;    // needs_.size() + 1 entries
};

}  // namespace freshline::serve
