// SPDX-License-Identifier: Apache-2.0
#include "freshline/answer.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>

#include "freshline/v1/feature_store.pb.h"
#include "tests/support/status_matchers.h"

namespace freshline {
namespace {

using test::IsOk;
using test::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

FeatureAnswer AnswerFrom(const char* text) {
  auto response = std::make_unique<v1::GetFeaturesResponse>();
  EXPECT_TRUE(
      google::protobuf::TextFormat::ParseFromString(text, response.get()));
  return FeatureAnswer(std::move(response));
}

FeatureAnswer TwoRows() {
  return AnswerFrom(R"(
    request_id: "r" revision: 3 rows: 2 price: 0.25
    features {
      name: "user:clicks" group: 0 values { int64s { values: 5 } }
    }
    features {
      name: "item:price" group: 1
      values { float64s { values: [ 1.5, 0 ] } }
      statuses: [ PRESENT, NULL ]
    }
    features {
      name: "item:vector" group: 1
      values { vectors { dim: 2 values: [ 1, 2, 3, 4 ] } }
    }
    features {
      name: "item:tags" group: 1
      values { lists { lengths: [ 1, 2 ]
                       elements { strings { values: "a" values: "b"
                                            values: "c" } } } }
    }
    features {
      name: "item:ids" group: 1
      values { lists { lengths: [ 2, 0 ]
                       elements { int64s { values: [ 7, 8 ] } } } }
    }
    features {
      name: "item:sale" group: 1 values { bools { values: [ true, false ] } }
    }
    features {
      name: "item:since" group: 1
      values { timestamps_us { values: [ 11, 12 ] } }
      statuses: [ DEFAULTED, OUTSIDE_MAX_AGE ]
    }
    features {
      name: "item:brand" group: 1
      values { strings { values: "x" values: "y" } }
      statuses: [ TRUNCATED, ERROR ]
    }
    features {
      name: "item:scores" group: 1
      values { lists { lengths: [ 1, 1 ]
                       elements { float64s { values: [ 0.5, 0.25 ] } } } }
    }
    features {
      name: "item:flags" group: 1
      values { lists { lengths: [ 2, 1 ]
                       elements { bools { values: [ true, false, true ] } } } }
    }
    groups {
      group: "user" obtained: REFRESHED fidelity: FULL event_time_us: 9
      as_of_us: 10 as_of_sequence: 11 pending_events: 0
    }
    groups {
      group: "item" obtained: [ STALE_SHED, DEFAULT_COLD ]
      fidelity: [ APPROXIMATE, FULL ] event_time_us: [ 1, 0 ]
      as_of_us: [ 2, 0 ] as_of_sequence: [ 3, 0 ] pending_events: [ 4, 5 ]
    })");
}

TEST(FeatureAnswerTest, ReadsEveryTypeByNameAndRow) {
  const FeatureAnswer answer = TwoRows();
  EXPECT_EQ(answer.rows(), 2u);
  EXPECT_EQ(answer.revision(), 3u);
  EXPECT_EQ(answer.request_id(), "r");
  EXPECT_EQ(answer.price(), 0.25);
  EXPECT_EQ(answer.feature_count(), 10u);
  EXPECT_EQ(*answer.Float64("item:price", 0), 1.5);
  EXPECT_THAT(*answer.Vector("item:vector", 1), ElementsAre(3, 4));
  EXPECT_THAT(*answer.Feature("item:tags")->StringList(1),
              ElementsAre("b", "c"));
  EXPECT_THAT(*answer.Feature("item:flags")->BoolList(0),
              ElementsAre(true, false));
  EXPECT_THAT(*answer.Int64List("item:ids", 0), ElementsAre(7, 8));
  EXPECT_THAT(*answer.Int64List("item:ids", 1), ElementsAre());
  EXPECT_THAT(*answer.Feature("item:scores")->Float64List(1),
              ElementsAre(0.25));
  EXPECT_TRUE(*answer.Feature("item:sale")->Bool(0));
  EXPECT_EQ(*answer.Feature("item:since")->TimestampUs(1), 12);
  EXPECT_EQ(*answer.String("item:brand", 0), "x");
}

TEST(FeatureAnswerTest, OneElementStandsForEveryRow) {
  const FeatureAnswer answer = TwoRows();
  EXPECT_EQ(*answer.Int64("user:clicks", 0), 5);
  EXPECT_EQ(*answer.Int64("user:clicks", 1), 5);
  const RowFreshness second = answer.Feature("user:clicks")->freshness(1);
  EXPECT_EQ(second.obtained, Obtained::kRefreshed);
  EXPECT_EQ(second.as_of_sequence, 11u);
}

TEST(FeatureAnswerTest, FreshnessStandsPerRow) {
  const FeatureAnswer answer = TwoRows();
  const RowFreshness first = answer.Feature("item:price")->freshness(0);
  EXPECT_EQ(first.obtained, Obtained::kStaleShed);
  EXPECT_EQ(first.fidelity, Fidelity::kApproximate);
  EXPECT_EQ(first.event_time_us, 1);
  EXPECT_EQ(first.as_of_us, 2);
  EXPECT_EQ(first.as_of_sequence, 3u);
  EXPECT_EQ(first.pending_events, 4u);
  EXPECT_EQ(answer.Feature("item:price")->freshness(1).obtained,
            Obtained::kDefaultCold);
}

TEST(FeatureAnswerTest, AMissingValueIsAnErrorThatNamesItsStatus) {
  const FeatureAnswer answer = TwoRows();
  EXPECT_THAT(answer.Float64("item:price", 1),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("item:price"), HasSubstr("row 1"),
                             HasSubstr("NULL"))));
  EXPECT_THAT(answer.String("item:brand", 1),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("ERROR")));
  EXPECT_TRUE(answer.Feature("item:since")->HasValue(0));
  EXPECT_TRUE(answer.Feature("item:since")->HasValue(1));
}

TEST(FeatureAnswerTest, AWrongTypeNamesBoth) {
  EXPECT_THAT(TwoRows().Int64("item:price"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("item:price"), HasSubstr("FLOAT64"),
                             HasSubstr("INT64"))));
  EXPECT_THAT(
      TwoRows().Int64List("item:tags"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("list of INT64")));
}

TEST(FeatureAnswerTest, UnknownFeatureAndRowAreErrors) {
  const FeatureAnswer answer = TwoRows();
  EXPECT_THAT(answer.Int64("user:click"),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("user:click"),
                             HasSubstr("user:clicks, item:price"))));
  EXPECT_THAT(answer.Int64("user:clicks", 2),
              StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("2 rows")));
}

TEST(FeatureAnswerTest, AnAnswerThatContradictsItselfIsAnErrorNotACrash) {
  const FeatureAnswer answer = AnswerFrom(R"(
    rows: 3
    features { name: "a:short" group: 7
               values { int64s { values: [ 1, 2 ] } } }
    features { name: "a:list" group: 7
               values { lists { lengths: [ 1, 1, 9 ]
                                elements { int64s { values: [ 1, 2 ] } } } } }
    features { name: "a:vector"
               values { vectors { dim: 0 values: [ 1, 2 ] } } })");
  EXPECT_THAT(answer.Int64("a:short", 1), IsOk());
  EXPECT_THAT(answer.Int64("a:short", 2),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("a:short")));
  EXPECT_THAT(answer.Int64List("a:list", 2),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("a:list")));
  EXPECT_THAT(answer.Vector("a:vector"),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("a:vector")));
  EXPECT_EQ(answer.Feature("a:short")->freshness(2).as_of_us, 0);
}

TEST(EventAnswerTest, NoStatusesMeansAllAccepted) {
  v1::EventResults results;
  results.add_ingest_sequence(5);
  results.add_ingest_sequence(6);
  results.set_ack_level(v1::MEMORY);
  const EventAnswer answer(results);
  EXPECT_EQ(answer.size(), 2u);
  EXPECT_EQ(answer.accepted(), 2u);
  EXPECT_EQ(answer.ingest_sequence(1), 6u);
  EXPECT_EQ(answer.ack_level(), AckLevel::kMemory);
}

TEST(EventAnswerTest, CountsWhatWasAccepted) {
  v1::EventResults results;
  results.add_ingest_sequence(5);
  results.add_ingest_sequence(0);
  results.add_statuses(v1::ACCEPTED);
  results.add_statuses(v1::DUPLICATE);
  EXPECT_EQ(EventAnswer(results).accepted(), 1u);
  EXPECT_EQ(EventAnswer(results).status(1), EventStatus::kDuplicate);
}

TEST(AnswerNamesTest, AreTheWiresAndKeepUnknownNumbers) {
  EXPECT_EQ(ToString(Obtained::kStaleShed), "STALE_SHED");
  EXPECT_EQ(ToString(ValueStatus::kNotFound), "NOT_FOUND");
  EXPECT_EQ(ToString(Fidelity::kFull), "FULL");
  EXPECT_EQ(ToString(EventStatus::kLate), "LATE");
  EXPECT_EQ(ToString(AckLevel::kDurable), "DURABLE");
  EXPECT_EQ(ToString(static_cast<Obtained>(99)), "unknown(99)");
}

}  // namespace
}  // namespace freshline
