// SPDX-License-Identifier: Apache-2.0
#include "base/bounded_write.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

namespace freshline::base {
namespace {

constexpr Duration kNow = Duration::zero();

// Writes until `fd` has no room, and returns how many calls that took.
int WritesUntilFull(int fd) {
  const std::string block(100'000, 'x');
  int calls = 0;
  while (WriteSome(fd, block, kNow).value_or(0) > 0) ++calls;
  return calls;
}

TEST(BoundedWriteTest, APipeOrSocketThatIsFullHasNoRoomAndBlocksNobody) {
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  EXPECT_GT(WritesUntilFull(pipe[1]), 1);
  EXPECT_EQ(WriteSome(pipe[1], "x", kNow), 0U);
  EXPECT_EQ(::fcntl(pipe[1], F_GETFL) & O_NONBLOCK, 0);
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  EXPECT_GT(WritesUntilFull(pair[1]), 1);
  EXPECT_EQ(WriteSome(pair[1], std::string(9000, 'y'), kNow).value_or(1), 0U);
  for (const int fd : {pipe[0], pipe[1], pair[0], pair[1]}) ::close(fd);
}

TEST(BoundedWriteTest, WhatTakesNothingAtAllIsTold) {
  EXPECT_EQ(WriteSome(1'000'000, "x", kNow), std::nullopt);
  const int full = ::open("/dev/full", O_WRONLY);
  EXPECT_EQ(WriteSome(full, "x", kNow), std::nullopt);
  ::close(full);
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  ::close(pair[0]);
  EXPECT_EQ(WriteSome(pair[1], "x", kNow), std::nullopt);
  ::close(pair[1]);
}

}  // namespace
}  // namespace freshline::base
