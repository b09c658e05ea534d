// SPDX-License-Identifier: Apache-2.0
#include "serve/answer.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "registry/validate.h"
#include "tests/support/status_matchers.h"

namespace freshline::serve {
namespace {

constexpr char kDefinitions[] = R"pb(
  entity {
    name: "user"
    key { name: "user_id" type: INT64 }
  }
  source {
    name: "clicks"
    entity: "user"
    column { name: "item" type: INT64 }
    column { name: "word" type: STRING }
    retention: "30d"
  }
  feature_group {
    name: "recent"
    source: "clicks"
    feature {
      name: "items"
      type { list: INT64 }
      aggregate { fn: LAST_N column: "item" n: 50 over: "1d" }
    }
  }
  feature_group {
    name: "words"
    source: "clicks"
    feature {
      name: "all"
      type { list: STRING }
      aggregate { fn: LAST_N column: "word" n: 50 over: "1d" }
    }
    feature {
      name: "n"
      type { scalar: INT64 }
      default { int64: -1 }
      aggregate { fn: MIN column: "item" over: "1d" }
    }
  }
  feature_service { name: "s" feature: "recent:items" slo: "30ms" }
  feature_service { name: "n" feature: "words:n" slo: "30ms" }
  feature_service { name: "words" feature: "words:*" slo: "30ms" }
)pb";

// Rows of random lengths put over each other in random order keep what was put
// last: the bytes of one row never run into another's.
TEST(AnswerTest, RowsThatGrowAndShrinkStayApart) {
  const auto revision = registry::ParseDefinitions(kDefinitions, "test");
  ASSERT_THAT(revision, test::IsOk());
  const auto plan = (*revision)->FindService("s")->plan;
  const registry::RowLayout& layout = (*revision)->groups()[0].layout;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    base::Rng rng(seed);
    constexpr uint32_t kRows = 7;
    Answer answer(*revision, plan, kRows, {false});
    std::vector<std::vector<int64_t>> expected(kRows);
    registry::RowBytes bytes;
    for (int step = 0; step < 200; ++step) {
      const auto row = static_cast<uint32_t>(rng.Below(kRows));
      expected[row].assign(rng.Below(50), static_cast<int64_t>(rng.Next()));
      registry::RowWriter writer(layout, &bytes);
      writer.SetInt64List(0, expected[row]);
      RowFreshness freshness;
      freshness.pending = static_cast<uint32_t>(step);
      answer.Put(0, row, bytes, freshness);
      EXPECT_EQ(answer.freshness(0, row).pending, step);
      for (uint32_t r = 0; r < kRows; ++r) {
        const registry::RowView view(layout, answer.bytes(0, r));
        if (!view.has_value(0)) continue;  // still the default
        const auto list = view.Int64List(0);
        ASSERT_EQ(std::vector<int64_t>(list.begin(), list.end()), expected[r]);
      }
    }
  }
}

TEST(AnswerTest, EmptyBytesStandForTheDefaultRow) {
  const auto revision = registry::ParseDefinitions(kDefinitions, "test");
  ASSERT_THAT(revision, test::IsOk());
  Answer answer(*revision, (*revision)->FindService("s")->plan, 1, {true});
  answer.Put(0, 0, {}, RowFreshness::Cold());
  const registry::RowView view((*revision)->groups()[0].layout,
                               answer.bytes(0, 0));
  EXPECT_EQ(view.status(0), registry::ValueStatus::kNotFound);
}

// Rows of the group "words", of one long string and a number.
class WordsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto revision = registry::ParseDefinitions(kDefinitions, "test");
    ASSERT_THAT(revision, test::IsOk());
    revision_ = *revision;
  }
  Answer Make(const char* service, uint32_t rows, size_t bytes_max) const {
    return Answer(revision_, revision_->FindService(service)->plan, rows,
                  {rows == 1}, bytes_max);
  }
  registry::RowBytes Row(size_t bytes, std::optional<int64_t> number) const {
    registry::RowBytes row;
    registry::RowWriter writer(layout(), &row);
    const std::string text(bytes, 'w');
    const absl::string_view view = text;
    writer.SetStringList(0, {&view, 1});
    if (number.has_value()) writer.SetInt64(1, *number);
    return row;
  }
  const registry::RowLayout& layout() const {
    return revision_->groups()[1].layout;
  }
  size_t TextBytes(const Answer& answer, uint32_t row) const {
    std::vector<absl::string_view> texts;
    registry::RowView(layout(), answer.bytes(0, row))
        .AppendStringList(0, &texts);
    return texts.empty() ? 0 : texts[0].size();
  }

  std::shared_ptr<const registry::Revision> revision_;
};

TEST_F(WordsTest, WhatDoesNotFitIsLeftOutAndCounted) {
  Answer answer = Make("words", 100, 100'000);
  for (uint32_t row = 0; row < 100; ++row) {
    answer.Put(0, row, Row(10'000, row), {});
  }
  EXPECT_TRUE(answer.overflown());
  EXPECT_EQ(answer.RowsThatFit(), 9U);
  // As many rows do fit, and one more does not.
  for (const uint32_t rows : {9U, 10U}) {
    Answer again = Make("words", rows, 100'000);
    for (uint32_t row = 0; row < rows; ++row) {
      again.Put(0, row, Row(10'000, row), {});
    }
    EXPECT_EQ(again.overflown(), rows == 10);
  }
}

TEST_F(WordsTest, ARowThatShrinksMakesRoom) {
  Answer answer = Make("words", 2, 100'000);
  answer.Put(0, 0, Row(90'000, 1), {});
  answer.Put(0, 0, Row(10, 1), {});
  answer.Put(0, 1, Row(90'000, 1), {});
  EXPECT_FALSE(answer.overflown());
  answer.Put(0, 0, Row(20'000, 1), {});
  EXPECT_TRUE(answer.overflown());
  EXPECT_EQ(answer.RowsThatFit(), 1U);
}

TEST_F(WordsTest, RepeatedRowsAreCountedAndKeptApart) {
  Answer answer = Make("words", 100, 100'000);
  RowFreshness freshness;
  freshness.pending = 4;
  answer.Put(0, 0, Row(900, 1), freshness);
  for (uint32_t row = 1; row < 50; ++row) answer.Repeat(0, row, 0);
  EXPECT_FALSE(answer.overflown());
  EXPECT_EQ(TextBytes(answer, 49), 900U);
  EXPECT_EQ(answer.freshness(0, 49).pending, 4U);
  answer.Put(0, 0, Row(100, 2), {});
  EXPECT_EQ(TextBytes(answer, 0), 100U);
  EXPECT_EQ(TextBytes(answer, 49), 900U);
  answer.Put(0, 49, Row(300, 2), {});
  EXPECT_EQ(TextBytes(answer, 48), 900U);
  answer.Repeat(0, 0, 1);
  for (uint32_t row = 50; row < 100; ++row) answer.Repeat(0, row, 0);
  EXPECT_FALSE(answer.overflown());

  Answer large = Make("words", 1000, 100'000);
  large.Put(0, 0, Row(10'000, 1), {});
  for (uint32_t row = 1; row < 1000; ++row) large.Repeat(0, row, 0);
  EXPECT_TRUE(large.overflown());
  EXPECT_EQ(large.RowsThatFit(), 9U);
}

TEST_F(WordsTest, WhatNobodyAsksForTakesNoRoom) {
  Answer answer = Make("n", 100, 100'000);
  for (uint32_t row = 0; row < 100; ++row) {
    answer.Put(0, row, Row(60'000, row), {});
  }
  EXPECT_FALSE(answer.overflown());
  registry::RowView view(layout(), {});
  EXPECT_EQ(answer.Value(0, 77, 1, &view), registry::ValueStatus::kPresent);
  EXPECT_EQ(view.Int64(1), 77);
  EXPECT_LT(answer.bytes(0, 77).size(), 100U);
}

TEST_F(WordsTest, DefaultsAndMaxAgeDecideWhatAValueIs) {
  Answer answer = Make("words", 3, 100'000);
  RowFreshness old;
  old.outside_max_age = true;
  answer.Put(0, 0, Row(3, 5), old);
  answer.Put(0, 1, Row(3, std::nullopt), old);
  answer.Put(0, 2, {}, RowFreshness::Cold());
  registry::RowView view(layout(), {});
  EXPECT_EQ(answer.Value(0, 0, 1, &view),
            registry::ValueStatus::kOutsideMaxAge);
  EXPECT_EQ(view.Int64(1), 5);
  for (const uint32_t row : {1U, 2U}) {
    EXPECT_EQ(answer.Value(0, row, 1, &view),
              registry::ValueStatus::kDefaulted);
    EXPECT_EQ(view.Int64(1), -1);
  }
  EXPECT_EQ(answer.Value(0, 2, 0, &view), registry::ValueStatus::kNotFound);
}

}  // namespace
}  // namespace freshline::serve
