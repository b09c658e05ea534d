// SPDX-License-Identifier: Apache-2.0
#include "log/async_log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spdlog/logger.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/fake_clock.h"

namespace freshline::log {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr base::Duration kPatience = std::chrono::seconds(60);

// A pipe whose reader does nothing until it is told.
class Pipe {
 public:
  Pipe() { EXPECT_EQ(::pipe(fds_), 0); }
  ~Pipe() {
    CloseReader();
    CloseWriter();
  }
  int writer() const { return fds_[1]; }
  void CloseReader() { Close(&fds_[0]); }
  void CloseWriter() { Close(&fds_[1]); }

  // As much as there is.
  std::string Read() {
    std::string text;
    char part[4096];
    ::fcntl(fds_[0], F_SETFL, O_NONBLOCK);
    ssize_t n = 0;
    while ((n = ::read(fds_[0], part, sizeof part)) > 0) {
      text.append(part, static_cast<size_t>(n));
    }
    return text;
  }
  // Until the pipe takes nothing more.
  void Fill() {
    ::fcntl(fds_[1], F_SETFL, O_NONBLOCK);
    const std::string block(4096, 'x');
    while (::write(fds_[1], block.data(), block.size()) > 0) {
    }
    ::fcntl(fds_[1], F_SETFL, 0);
  }

 private:
  static void Close(int* fd) {
    if (*fd >= 0) ::close(*fd);
    *fd = -1;
  }
  int fds_[2] = {-1, -1};
};

AsyncLog::Options To(const Pipe& pipe) {
  AsyncLog::Options options;
  options.fd = pipe.writer();
  return options;
}

TEST(AsyncLogTest, WritesEveryLineInOrderBeforeItEnds) {
  Pipe pipe;
  AsyncLog log(To(pipe), base::Clock::Real());
  log.Write("one");
  log.Write("two");
  log.Close(kPatience);
  EXPECT_EQ(pipe.Read(), "one\ntwo\n");
  EXPECT_EQ(log.stats().written, 2U);
  EXPECT_EQ(log.stats().lost, 0U);
}

// The pipe is full and nobody reads: neither the writers nor the end wait.
TEST(AsyncLogTest, AReaderThatIsStuckBlocksNobodyAndItsLinesAreCounted) {
  Pipe pipe;
  pipe.Fill();
  AsyncLog::Options options = To(pipe);
  options.bytes_max = 1000;
  AsyncLog log(options, base::Clock::Real());
  for (int i = 0; i < 1000; ++i) log.Write("a line of some twenty bytes");
  EXPECT_GT(log.stats().lost, 900U);
  log.Close(base::Duration::zero());
  EXPECT_EQ(log.stats().lost, 1000U);
  EXPECT_EQ(log.stats().written, 0U);
}

TEST(AsyncLogTest, SaysHowManyLinesWereLostOnceItIsReadAgain) {
  Pipe pipe;
  pipe.Fill();
  AsyncLog::Options options = To(pipe);
  options.bytes_max = 100;
  AsyncLog log(options, base::Clock::Real());
  log.Write(std::string(90, 'a'));
  log.Write(std::string(90, 'b'));
  EXPECT_EQ(log.stats().lost, 1U);
  // While it waits for the first, the second is gone; now it is read.
  std::string text;
  while (log.stats().written < 1) absl::StrAppend(&text, pipe.Read());
  log.Write("later");
  while (log.stats().written < 2) absl::StrAppend(&text, pipe.Read());
  absl::StrAppend(&text, pipe.Read());
  EXPECT_THAT(text, HasSubstr("log: 1 lines were lost"));
  EXPECT_THAT(text, HasSubstr("later\n"));
}

TEST(AsyncLogTest, AClosedReaderAndAClosedDescriptorLoseLines) {
  ::signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  pipe.CloseReader();
  AsyncLog broken(To(pipe), base::Clock::Real());
  broken.Write("x");
  broken.Close(kPatience);
  EXPECT_EQ(broken.stats().lost, 1U);

  AsyncLog::Options options;
  options.fd = 1'000'000;  // no such descriptor
  AsyncLog closed(options, base::Clock::Real());
  closed.Write("x");
  closed.Close(kPatience);
  EXPECT_EQ(closed.stats().lost, 1U);
}

TEST(AsyncLogTest, AFullDiskLosesLines) {
  AsyncLog::Options options;
  options.fd = ::open("/dev/full", O_WRONLY);
  ASSERT_GE(options.fd, 0);
  AsyncLog log(options, base::Clock::Real());
  log.Write("x");
  log.Close(kPatience);
  EXPECT_EQ(log.stats().lost, 1U);
  ::close(options.fd);
}

TEST(AsyncLogTest, ALibrarysFloodIsCutAndCountedAndOthersGoOn) {
  Pipe pipe;
  AsyncLog::Options options = To(pipe);
  options.library_burst = 2;
  options.library_lines_per_second = 0;
  AsyncLog log(options, base::Clock::Real());
  for (int i = 0; i < 50; ++i) log.WriteOf(Library::kProtobuf, "bad UTF-8");
  log.WriteOf(Library::kGrpc, std::string(5000, 'g'));
  log.Write("ours");
  log.Close(kPatience);
  const std::string text = pipe.Read();
  EXPECT_THAT(text, StartsWith("protobuf: bad UTF-8\nprotobuf: bad UTF-8\n"
                               "grpc: ggg"));
  EXPECT_THAT(text, HasSubstr("ours\n"));
  EXPECT_LT(text.size(), 2U * AsyncLog::kLibraryLineBytesMax);
  EXPECT_EQ(log.stats().left_out, 48U);
  EXPECT_EQ(log.stats().lost, 0U);
}

TEST(AsyncLogTest, TheLineAfterAFloodSaysHowManyWereLeftOut) {
  Pipe pipe;
  AsyncLog::Options options = To(pipe);
  options.library_burst = 1;
  options.library_lines_per_second = 1;
  test::FakeClock clock;
  AsyncLog log(options, clock);
  for (int i = 0; i < 3; ++i) log.WriteOf(Library::kGrpc, "x");
  clock.Advance(std::chrono::seconds(1));
  log.WriteOf(Library::kGrpc, "y");
  log.Close(kPatience);
  EXPECT_EQ(pipe.Read(),
            "grpc: x\ngrpc: y (2 lines before it were left out)\n");
}

TEST(AsyncLogTest, SpdlogWritesItsLinesHere) {
  Pipe pipe;
  AsyncLog log(To(pipe), base::Clock::Real());
  spdlog::logger logger("t", MakeSpdlogSink(&log));
  logger.set_pattern("%l %v");
  logger.info("port {}", 7);
  log.Close(kPatience);
  EXPECT_EQ(pipe.Read(), "info port 7\n");
}

TEST(AsyncLogTest, WhatComesAfterTheEndIsLost) {
  Pipe pipe;
  AsyncLog log(To(pipe), base::Clock::Real());
  log.Close(kPatience);
  log.Write("too late");
  EXPECT_EQ(log.stats().lost, 1U);
  EXPECT_THAT(pipe.Read(), Not(HasSubstr("late")));
}

}  // namespace
}  // namespace freshline::log
