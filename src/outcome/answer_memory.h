// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/ids.h"

namespace freshline::outcome {

// What one answer said of one row.
struct AnsweredRow {
  base::RowId row;
  uint32_t pending = 0;  // events that the value given had not seen
  uint64_t events = 0;   // of the key, seen or not
  bool approximate = false;
};

// The rows of the answers given last, for outcomes that come later.
//
// Bounds: the last `answers_max` answers, and four times as many rows; an
// answer whose rows have made way for later ones is not known any more. Memory
// grows to about 250 bytes an answer, and only as answers come.
// Not thread-safe. Cost: constant, a hash lookup and a few cache misses.
class AnswerMemory {
 public:
  // REQUIRES: answers_max > 0.
  explicit AnswerMemory(uint32_t answers_max);

  // `name` stands for the answer; one given again stands for the new answer.
  void Remember(uint64_t name, std::span<const AnsweredRow> rows);

  enum class Found : uint8_t {
    kTaken,
    kUnknown,   // no such answer, or none of the keys was in it
    kRepeated,  // taken before
  };
  // Appends the rows of `keys` that the answer had, each once for all calls.
  Found Take(uint64_t name, std::span<const base::KeyId> keys,
             std::vector<AnsweredRow>* rows);

  // Answers that are known.
  uint64_t size() const { return by_name_.size(); }

 private:
  struct Answer {
    uint64_t name = 0;
    uint64_t rows_begin = 0;
    uint32_t rows = 0;
  };
  struct Slot {
    AnsweredRow row;
    bool taken = false;
  };

  const uint64_t answers_max_;
  const uint64_t rows_max_;
  // Rings: number i stands at i modulo their bound, until it is overwritten.
  std::vector<Answer> answers_;
  std::vector<Slot> rows_;
  uint64_t next_answer_ = 0;
  uint64_t next_row_ = 0;
  absl::flat_hash_map<uint64_t, uint64_t> by_name_;  // number of the answer
};

}  // namespace freshline::outcome
