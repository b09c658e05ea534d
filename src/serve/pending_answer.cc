// SPDX-License-Identifier: Apache-2.0
#include "serve/pending_answer.h"

#include <algorithm>

namespace freshline::serve {

using base::Obtained;

PendingAnswer::PendingAnswer(Sender sender, Answer answer,
                             CompletionHandle done, base::MonoTime deadline,
                             base::MonoTime answer_by,
                             std::vector<StaleRow> stale)
    : sender_(std::move(sender)),
      answer_(std::move(answer)),
      done_(std::move(done)),
      deadline_(deadline),
      answer_by_(answer_by),
      places_(std::move(stale)) {
  std::sort(places_.begin(), places_.end(),
            [](const StaleRow& a, const StaleRow& b) {
              return a.need.row < b.need.row;
            });
  for (size_t i = 0; i < places_.size(); ++i) {
    if (i == 0 || places_[i].need.row != places_[i - 1].need.row) {
      needs_.push_back(places_[i].need);
      first_place_.push_back(i);
    }
  }
  first_place_.push_back(places_.size());
}

bool PendingAnswer::SatisfiedBy(size_t need,
                                const table::StoredRow& row) const {
  return row.as_of.sequence >= needs_[need].want &&
         row.as_of.time_us > places_[first_place_[need]].computed_after_us;
}

void PendingAnswer::Patch(size_t need, const table::StoredRow& row,
                          uint32_t pending, Obtained how) {
  const StaleRow& first = places_[first_place_[need]];
  answer_.Put(first.group, first.row, row.bytes,
              {how, row.fidelity, row.event_time_us, row.as_of, pending,
               /*outside_max_age=*/false, row.holds_until_us});
  for (size_t p = first_place_[need] + 1; p < first_place_[need + 1]; ++p) {
    answer_.Repeat(places_[p].group, places_[p].row, first.row);
  }
}

void PendingAnswer::Settle(size_t need, Obtained reason, double price) {
  if (reason == Obtained::kStaleShed) answer_.RaisePrice(price);
  for (size_t p = first_place_[need]; p < first_place_[need + 1]; ++p) {
    RowFreshness& f =
        answer_.mutable_freshness(places_[p].group, places_[p].row);
    if (f.obtained == Obtained::kApproximated) continue;
    f.obtained = f.as_of.time_us == 0 ? Obtained::kDefaultCold : reason;
  }
}

void PendingAnswer::Send() {
  std::move(sender_)(std::move(answer_), std::move(done_));
}

void PendingAnswer::SendStale(Obtained reason) {
  for (size_t need = 0; need < needs_.size(); ++need) {
    Settle(need, reason, /*price=*/0);
  }
  Send();
}

}  // namespace freshline::serve
