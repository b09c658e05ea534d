// SPDX-License-Identifier: Apache-2.0
#include "outcome/answer_memory.h"

#include <algorithm>

namespace freshline::outcome {

namespace {

constexpr uint64_t kRowsPerAnswer = 4;

// Puts number `next` of a ring that grows up to its bound.
template <typename T>
void Put(uint64_t bound, const T& value, uint64_t* next, std::vector<T>* ring) {
  if (*next < bound) {
    ring->push_back(value);
  } else {
    (*ring)[*next % bound] = value;
  }
  ++*next;
}

}  // namespace

AnswerMemory::AnswerMemory(uint32_t answers_max)
    : answers_max_(answers_max), rows_max_(kRowsPerAnswer * answers_max) {}

void AnswerMemory::Remember(uint64_t name, std::span<const AnsweredRow> rows) {
  rows = rows.first(std::min<size_t>(rows.size(), rows_max_));
  if (next_answer_ >= answers_max_) {
    const auto oldest =
        by_name_.find(answers_[next_answer_ % answers_max_].name);
    if (oldest != by_name_.end() &&
        oldest->second + answers_max_ == next_answer_) {
      by_name_.erase(oldest);
    }
  }
  by_name_[name] = next_answer_;
  Put(answers_max_, {name, next_row_, static_cast<uint32_t>(rows.size())},
      &next_answer_, &answers_);
  for (const AnsweredRow& row : rows) {
    Put(rows_max_, {row, false}, &next_row_, &rows_);
  }
}

AnswerMemory::Found AnswerMemory::Take(uint64_t name,
                                       std::span<const base::KeyId> keys,
                                       std::vector<AnsweredRow>* rows) {
  const auto known = by_name_.find(name);
  if (known == by_name_.end()) return Found::kUnknown;
  const Answer& answer = answers_[known->second % answers_max_];
  Found found = Found::kUnknown;
  for (uint64_t i = 0; i < answer.rows; ++i) {
    const uint64_t number = answer.rows_begin + i;
    if (number + rows_max_ < next_row_) continue;  // overwritten
    Slot& slot = rows_[number % rows_max_];
    if (std::find(keys.begin(), keys.end(), slot.row.row.key) == keys.end()) {
      continue;
    }
    if (slot.taken) {
      if (found == Found::kUnknown) found = Found::kRepeated;
      continue;
    }
    slot.taken = true;
    rows->push_back(slot.row);
    found = Found::kTaken;
  }
  return found;
}

}  // namespace freshline::outcome
