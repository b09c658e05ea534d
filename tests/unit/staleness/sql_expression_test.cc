// SPDX-License-Identifier: Apache-2.0
#include "staleness/sql_expression.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace freshline::staleness {
namespace {

using ::freshline::test::IsOk;

using std::chrono::seconds;
using ::testing::HasSubstr;

std::optional<double> Value(const std::string& sql, const RowSignals& row) {
  auto expression = SqlExpression::Compile(sql);
  EXPECT_THAT(expression, IsOk()) << sql;
  return expression.ok() ? (*expression)->Evaluate(row) : std::nullopt;
}

std::string Refusal(const std::string& sql) {
  const auto expression = SqlExpression::Compile(sql);
  EXPECT_FALSE(expression.ok()) << sql;
  return std::string(expression.status().message());
}

TEST(SqlExpressionTest, SeesEverySignal) {
  const RowSignals row{3, 9, seconds(7)};
  EXPECT_EQ(Value("pending", row), 3);
  EXPECT_EQ(Value("seen", row), 9);
  EXPECT_EQ(Value("age_s", row), 7);
  EXPECT_EQ(Value("cold", row), 0);
  EXPECT_EQ(Value("cold", {3, 0, {}}), 1);
  EXPECT_EQ(Value("waiting_s", {3, 9, seconds(7), seconds(2), .5}), 2);
  EXPECT_EQ(Value("regret", {3, 9, seconds(7), seconds(2), .5}), .5);
  EXPECT_EQ(Value("pending * 1.0 / (pending + seen)", row), 0.25);
  EXPECT_EQ(Value("min(pending, 2) * sqrt(seen) -- a remark", row), 6);
}

TEST(SqlExpressionTest, SignalsDivideAsNumbersDo) {
  const RowSignals row{3, 9, seconds(7), seconds(2), .5};
  EXPECT_EQ(Value("pending / (pending + seen)", row), 0.25);
  EXPECT_EQ(Value("pending / 2", row), 1.5);
  EXPECT_EQ(Value("(cold + 1) / pending", {4, 0, {}}), .5);
  EXPECT_EQ(Value("1 / seen", {0, 4, {}}), .25);
  EXPECT_EQ(Value("cast(pending as integer) / 2", row), 1);
}

TEST(SqlExpressionTest, DoubtsWhatIsTheSameForEveryRow) {
  const auto doubt = [](const std::string& sql) {
    auto expression = SqlExpression::Compile(sql);
    EXPECT_THAT(expression, IsOk()) << sql;
    return expression.ok() ? (*expression)->Doubt().value_or("") : "";
  };
  EXPECT_THAT(doubt("1 / 2 * pending"), HasSubstr("is 0 for every row"));
  EXPECT_THAT(doubt("2.5"), HasSubstr("is 2.5 for every row"));
  EXPECT_THAT(doubt("-pending"), HasSubstr("has no value for any row"));
  EXPECT_THAT(doubt("pending / 0"), HasSubstr("has no value for any row"));
  for (const char* sql :
       {"pending", "pending / (pending + seen)", "cold", "age_s", "waiting_s",
        "regret", "pending > 50", "seen >= 2000", "nullif(pending, 1)",
        "iif(age_s > 86000, 1, 0)"}) {
    EXPECT_EQ(doubt(sql), "") << sql;
  }
}

TEST(SqlExpressionTest, HasNoValueWhereThereIsNoSensibleOne) {
  const RowSignals row{3, 9, seconds(7)};
  for (const char* sql :
       {"NULL", "pending / (seen - 9)", "'many'", "x'00'", "-pending",
        "1e308 * 1e308", "1e308 * 1e308 - 1e308 * 1e308", "ln(0 - seen)",
        "abs(-9223372036854775807 - 1)"}) {
    EXPECT_EQ(Value(sql, row), std::nullopt) << sql;
  }
}

TEST(SqlExpressionTest, AnErrorSpoilsNoLaterEvaluation) {
  auto expression =
      SqlExpression::Compile("abs(-9223372036854775807 - (pending > 1))");
  ASSERT_THAT(expression, IsOk());
  EXPECT_EQ((*expression)->Evaluate({2, 1, {}}), std::nullopt);
  EXPECT_TRUE((*expression)->Evaluate({1, 1, {}}).has_value());
}

TEST(SqlExpressionTest, UnknownNamesGetTheNearestSignals) {
  EXPECT_THAT(Refusal("pendng * 2"), HasSubstr("did you mean \"pending\""));
  EXPECT_THAT(Refusal("\"pendng\" * 2"), HasSubstr("\"pendng\""));
}

TEST(SqlExpressionTest, RefusesWhatIsNoScalarExpressionOverSignals) {
  for (const char* sql : {"", "  ", "pending +", "1, 2", "1), (2",
                          "1; SELECT 1", "?5", ":pending", "1 /*", "(SELECT 1)",
                          "EXISTS (SELECT 1)", "pending IN (SELECT 1)",
                          "1) FROM sqlite_master --", "1) UNION SELECT (2"}) {
    EXPECT_FALSE(SqlExpression::Compile(sql).ok()) << sql;
  }
}

TEST(SqlExpressionTest, RefusesWhatCouldAllocateRunLongOrReachOutside) {
  for (const char* sql :
       {"length(randomblob(1000000000))", "random()", "hex(zeroblob(100))",
        "length(printf('%1000000000d', 1))", "load_extension('x')",
        "'aaaa' LIKE '%a%a%b'", "'aaaa' GLOB '*a*b'", "sum(pending)",
        "strftime('%s', 'now')", "sqlite_version()",
        "(WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) "
        "SELECT max(x) FROM c)"}) {
    EXPECT_FALSE(SqlExpression::Compile(sql).ok()) << sql;
  }
}

TEST(SqlExpressionTest, RefusesLongTexts) {
  EXPECT_THAT(Refusal(std::string(SqlExpression::kBytesMax, ' ') + "1"),
              HasSubstr("at most 1024"));
}

TEST(SqlExpressionTest, TheStepsOfManyEvaluationsAreNotAddedUp) {
  auto expression = SqlExpression::Compile("pending + seen");
  ASSERT_THAT(expression, IsOk());
  for (uint32_t i = 0; i < 20000; ++i) {
    ASSERT_EQ((*expression)->Evaluate({i, 1, {}}), i + 1.0);
  }
}

// `head`, then as many `item`s as a text may have beside `tail`, then `tail`.
std::string Longest(const std::string& head, const std::string& item,
                    const std::string& tail) {
  std::string sql = head;
  while (sql.size() + item.size() + tail.size() <= SqlExpression::kBytesMax) {
    sql += item;
  }
  return sql + tail;
}

// Nothing that is allowed loops, so the bound on steps cuts off no text that
// the bound on bytes lets through.
TEST(SqlExpressionTest, TheLongestExpressionsEndWithinTheirSteps) {
  const RowSignals row{3, 9, seconds(7)};
  for (const std::string& sql :
       {Longest("pending in (0", ",1", ",3)"),
        Longest("pending in (0", ",seen", ",pending)"),
        Longest("pending in (0", ",-1", ",3)"),
        Longest("case pending", " when 0 then 0", " else 1 end"),
        Longest("case", " when cold then 0", " else 1 end"),
        Longest("iif(pending between 0 and 3,1,0)", "   ", "*1")}) {
    ASSERT_GT(sql.size(), SqlExpression::kBytesMax - 32);
    auto expression = SqlExpression::Compile(sql);
    ASSERT_THAT(expression, IsOk()) << sql;
    for (int i = 0; i < 50; ++i) {
      ASSERT_EQ((*expression)->Evaluate(row), 1) << sql;
    }
  }
}

TEST(SqlExpressionTest, ServesThreadsAtOnce) {
  auto expression = SqlExpression::Compile("pending * seen");
  ASSERT_THAT(expression, IsOk());
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (uint32_t t = 1; t <= 4; ++t) {
      threads.emplace_back([&, t] {
        for (uint32_t i = 0; i < 500; ++i) {
          if ((*expression)->Evaluate({i, t, {}}) != i * t) ++wrong;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace freshline::staleness
