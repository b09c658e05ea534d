// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "bench/score/queries.h"
#include "bench/trace/click.h"
#include "featurize/recommend.h"

// States of users as the models see them.

namespace freshline::bench {

// A user with the first `prefix` clicks of the user's timeline.
struct UserState {
  uint32_t user = 0;
  Prefix prefix = 0;
  friend bool operator==(const UserState&, const UserState&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const UserState& s) {
    return H::combine(std::move(h), s.user, s.prefix);
  }
};

// Lists the clicks of a state, newest first, at most `last_events`. Views of
// strings in `pool`.
void ListClicks(const ScoringTrace& trace, const StringPool& pool,
                const QuerySet& set, UserState state, uint32_t last_events,
                std::vector<featurize::ClickedItem>* out);

}  // namespace freshline::bench
