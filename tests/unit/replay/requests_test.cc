// SPDX-License-Identifier: Apache-2.0
#include "bench/replay/requests.h"

#include <gtest/gtest.h>

#include <vector>

#include "freshline/v1/feature_store.pb.h"

namespace freshline::bench {
namespace {

std::vector<Click> ClicksAt(std::vector<int64_t> times_us, int64_t user) {
  std::vector<Click> clicks;
  for (const int64_t time_us : times_us) {
    Click click;
    click.time_us = time_us;
    click.user = user;
    clicks.push_back(click);
  }
  return clicks;
}

TEST(EncodeQueriesTest, AStormIsPushedBesideTheNextQueryEachClickOnce) {
  const std::vector<Click> clicks = ClicksAt({10, 20, 30}, 1);
  const std::vector<Click> storm = ClicksAt({5, 6, 25, 40}, 2);
  StringPool pool;
  EncodeOptions options;
  options.storm = storm;
  options.slo_of = [](int64_t) { return std::chrono::milliseconds(50); };
  const EncodedQueries encoded = EncodeQueries(clicks, pool, options);
  ASSERT_EQ(encoded.requests.size(), 3U);
  std::vector<int> pushed;
  std::vector<uint64_t> sequences;
  for (const LoadRequest& request : encoded.requests) {
    EXPECT_TRUE(request.push.empty());
    EXPECT_EQ(request.slo, std::chrono::milliseconds(50));
    v1::GetFeaturesRequest query;
    ASSERT_TRUE(query.ParseFromArray(request.query.data(),
                                     static_cast<int>(request.query.size())));
    EXPECT_EQ(query.events_size(), 1);  // its own click
    v1::PushEventsRequest push;
    ASSERT_TRUE(push.ParseFromArray(request.beside.data(),
                                    static_cast<int>(request.beside.size())));
    pushed.push_back(
        push.batches_size() == 0 ? 0 : push.batches(0).event_time_us_size());
    for (const v1::EventBatch& batch : push.batches()) {
      EXPECT_NE(batch.producer_id(), query.events(0).producer_id());
      sequences.insert(sequences.end(), batch.producer_sequence().begin(),
                       batch.producer_sequence().end());
    }
  }
  // The last one comes after every query.
  EXPECT_EQ(pushed, (std::vector<int>{2, 0, 1}));
  EXPECT_EQ(sequences, (std::vector<uint64_t>{1, 2, 3}));
}

TEST(EncodeQueriesTest, WithoutAStormNothingIsBesideAQuery) {
  StringPool pool;
  const EncodedQueries encoded =
      EncodeQueries(ClicksAt({10}, 1), pool, EncodeOptions{});
  ASSERT_EQ(encoded.requests.size(), 1U);
  EXPECT_TRUE(encoded.requests[0].beside.empty());
}

// A click on another item is the outcome of the query that came with the first
// of the clicks on the item before.
TEST(EncodeQueriesTest, ACallerReportsWithTheNextClickOnAnotherItem) {
  std::vector<Click> clicks = ClicksAt({10, 20, 30, 40, 50}, 7);
  clicks[1].user = 8;
  const int64_t items[] = {100, 100, 100, 200, 300};
  for (size_t i = 0; i < clicks.size(); ++i) clicks[i].item = items[i];
  StringPool pool;
  EncodeOptions options;
  options.report_outcomes = true;
  const EncodedQueries encoded = EncodeQueries(clicks, pool, options);
  ASSERT_EQ(encoded.requests.size(), 5U);
  for (const size_t i : {0, 1, 2}) {
    EXPECT_TRUE(encoded.requests[i].report.empty()) << i;
  }
  const auto expect = [&](size_t i, size_t earlier) {
    const LoadRequest& request = encoded.requests[i];
    EXPECT_EQ(request.chosen, items[i]);
    ASSERT_EQ(i - request.report_back, earlier);
    v1::ReportOutcomeRequest report;
    ASSERT_TRUE(report.ParseFromArray(request.report.data(),
                                      static_cast<int>(request.report.size())));
    v1::GetFeaturesRequest query;
    const absl::string_view bytes = encoded.requests[earlier].query;
    ASSERT_TRUE(
        query.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    ASSERT_EQ(report.request_id_size(), 1);
    EXPECT_EQ(report.request_id(0), query.request_id());
    EXPECT_EQ(report.feature_service(), query.feature_service());
    EXPECT_EQ(report.entities(0).SerializeAsString(),
              query.entities(0).SerializeAsString());
    EXPECT_EQ(report.loss_size(), 0);
  };
  expect(3, 0);
  expect(4, 3);
}

}  // namespace
}  // namespace freshline::bench
