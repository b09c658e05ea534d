// SPDX-License-Identifier: Apache-2.0
#include "rpc/connection_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshline::rpc {
namespace {

using http2::ConnectionStats;
using http2::Refusal;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr base::MonoTime kNow{std::chrono::hours(1)};

TEST(ConnectionStatusTest, TellsEveryCountByName) {
  ConnectionStats stats;
  stats.open = 1;
  stats.accepted = 2;
  stats.refused = {0, 3, 4, 5, 6};
  stats.ended = {0, 7, 8, 9, 10, 11};
  stats.calls = 12;
  stats.answer_bytes = 13;
  stats.answers_refused = 14;
  v1::GetStatusResponse out;
  FillConnections(stats, kNow, &out);
  const v1::ConnectionStatus& status = out.connections();
  EXPECT_EQ(status.open(), 1U);
  EXPECT_EQ(status.accepted(), 2U);
  EXPECT_EQ(status.refused().at("connections_max"), 3U);
  EXPECT_EQ(status.refused().at("connections_per_address_max"), 4U);
  EXPECT_EQ(status.refused().at("penalty"), 5U);
  EXPECT_EQ(status.refused().at("descriptors"), 6U);
  EXPECT_EQ(status.ended().at("header_block"), 7U);
  EXPECT_EQ(status.ended().at("idle_frames"), 8U);
  EXPECT_EQ(status.ended().at("unfinished_calls"), 9U);
  EXPECT_EQ(status.ended().at("resets"), 10U);
  EXPECT_EQ(status.ended().at("unread_answers"), 11U);
  EXPECT_EQ(status.calls(), 12U);
  EXPECT_EQ(status.unread_bytes(), 13U);
  EXPECT_EQ(status.answers_refused(), 14U);
}

TEST(ConnectionStatusTest, RefusalsAreNewsForAMinute) {
  ConnectionStats stats;
  stats.refused[static_cast<size_t>(Refusal::kInAll)] = 3;
  stats.last_refused = kNow - std::chrono::seconds(59);
  v1::GetStatusResponse recent;
  FillConnections(stats, kNow, &recent);
  EXPECT_THAT(recent.degraded(), ElementsAre(HasSubstr("3 connections")));
  v1::GetStatusResponse old;
  FillConnections(stats, kNow + std::chrono::seconds(1), &old);
  EXPECT_THAT(old.degraded(), IsEmpty());
}

}  // namespace
}  // namespace freshline::rpc
