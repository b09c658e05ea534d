// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/mutex.h"
#include "execute/fan_out.h"
#include "ingest/key_extract.h"
#include "serve/answer.h"
#include "serve/row_maker.h"
#include "table/table.h"

namespace freshline::serve {

// The keys of a query: one extractor for each entity of the plan.
struct QueryKeys {
  uint32_t rows = 1;
  std::vector<ingest::KeyExtractor> of_entity;  // as plan->entities
  std::vector<size_t> entity_of_group;          // as plan->groups
  // By entity, as FirstRowsOfKeys().
  std::vector<std::vector<uint32_t>> first_rows;
};

// The rows of one query in the making: filled on the calling thread while that
// is cheap, the rest in parts on the fan-out, where whoever ends last goes on
// with what follows.
//
// Lifecycle: RunHere() once; where it returns false, either TryPost() to the
// fan-out or FillRest(). Thread-safety: RunPart() from several threads; what is
// made may be taken from the thread that ended it.
// Bounds: at most kPartsMax parts.
class Gather final : public execute::FanOut::Work {
 public:
  static constexpr size_t kPartsMax = 1024;

  // `then` is called once, by the thread that ended the last part.
  using Then = absl::AnyInvocable<void(Gather*)>;
  Gather(const RowMaker* maker, table::Table* table, QueryKeys keys,
         Answer answer, RowMaker::Wanted wanted, InlineLimits limits,
         Then then);

  // Fills rows while they cost less than limits.here_left. Returns whether all
  // are filled.
  bool RunHere();

  // Fills the rest from what is stored.
  void FillRest();

  // Divides the rest into parts for `width` threads. REQUIRES: RunHere()
  // returned false; before TryPost().
  void Divide(uint32_t width);

  bool RunPart() override;

  Answer& answer() { return answer_; }
  std::vector<StaleRow>& stale() { return stale_; }
  std::vector<base::RowId>& lost() { return lost_; }

 private:
  // A row of a group. All of them in order: row after row, so that the groups
  // of a key are made while its events are at hand.
  struct Cell {
    size_t group;
    uint32_t row;
  };
  Cell CellAt(size_t i) const;
  // Fills cells from `begin` on, those before `end` that are of the same key,
  // with one look at the table. Returns how many; 0 where the first is one for
  // the fan-out.
  size_t FillKey(size_t begin, size_t end, registry::EntityKeyBuilder* builder,
                 RowsMade* made);
  // Stores what was computed, and keeps what is stale.
  void Keep(RowsMade* made);
  // Gives the rows whose key is that of an earlier one what that has got.
  void RepeatRows();

  const RowMaker* const maker_;
  table::Table* const table_;
  const QueryKeys keys_;
  Answer answer_;
  RowMaker::Wanted wanted_;
  const InlineLimits limits_;
  Then then_;
  std::vector<size_t> in_every_row_;  // the groups that are not shared
  size_t cells_ = 0;
  size_t begin_ = 0;  // of what is not filled yet
  size_t part_cells_ = 0;
  size_t parts_ = 0;
  std::atomic<size_t> next_part_{0};
  // Released by each part that ended; who brings it to parts_ sees all of them.
  std::atomic<size_t> parts_ended_{0};

  base::Mutex mu_;
  std::vector<StaleRow> stale_;    // under mu_ while parts run
  std::vector<base::RowId> lost_;  // "
};

}  // namespace freshline::serve
