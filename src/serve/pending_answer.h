// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "execute/waiting_query.h"
#include "serve/answer.h"
#include "serve/query.h"
#include "serve/stale_row.h"

namespace freshline::serve {

// The answer to a query whose stale rows wait for the dispatcher.
class PendingAnswer final : public execute::WaitingQuery {
 public:
  // Where the answer goes once, when nothing is open.
  using Sender = absl::AnyInvocable<void(Answer, CompletionHandle) &&>;

  // `stale` is not empty, in any order.
  PendingAnswer(Sender sender, Answer answer, CompletionHandle done,
                base::MonoTime deadline, base::MonoTime answer_by,
                std::vector<StaleRow> stale);

  base::FlowId flow() const override { return answer_.plan().flow; }
  base::MonoTime deadline() const override { return deadline_; }
  base::MonoTime answer_by() const override { return answer_by_; }
  std::span<const schedule::Need> needs() const override { return needs_; }
  bool SatisfiedBy(size_t need, const table::StoredRow& row) const override;
  void Patch(size_t need, const table::StoredRow& row, uint32_t pending,
             base::Obtained how) override;
  void Settle(size_t need, base::Obtained reason, double price) override;
  void Send() override;

  // Closes every need and sends.
  void SendStale(base::Obtained reason);

  // The rows that are stale, in order of need.
  const std::vector<StaleRow>& places() const { return places_; }

 private:
  Sender sender_;
  Answer answer_;
  CompletionHandle done_;
  const base::MonoTime deadline_;
  const base::MonoTime answer_by_;
  std::vector<StaleRow> places_;       // sorted by row
  std::vector<schedule::Need> needs_;  // distinct rows of places_
  std::vector<size_t> first_place_;    // needs_.size() + 1 entries
};

}  // namespace freshline::serve
