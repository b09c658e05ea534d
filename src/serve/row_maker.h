// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/time.h"
#include "execute/row_assessor.h"
#include "registry/revision.h"
#include "schedule/policy.h"
#include "serve/answer.h"
#include "serve/inline_computer.h"
#include "serve/stale_row.h"
#include "staleness/metric_set.h"
#include "table/table.h"

namespace freshline::serve {

// How far computing while answering may go.
struct InlineLimits {
  // What is left of it on the calling thread, in predicted cost. A row beyond
  // is left to the fan-out.
  base::Duration here_left{};
  bool on_fan_out = false;  // then here_left does not hold
  // On the fan-out, rows that are made anew are computed until the first, and
  // what could be scheduled instead until the second.
  base::MonoTime made_anew_until = base::kInfiniteFuture;
  base::MonoTime by_cost_until = base::kInfiniteFuture;
};

// What one thread gathers while it fills rows of an answer.
struct RowsMade {
  size_t segment = 0;  // of the answer
  InlineLimits limits;
  execute::ScratchPool::Loan scratch;
  std::optional<execute::ScratchPool::Loan> approximate_scratch;
  std::vector<StaleRow> stale;
  // Rows that were given up for want of time; whoever is idle could refresh
  // them for the next query.
  std::vector<base::RowId> lost;
  struct Computed {  // to be stored once the key is unlocked
    base::RowId row;
    registry::RowBytes bytes;
    table::StoredRow stored;  // without the bytes
  };
  std::vector<Computed> computed;

  // Stores what was computed. REQUIRES: the caller holds no key.
  void Store(table::Table* table);
};

// Fills one row of an answer from one key: from what is stored where that is
// fresh; else computed on the spot where that is cheap; else approximate or
// stale, with a need for the scheduler.
//
// Thread-safety: const; any thread, each with its own RowsMade.
class RowMaker {
 public:
  struct Options {
    // What may be computed inline at all, and on the calling thread in sum.
    base::Duration inline_cost_max = std::chrono::microseconds(200);
    bool has_fan_out = false;
  };
  struct Rooms {
    const base::Clock* clock;
    const table::Table* table;
    const staleness::MetricSet* metrics;
    InlineComputer full;
    std::optional<InlineComputer> approximate;  // none: none is computed
  };
  RowMaker(Options options, Rooms rooms) : options_(options), rooms_(rooms) {}

  // What of a query it needs to know.
  struct Wanted {
    base::UnixMicros now_us = 0;
    bool may_compute = true;  // false: the stored answer was asked for
    std::optional<uint32_t> max_pending;
    std::optional<int64_t> max_age_us;
  };

  // Fills row `row` of group `g` from a key under its lock. Returns false, and
  // has done nothing, where the row costs more than `made->limits.here_left`:
  // it is one for the fan-out.
  bool Fill(const Wanted& wanted, const table::KeyView& key, size_t g,
            uint32_t row, Answer* answer, RowsMade* made) const;

  // Computes a row for the next query, from its key under its lock, where what
  // is stored is not fresh.
  void Refresh(base::UnixMicros now_us, const table::KeyView& key,
               const registry::FeatureGroup& group, RowsMade* made) const;

  // Working memory for a thread that fills rows.
  RowsMade Begin(size_t segment, const InlineLimits& limits) const {
    return {segment, limits, rooms_.full.scratch->Borrow(), {}, {}, {}, {}};
  }

  bool IsMadeAnew(const registry::FeatureGroup& group) const {
    return execute::IsMadeAnew(group, *rooms_.full.of(group.id));
  }

 private:
  // One row that is being made.
  struct Row {
    const Wanted& wanted;
    const table::KeyView& key;
    const registry::FeatureGroup& group;
    size_t g;
    uint32_t row;
    Answer* answer;
    RowsMade* made;
    table::StoredRow stored;
    table::Signals signals;
    RowFreshness freshness;
  };
  enum class Inline : uint8_t { kDone, kElsewhere, kNot };

  bool IsGoodEnough(const Row& r) const;
  Inline TryInline(const Row& r) const;
  Inline TryApproximate(const Row& r) const;
  // Whether `cost` more may be spent on the thread at hand.
  Inline Afford(base::Duration cost, base::MonoTime until,
                RowsMade* made) const;
  void Put(const Row& r, std::span<const std::byte> bytes,
           const RowFreshness& freshness) const {
    r.answer->Put(r.g, r.row, bytes, freshness, r.made->segment);
  }
  // Computes a row into made->scratch, and keeps it to be stored if `store`.
  // Returns the freshness of what it computed; none where that failed.
  std::optional<RowFreshness> Compute(base::UnixMicros now_us,
                                      const table::KeyView& key,
                                      const registry::FeatureGroup& group,
                                      const table::EventView& events,
                                      bool store, RowsMade* made) const;
  StaleRow NeedOf(const Row& r) const;

  const Options options_;
  const Rooms rooms_;
};

}  // namespace freshline::serve
