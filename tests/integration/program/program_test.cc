// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "bench/load/process_runner.h"
#include "freshline/client.h"
#include "freshline/v1/operations.pb.h"
#include "tests/support/status_matchers.h"

namespace freshline {
namespace {

using test::IsOk;
using test::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

class ProgramTest : public ::testing::Test {
 protected:
  ProgramTest()
      : root_(absl::StrCat(::testing::TempDir(), "/program.", getpid())) {
    std::filesystem::create_directories(root_);
    std::filesystem::copy_file(
        FRESHLINE_CONFIG_DIR "/fraud.textproto", Path("defs.textproto"),
        std::filesystem::copy_options::overwrite_existing);
  }
  ~ProgramTest() override {
    runner_.reset();
    std::filesystem::remove_all(root_);
  }

  std::string Path(const std::string& name) const { return root_ + "/" + name; }
  static std::string TextOf(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  // Starts a daemon whose lines go to the file `log`.
  absl::Status Start(const std::string& more = "",
                     const std::string& log = "log") {
    std::ofstream(Path("d.textproto"))
        << "listen: '127.0.0.1:0' definitions: 'defs.textproto'\n"
        << "port_file: 'port'\n"
        << more;
    auto runner = bench::ProcessRunner::Start(
        {.arguments = {TEST_DAEMON, "--config", Path("d.textproto")},
         .log_path = Path(log),
         .port_file = Path("port")});
    if (!runner.ok()) return runner.status();
    runner_ = *std::move(runner);
    target_ = absl::StrCat("127.0.0.1:", runner_->port());
    client_ = *Client::Create({.target = target_});
    return absl::OkStatus();
  }

  v1::GetStatusResponse Status() const {
    const auto status = client_->GetStatus();
    EXPECT_THAT(status, IsOk());
    return status.ok() ? status->proto() : v1::GetStatusResponse();
  }

  const std::string root_;
  std::string target_;
  std::unique_ptr<bench::ProcessRunner> runner_;
  std::unique_ptr<Client> client_;
};

TEST_F(ProgramTest, SignalsWithoutAMeaningAreIgnoredAndSaid) {
  ASSERT_THAT(Start(), IsOk());
  for (const int number : {SIGHUP, SIGUSR1, SIGUSR2}) {
    ASSERT_EQ(kill(runner_->pid(), number), 0);
    Status();
  }
  EXPECT_EQ(runner_->Stop(), 0);
  const std::string log = TextOf(Path("log"));
  EXPECT_THAT(log,
              AllOf(HasSubstr("SIGHUP: ignored"), HasSubstr("SIGUSR1: ignored"),
                    HasSubstr("SIGUSR2: ignored"), HasSubstr("stopped")));
}

TEST_F(ProgramTest, SigquitDrainsAsSigtermDoes) {
  ASSERT_THAT(Start(), IsOk());
  ASSERT_EQ(kill(runner_->pid(), SIGQUIT), 0);
  while (!runner_->Ended()) {
  }
  EXPECT_EQ(runner_->Stop(), 0);
  EXPECT_THAT(TextOf(Path("log")), HasSubstr("stopped"));
}

// Calls a method with bytes of our own.
grpc::StatusCode CallWith(grpc::GenericStub* stub, const std::string& method,
                          const std::string& bytes) {
  grpc::ClientContext context;
  context.set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_REALTIME),
                                    gpr_time_from_seconds(30, GPR_TIMESPAN)));
  grpc::CompletionQueue queue;
  const grpc::Slice slice(bytes);
  const grpc::ByteBuffer request(&slice, 1);
  const auto call = stub->PrepareUnaryCall(&context, method, request, &queue);
  call->StartCall();
  grpc::ByteBuffer response;
  grpc::Status status;
  call->Finish(&response, &status, &queue);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  return status.error_code();
}

// A reader that has stopped: the pipe is full before the daemon has said a
// word.
TEST_F(ProgramTest, ALogThatNobodyReadsBlocksNobody) {
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  const int pipe = open(Path("pipe").c_str(), O_RDWR | O_NONBLOCK);
  const std::string block(4096, 'x');
  while (write(pipe, block.data(), block.size()) > 0) {
  }
  ASSERT_THAT(Start("", "pipe"), IsOk());
  // Each makes a library complain from the only poller.
  grpc::GenericStub stub(
      grpc::CreateChannel(target_, grpc::InsecureChannelCredentials()));
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(CallWith(&stub, "/freshline.v1.FeatureStore/GetFeatures",
                       "\x0a\x03\xff\xfe\xfd"),
              grpc::StatusCode::INVALID_ARGUMENT);
  }
  const v1::GetStatusResponse status = Status();
  EXPECT_EQ(status.log().written(), 0U);
  EXPECT_EQ(runner_->Stop(), 0);
  close(pipe);
}

TEST_F(ProgramTest, AFullDiskOfTheLogIsCountedAndSaid) {
  std::filesystem::create_symlink("/dev/full", Path("full"));
  ASSERT_THAT(Start("", "full"), IsOk());
  v1::GetStatusResponse status = Status();
  while (status.log().lost() == 0) status = Status();
  EXPECT_THAT(std::vector<std::string>(status.degraded().begin(),
                                       status.degraded().end()),
              ::testing::Contains(HasSubstr("lines of the log were lost")));
  EXPECT_EQ(runner_->Stop(), 0);
}

TEST_F(ProgramTest, WithoutStandardErrorNoOtherFileGetsTheLines) {
  std::ofstream(Path("d.textproto"))
      << "listen: '127.0.0.1:0' definitions: 'defs.textproto'\n"
      << "port_file: 'port' decision_log { path: 'decisions' }\n";
  auto runner = bench::ProcessRunner::Start(
      {.arguments = {"/bin/sh", "-c",
                     "exec \"$0\" --config \"$1\" <&- >&- 2>&-", TEST_DAEMON,
                     Path("d.textproto")},
       .log_path = "",
       .port_file = Path("port")});
  ASSERT_THAT(runner, IsOk());
  runner_ = *std::move(runner);
  client_ =
      *Client::Create({.target = absl::StrCat("127.0.0.1:", runner_->port())});
  v1::GetStatusResponse status = Status();
  while (status.log().lost() == 0) status = Status();
  EXPECT_EQ(status.log().written(), 0U);
  EXPECT_EQ(runner_->Stop(), 0);
  EXPECT_THAT(TextOf(Path("decisions")), ::testing::StartsWith("FRESHLOG"));
  EXPECT_THAT(TextOf(Path("decisions")),
              ::testing::Not(HasSubstr("listening on")));
}

TEST_F(ProgramTest, WhatItWouldWriteOverIsLeftAloneAndTheExitSaysSo) {
  const std::string before = TextOf(Path("defs.textproto"));
  EXPECT_THAT(Start("decision_log { path: 'defs.textproto' }"),
              StatusIs(absl::StatusCode::kUnavailable,
                       AllOf(HasSubstr("78"),
                             HasSubstr("d.textproto:3:16: decision_log.path"),
                             HasSubstr("no decision log"))));
  EXPECT_EQ(TextOf(Path("defs.textproto")), before);
}

TEST_F(ProgramTest, APortFileThatCannotBeWrittenIsAnError) {
  std::ofstream(Path("d.textproto"))
      << "listen: '127.0.0.1:0' definitions: 'defs.textproto'\n"
      << "port_file: 'no/such/port'";
  const auto runner = bench::ProcessRunner::Start(
      {.arguments = {TEST_DAEMON, "--config", Path("d.textproto")},
       .log_path = Path("log"),
       .port_file = Path("port")});
  EXPECT_THAT(runner, StatusIs(absl::StatusCode::kUnavailable,
                               AllOf(HasSubstr("78"),
                                     HasSubstr("d.textproto:2:1: port_file"))));
}

}  // namespace
}  // namespace freshline
