// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/ids.h"
#include "base/time.h"
#include "schedule/index.h"
#include "schedule/policies.h"

// The researchers' policies: each a row of choices for the daemon's engine, in
// a file of its own (policies/NAME.cc), registered by one line here.

// Functions that return one schedule::PolicyConfig each, in the order in which
// they are listed to users.
// clang-format off
#define FRESHLINE_SHELF(policy) \
  policy(Never) \
  policy(EagerUncoalesced) \
  policy(CoalescedLifo) \
  policy(Lifo) \
  policy(RoundRobin) \
  policy(Random) \
  policy(RalfLeastUpdated) \
  policy(RalfMaxPending) \
  policy(RalfQueryProportional) \
  policy(RalfRegretProportional) \
  policy(BlockingCold) \
  policy(Ttl) \
  policy(Batch3) \
  policy(LeastLaxity) \
  policy(EdfAdmission) \
  policy(MaxWeightAge) \
  policy(CrawlGreedy) \
  policy(SlackAge) \
  policy(SlackPending) \
  policy(SlackDomain) \
  policy(OursLessPrice) \
  policy(OursLessBackground) \
  policy(OursLessGuard) \
  policy(OursLessFairness) \
  policy(OursDensityBackground) \
  policy(OursOlstonPandey) \
  policy(OursLessAdmission)
// clang-format on

namespace freshline::bench {

// Rows whose past a policy of the shelf remembers.
inline constexpr uint32_t kShelfHistory = 1'000'000;

#define FRESHLINE_DECLARE(policy) schedule::PolicyConfig policy();
FRESHLINE_SHELF(FRESHLINE_DECLARE)
#undef FRESHLINE_DECLARE

// The five of the daemon, then the shelf's.
schedule::PolicyCatalogue ShelfCatalogue();

}  // namespace freshline::bench
