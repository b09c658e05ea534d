// SPDX-License-Identifier: Apache-2.0
#include "staleness/metric_set.h"

#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "registry/validate.h"
#include "tests/support/status_matchers.h"

namespace freshline::staleness {
namespace {

using ::freshline::test::IsOk;
using ::freshline::test::StatusIs;

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A revision of one group with this staleness.
absl::StatusOr<std::shared_ptr<const registry::Revision>> RevisionWith(
    const std::string& staleness) {
  return registry::ParseDefinitions(absl::StrCat(R"(
entity { name: "user" key { name: "user_id" type: INT64 } }
source { name: "clicks" entity: "user" retention: "30d" events_max: 100 }
feature_group {
  name: "activity" source: "clicks"
  feature {
    name: "clicks" type { scalar: INT64 } aggregate { fn: COUNT over: "14d" }
  }
  staleness { )",
                                                 staleness, " }\n}\n"),
                                    "test");
}

absl::StatusOr<MetricSet> MetricsWith(const std::string& staleness,
                                      const std::string& directory = "") {
  auto revision = RevisionWith(staleness);
  EXPECT_THAT(revision, IsOk()) << staleness;
  if (!revision.ok()) return revision.status();
  return MakeMetrics(**revision, directory);
}

double GainWith(const std::string& staleness, const RowSignals& row) {
  auto metrics = MetricsWith(staleness);
  EXPECT_THAT(metrics, IsOk()) << staleness;
  return metrics.ok() ? (*metrics)[0].Gain(row) : -1;
}

TEST(MetricSetTest, MakesTheMetricOfEveryKind) {
  const RowSignals row{1, 3, std::chrono::seconds(9)};
  EXPECT_DOUBLE_EQ(GainWith("", row), .25);
  EXPECT_DOUBLE_EQ(GainWith("kind: PENDING_EVENTS weight: 3", row), 3);
  EXPECT_DOUBLE_EQ(GainWith("kind: AGE", row), 9);
  EXPECT_DOUBLE_EQ(
      GainWith("kind: EXPRESSION expression: 'seen + age_s' weight: 2", row),
      24);
}

TEST(MetricSetTest, ReadsCurvesBesideTheTables) {
  const std::string directory = ::testing::TempDir();
  std::ofstream(directory + "/fine.curve")
      << "freshline-value-curve 1\n1 1 0.5\n";
  std::ofstream(directory + "/hole.curve")
      << "freshline-value-curve 1\n1 2 0.5\n";
  auto metrics =
      MetricsWith("kind: VALUE_CURVE curve_file: 'fine.curve'", directory);
  ASSERT_THAT(metrics, IsOk());
  EXPECT_DOUBLE_EQ((*metrics)[0].Gain({1, 3, {}}), .5);
  EXPECT_THAT(
      MetricsWith("kind: VALUE_CURVE curve_file: 'hole.curve'", directory),
      StatusIs(absl::StatusCode::kInvalidArgument,
               AllOf(HasSubstr("\"activity\": staleness.curve_file"),
                     HasSubstr("hole.curve:2: j is 2"))));
  EXPECT_THAT(
      MetricsWith("kind: VALUE_CURVE curve_file: 'none.curve'", directory),
      StatusIs(absl::StatusCode::kNotFound, HasSubstr("none.curve")));
}

TEST(MetricSetTest, NamesTheGroupOfABadExpression) {
  EXPECT_THAT(MetricsWith("kind: EXPRESSION expression: 'pendng'"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("\"activity\": staleness.expression"),
                             HasSubstr("did you mean \"pending\""))));
}

TEST(MetricSetTest, NamesTheGroupOfADoubtfulExpression) {
  const auto doubts = [](const std::string& staleness) {
    auto revision = RevisionWith(staleness);
    EXPECT_THAT(revision, IsOk()) << staleness;
    auto metrics = MakeMetrics(**revision, "");
    EXPECT_THAT(metrics, IsOk()) << staleness;
    return Doubts(**revision, *metrics);
  };
  EXPECT_THAT(doubts("kind: EXPRESSION expression: '1 / 2 * pending'"),
              ElementsAre(AllOf(HasSubstr("\"activity\": staleness.expression"),
                                HasSubstr("is 0 for every row"))));
  EXPECT_THAT(doubts("kind: EXPRESSION expression: 'pending / 2'"), IsEmpty());
  EXPECT_THAT(doubts("kind: AGE"), IsEmpty());
}

TEST(MetricSetTest, CommandLinesNameMetrics) {
  const RowSignals row{1, 3, std::chrono::seconds(9)};
  const std::string curve = ::testing::TempDir() + "/parsed.curve";
  std::ofstream(curve) << "freshline-value-curve 1\n1 1 0.75\n";
  const std::pair<std::string, double> cases[] = {
      {"share", .25},
      {"pending", 1},
      {"age", 9},
      {"sql:seen * 2", 6},
      {"curve:" + curve, .75},
      {"learned", .25},
      {"learned:" + curve, .75},
  };
  for (const auto& [text, gain] : cases) {
    auto metric = ParseMetric(text);
    ASSERT_THAT(metric, IsOk()) << text;
    EXPECT_DOUBLE_EQ(metric->Gain(row), gain) << text;
  }
  for (const char* text :
       {"", "ages", "curve:", "learned:/no", "sql:", "sql:ages"}) {
    EXPECT_FALSE(ParseMetric(text).ok()) << text;
  }
}

TEST(MetricSetTest, DefinitionsHoldWhatTheKindNeedsAndNoMore) {
  const struct {
    const char* staleness;
    const char* message;
  } cases[] = {
      {"kind: VALUE_CURVE", "staleness.curve_file: is needed"},
      {"learn_from_outcomes: true",
       "staleness.learn_from_outcomes: is for kind VALUE_CURVE only"},
      {"kind: EXPRESSION", "staleness.expression: is needed"},
      {"curve_file: 'x'", "staleness.curve_file: is for kind VALUE_CURVE only"},
      {"kind: AGE expression: '1'",
       "staleness.expression: is for kind EXPRESSION only"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(
        RevisionWith(c.staleness),
        StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.message)));
  }
}

}  // namespace
}  // namespace freshline::staleness
