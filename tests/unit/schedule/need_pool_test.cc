// SPDX-License-Identifier: Apache-2.0
#include "schedule/need_pool.h"

#include <set>
#include <tuple>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"

namespace freshline::schedule {
namespace {

using Need = NeedPool::Need;

TEST(NeedPoolTest, KeepsRowsInOrderAndTicketsWhole) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::Rng rng(seed);
    NeedPool pool;
    std::vector<NeedPool::RowNeeds> rows(4);
    std::vector<NeedPool::TicketNeeds> tickets(6);
    // By row: answer_by, order, slot.
    std::vector<std::set<std::tuple<int64_t, uint64_t, uint32_t>>> model(4);
    std::vector<std::set<uint32_t>> of_ticket(6);
    std::vector<uint32_t> slots;
    for (uint64_t step = 0; step < 400; ++step) {
      const bool grow = slots.empty() || rng.Chance(step < 250 ? 0.6 : 0.3);
      if (grow) {
        Need need;
        need.row = static_cast<uint32_t>(rng.Below(rows.size()));
        need.ticket = static_cast<uint32_t>(rng.Below(tickets.size()));
        need.answer_by = static_cast<int64_t>(rng.Below(20));
        need.order = step;
        const uint32_t slot =
            pool.Add(need, &rows[need.row], &tickets[need.ticket]);
        model[need.row].insert({need.answer_by, need.order, slot});
        of_ticket[need.ticket].insert(slot);
        slots.push_back(slot);
      } else {
        const size_t i = rng.Below(slots.size());
        const uint32_t slot = slots[i];
        const Need need = pool[slot];
        if (rng.Chance(0.3)) {
          pool.TakeFromRow(slot, &rows[need.row]);
          pool.PutBackToRow(slot, &rows[need.row]);
        } else {
          pool.Remove(slot, &rows[need.row], &tickets[need.ticket]);
          model[need.row].erase({need.answer_by, need.order, slot});
          of_ticket[need.ticket].erase(slot);
          slots[i] = slots.back();
          slots.pop_back();
        }
      }
      for (size_t r = 0; r < rows.size(); ++r) {
        ASSERT_EQ(rows[r].count, model[r].size());
        ASSERT_EQ(rows[r].root, model[r].empty()
                                    ? NeedPool::kNone
                                    : std::get<2>(*model[r].begin()));
      }
      for (size_t t = 0; t < tickets.size(); ++t) {
        ASSERT_EQ(tickets[t].count, of_ticket[t].size());
        ASSERT_EQ(tickets[t].first == NeedPool::kNone, of_ticket[t].empty());
        if (!of_ticket[t].empty()) {
          ASSERT_TRUE(of_ticket[t].contains(tickets[t].first));
        }
      }
    }
  }
}

}  // namespace
}  // namespace freshline::schedule
