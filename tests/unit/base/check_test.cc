// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

#include <string>

#include "base/bug_sink.h"
#include "gtest/gtest.h"

namespace freshline::base {
namespace {

TEST(CheckDeathTest, SaysWhereAndWhatFailed) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(FRESHLINE_CHECK(1 + 1 == 3),
               "check_test.cc:.*check failed: 1 \\+ 1 == 3");
}

TEST(CheckTest, EvaluatesItsConditionOnce) {
  int evaluations = 0;
  FRESHLINE_CHECK(++evaluations > 0);
  EXPECT_EQ(evaluations, 1);
}

#ifdef FRESHLINE_DCHECKS
TEST(CheckDeathTest, DcheckAndBugAbortWhereTheyAreOn) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(FRESHLINE_DCHECK(false), "check failed: false");
  EXPECT_DEATH(FRESHLINE_BUG("two answers"), "check failed: two answers");
}
#else
TEST(CheckTest, DcheckCostsNothingWhereItIsOff) {
  int evaluations = 0;
  FRESHLINE_DCHECK(++evaluations > 5);
  EXPECT_EQ(evaluations, 0);
}

TEST(CheckTest, BugIsCountedAndSurvivedWhereChecksAreOff) {
  const uint64_t before = BugCount();
  FRESHLINE_BUG("two answers");
  FRESHLINE_BUG("two answers");
  EXPECT_EQ(BugCount(), before + 2);
}

int sunk = 0;
TEST(CheckTest, ItsLinesGoWhereTheProcessWantsThem) {
  SetBugSink([](const char* line) {
    sunk += std::string(line).find("survived: a third") != std::string::npos;
  });
  // The first of each power of two is said.
  for (int i = 0; i < 8; ++i) FRESHLINE_BUG("a third");
  SetBugSink(nullptr);
  EXPECT_GE(sunk, 1);
}
#endif

}  // namespace
}  // namespace freshline::base
