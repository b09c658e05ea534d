// SPDX-License-Identifier: Apache-2.0
#include "cli/push_tally.h"

#include <gmock/gmock.h>

#include <memory>
#include <sstream>

#include "freshline/v1/feature_store.pb.h"
#include "google/protobuf/text_format.h"
#include "tests/support/fake_clock.h"

namespace freshline::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

PushAnswer AnswerFrom(const std::string& text) {
  auto response = std::make_unique<v1::PushEventsResponse>();
  EXPECT_TRUE(
      google::protobuf::TextFormat::ParseFromString(text, response.get()));
  return PushAnswer(std::move(response));
}

std::string Printed(const PushTally& tally, bool json) {
  std::ostringstream out;
  tally.Print(json, out);
  return out.str();
}

TEST(PushTallyTest, CountsStatusesAndKeepsTheirFirstLines) {
  PushTally tally;
  tally.Add(
      AnswerFrom("results { ingest_sequence: [ 5, 6 ] ack_level: MEMORY }"),
      {2, 3});
  tally.Add(AnswerFrom("results { statuses: [ ACCEPTED, LATE, LATE ] "
                       "ingest_sequence: [ 7, 0, 0 ] ack_level: MEMORY }"),
            {4, 5, 9});
  EXPECT_EQ(tally.total(), 5u);
  EXPECT_EQ(tally.accepted(), 3u);
  EXPECT_EQ(tally.FirstLine(EventStatus::kLate), 5u);
  EXPECT_EQ(tally.begin_line(), 2u);
  EXPECT_EQ(tally.end_line(), 9u);
  EXPECT_EQ(Printed(tally, false),
            "pushed 5 events: 3 ACCEPTED, 2 LATE; acknowledged MEMORY, newest "
            "sequence 7\n");
  EXPECT_EQ(Printed(tally, true),
            "{\"events\": 5, \"by_status\": {\"ACCEPTED\": 3, \"DUPLICATE\": "
            "0, \"LATE\": 2, \"FUTURE\": 0, \"EXHAUSTED\": 0}, "
            "\"newest_sequence\": 7, \"last_line\": 9, \"ack_level\": "
            "\"MEMORY\"}\n");
}

TEST(PushTallyTest, NothingAcceptedIsNotAcknowledged) {
  PushTally tally;
  EXPECT_EQ(Printed(tally, false), "pushed 0 events\n");
  tally.Add(AnswerFrom("results { statuses: [ LATE ] ingest_sequence: [ 0 ] "
                       "ack_level: MEMORY }"),
            {2});
  EXPECT_EQ(Printed(tally, false), "pushed 1 events: 1 LATE\n");
}

TEST(RefusalsTest, SayWhyAndWhatToDo) {
  PushTally tally;
  EXPECT_THAT(Refusals(tally, {}), IsEmpty());
  tally.Add(AnswerFrom("results { statuses: [ ACCEPTED, LATE, DUPLICATE, "
                       "FUTURE, EXHAUSTED ] "
                       "ingest_sequence: [ 7, 0, 0, 0, 0 ] }"),
            {2, 3, 4, 5, 6});
  EXPECT_THAT(
      Refusals(tally, {"clicks", "30d", "10s", "web"}),
      ElementsAre(
          AllOf(HasSubstr("1 DUPLICATE (the first on line 4)"),
                HasSubstr("producer \"web\""), HasSubstr("--first-sequence")),
          AllOf(HasSubstr("1 LATE (the first on line 3)"),
                HasSubstr("retention 30d"), HasSubstr("10s"),
                HasSubstr("--shift-time now")),
          AllOf(HasSubstr("1 FUTURE"), HasSubstr("--time-unit")),
          AllOf(HasSubstr("1 EXHAUSTED"), HasSubstr("keys_max"))));
}

TEST(PushProgressTest, TellsEveryFiveSeconds) {
  test::FakeClock clock;
  std::ostringstream err;
  PushProgress progress(clock, err);
  PushTally tally;
  tally.Add(AnswerFrom("results { ingest_sequence: [ 5, 6 ] }"), {2, 3});
  clock.Advance(std::chrono::milliseconds(4999));
  progress.Tell(tally);
  EXPECT_EQ(err.str(), "");
  clock.Advance(std::chrono::milliseconds(1));
  progress.Tell(tally);
  progress.Tell(tally);
  EXPECT_EQ(err.str(), "freshline: 2 events by line 3, 0 a second\n");
}

}  // namespace
}  // namespace freshline::cli
