// SPDX-License-Identifier: Apache-2.0
#include "bench/load/process_runner.h"

#include <gmock/gmock.h>
#include <signal.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "tests/support/status_matchers.h"

namespace freshline::bench {
namespace {

using test::IsOk;
using test::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string TempFile(const char* name) {
  return absl::StrCat(::testing::TempDir(), "/process_runner_test.",
                      ::testing::UnitTest::GetInstance()->random_seed(), ".",
                      getpid(), ".", name);
}

ProcessOptions Shell(const std::string& script) {
  ProcessOptions options;
  options.arguments = {"sh", "-c", script};
  return options;
}

// A server: writes `port`, then works until it is told to end.
ProcessOptions Server(const std::string& port_file, const std::string& before) {
  ProcessOptions options = Shell(absl::StrCat(
      before, "; echo 4242 > ", port_file, "; while :; do :; done"));
  options.port_file = port_file;
  return options;
}

bool Exists(pid_t pid) { return kill(pid, 0) == 0; }

TEST(ProcessRunnerTest, WaitsForThePortAndEndsOnTerm) {
  auto runner = ProcessRunner::Start(Server(TempFile("port"), "true"));
  ASSERT_THAT(runner, IsOk());
  EXPECT_EQ((*runner)->port(), 4242);
  EXPECT_FALSE((*runner)->Ended());
  EXPECT_EQ((*runner)->Stop(), 128 + SIGTERM);
  EXPECT_TRUE((*runner)->Ended());
  EXPECT_EQ((*runner)->Stop(), 128 + SIGTERM);
}

TEST(ProcessRunnerTest, KillsWhatIgnoresTerm) {
  auto runner = ProcessRunner::Start(Server(TempFile("port"), "trap '' TERM"));
  ASSERT_THAT(runner, IsOk());
  EXPECT_EQ((*runner)->Stop(std::chrono::milliseconds(20)), 128 + SIGKILL);
}

TEST(ProcessRunnerTest, AChildEndsWithWhoStartedIt) {
  absl::StatusOr<std::unique_ptr<ProcessRunner>> runner;
  std::thread([&runner] {
    runner = ProcessRunner::Start(Server(TempFile("port"), "true"));
  }).join();
  ASSERT_THAT(runner, IsOk());
  const base::Clock& clock = base::Clock::Real();
  const base::MonoTime give_up = clock.Now() + std::chrono::seconds(20);
  while (!(*runner)->Ended() && clock.Now() < give_up) {
  }
  EXPECT_TRUE((*runner)->Ended());
  EXPECT_EQ((*runner)->Stop(), 128 + SIGKILL);
}

TEST(ProcessRunnerTest, DestructionLeavesNoChild) {
  pid_t pid = 0;
  {
    auto runner = ProcessRunner::Start(Server(TempFile("port"), "true"));
    ASSERT_THAT(runner, IsOk());
    pid = (*runner)->pid();
    EXPECT_TRUE(Exists(pid));
  }
  EXPECT_FALSE(Exists(pid));
}

TEST(ProcessRunnerTest, AnEarlyEndIsReportedWithCodeAndLog) {
  ProcessOptions options = Shell("echo no such table >&2; exit 78");
  options.port_file = TempFile("port");
  options.log_path = TempFile("log");
  EXPECT_THAT(ProcessRunner::Start(options),
              StatusIs(absl::StatusCode::kUnavailable,
                       AllOf(HasSubstr("78"), HasSubstr("no such table"))));
}

TEST(ProcessRunnerTest, AServerThatNeverServesIsEnded) {
  ProcessOptions options = Shell("exec sleep 1000");
  options.port_file = TempFile("port");
  options.start_timeout = std::chrono::milliseconds(20);
  EXPECT_THAT(ProcessRunner::Start(options),
              StatusIs(absl::StatusCode::kDeadlineExceeded,
                       HasSubstr(options.port_file)));
}

TEST(ProcessRunnerTest, AnOldPortFileDoesNotCount) {
  const std::string port_file = TempFile("port");
  { ASSERT_THAT(ProcessRunner::Start(Server(port_file, "true")), IsOk()); }
  ProcessOptions options = Shell("exit 3");
  options.port_file = port_file;
  EXPECT_THAT(ProcessRunner::Start(options),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("3")));
}

TEST(ProcessRunnerTest, RefusesWhatCannotBeStarted) {
  ProcessOptions options;
  EXPECT_THAT(
      ProcessRunner::Start(options),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("arguments")));
  options.arguments = {"/no/such/program"};
  EXPECT_THAT(
      ProcessRunner::Start(options),
      StatusIs(absl::StatusCode::kNotFound, HasSubstr("/no/such/program")));
}

TEST(ProcessRunnerTest, GivesTheExitCodeOfWhatEndsByItself) {
  auto runner = ProcessRunner::Start(Shell("exit 7"));
  ASSERT_THAT(runner, IsOk());
  while (!(*runner)->Ended()) {
  }
  EXPECT_EQ((*runner)->Stop(), 7);
  EXPECT_THAT((*runner)->CpuTime(),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("ended")));
}

TEST(ProcessRunnerTest, CpuTimeGrowsUnlessPaused) {
  auto runner = ProcessRunner::Start(Server(TempFile("port"), "true"));
  ASSERT_THAT(runner, IsOk());
  const base::Duration first = *(*runner)->CpuTime();
  while (*(*runner)->CpuTime() <= first + std::chrono::milliseconds(2)) {
  }
  (*runner)->Pause();
  const base::Duration paused = *(*runner)->CpuTime();
  const base::MonoTime until =
      base::Clock::Real().Now() + std::chrono::milliseconds(20);
  while (base::Clock::Real().Now() < until) {
  }
  // The slice in which it was stopped may be booked late.
  EXPECT_LE(*(*runner)->CpuTime() - paused, std::chrono::milliseconds(2));
  (*runner)->Resume();
  while (*(*runner)->CpuTime() <= paused) {
  }
  (*runner)->Pause();  // a paused process is ended all the same
  EXPECT_EQ((*runner)->Stop(), 128 + SIGTERM);
}

}  // namespace
}  // namespace freshline::bench
