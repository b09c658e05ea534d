// SPDX-License-Identifier: Apache-2.0
#include "outcome/answer_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <vector>

#include "base/random.h"

namespace freshline::outcome {
namespace {

using base::GroupId;
using base::KeyId;
using Found = AnswerMemory::Found;

AnsweredRow RowOf(uint64_t key, uint32_t pending = 0) {
  return {{KeyId{key}, GroupId{0}}, pending, 10, false};
}

Found Take(AnswerMemory* memory, uint64_t name, std::vector<KeyId> keys,
           std::vector<AnsweredRow>* rows) {
  rows->clear();
  return memory->Take(name, keys, rows);
}

TEST(AnswerMemoryTest, EachRowIsTakenOnce) {
  AnswerMemory memory(8);
  std::vector<AnsweredRow> rows;
  memory.Remember(1, std::vector<AnsweredRow>{RowOf(10, 3), RowOf(20)});
  EXPECT_EQ(Take(&memory, 1, {KeyId{10}}, &rows), Found::kTaken);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].pending, 3U);
  EXPECT_EQ(Take(&memory, 1, {KeyId{10}}, &rows), Found::kRepeated);
  EXPECT_TRUE(rows.empty());
  EXPECT_EQ(Take(&memory, 1, {KeyId{10}, KeyId{20}}, &rows), Found::kTaken);
  EXPECT_EQ(rows.size(), 1U);
  EXPECT_EQ(Take(&memory, 1, {KeyId{30}}, &rows), Found::kUnknown);
  EXPECT_EQ(Take(&memory, 2, {KeyId{10}}, &rows), Found::kUnknown);
  EXPECT_EQ(Take(&memory, 1, {}, &rows), Found::kUnknown);
}

TEST(AnswerMemoryTest, ANameGivenAgainIsTheNewAnswer) {
  AnswerMemory memory(2);
  std::vector<AnsweredRow> rows;
  for (uint32_t i = 1; i <= 5; ++i) {
    memory.Remember(7, std::vector<AnsweredRow>{RowOf(10, i)});
    EXPECT_EQ(memory.size(), 1U);
    EXPECT_EQ(Take(&memory, 7, {KeyId{10}}, &rows), Found::kTaken);
    EXPECT_EQ(rows[0].pending, i);
  }
}

// Against a list of everything that was ever told.
TEST(AnswerMemoryTest, KnowsTheLastAnswersAndNoMore) {
  constexpr uint32_t kAnswersMax = 50;
  struct Told {
    uint64_t name;
    std::vector<AnsweredRow> rows;
    std::vector<bool> taken;
  };
  std::deque<Told> told;
  AnswerMemory memory(kAnswersMax);
  base::Rng rng(11);
  uint64_t known = 0;
  for (int step = 0; step < 20'000; ++step) {
    if (rng.Uniform() < .5) {
      Told answer{1 + rng.Below(80), {}, {}};
      for (uint64_t n = 1 + rng.Below(4); n > 0; --n) {
        answer.rows.push_back(RowOf(1 + rng.Below(5)));
      }
      answer.taken.resize(answer.rows.size());
      memory.Remember(answer.name, answer.rows);
      told.push_back(answer);
      if (told.size() > kAnswersMax) told.pop_front();
      continue;
    }
    const uint64_t name = 1 + rng.Below(80);
    const KeyId key{1 + rng.Below(5)};
    const auto it = std::find_if(told.rbegin(), told.rend(),
                                 [&](const Told& t) { return t.name == name; });
    Found expected = Found::kUnknown;
    size_t rows_expected = 0;
    if (it != told.rend()) {
      for (size_t i = 0; i < it->rows.size(); ++i) {
        if (it->rows[i].row.key != key) continue;
        if (!it->taken[i]) {
          it->taken[i] = true;
          ++rows_expected;
        }
        expected = rows_expected > 0 ? Found::kTaken : Found::kRepeated;
      }
    }
    std::vector<AnsweredRow> rows;
    ASSERT_EQ(Take(&memory, name, {key}, &rows), expected) << step;
    ASSERT_EQ(rows.size(), rows_expected);
    known += rows_expected;
    ASSERT_LE(memory.size(), kAnswersMax);
  }
  EXPECT_GT(known, 1000U);
}

// More rows than the ring holds: the oldest answers lose theirs.
TEST(AnswerMemoryTest, RowsThatMadeWayAreUnknown) {
  AnswerMemory memory(4);  // 16 rows
  std::vector<AnsweredRow> rows;
  const std::vector<AnsweredRow> ten(10, RowOf(1));
  memory.Remember(1, ten);
  memory.Remember(2, ten);
  EXPECT_EQ(Take(&memory, 1, {KeyId{1}}, &rows), Found::kTaken);
  EXPECT_EQ(rows.size(), 6U);
  memory.Remember(3, ten);
  EXPECT_EQ(Take(&memory, 1, {KeyId{1}}, &rows), Found::kUnknown);
  EXPECT_EQ(Take(&memory, 3, {KeyId{1}}, &rows), Found::kTaken);
  EXPECT_EQ(rows.size(), 10U);
}

}  // namespace
}  // namespace freshline::outcome
