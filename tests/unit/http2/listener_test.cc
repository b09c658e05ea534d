// SPDX-License-Identifier: Apache-2.0
#include "http2/listener.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace freshline::http2 {
namespace {

using absl::StatusCode;
using test::IsOk;
using test::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

class ListenerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string folder = ::testing::TempDir() + "listenXXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    path_ = folder_ + "/s.sock";
    address_ = std::string(absl::StrCat("unix:", path_));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // A socket as somebody else would have it at path_.
  int Foreign() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path_.c_str());
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)),
              0);
    return fd;
  }
  bool Connects() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path_.c_str());
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    const bool connected = connect(fd, reinterpret_cast<sockaddr*>(&address),
                                   sizeof(address)) == 0;
    close(fd);
    return connected;
  }

  std::string folder_;
  std::string path_;
  std::string address_;
};

TEST_F(ListenerTest, TakesAFreePortAndNeverSharesIt) {
  auto first = Listener::Open("127.0.0.1:0");
  ASSERT_THAT(first, IsOk());
  EXPECT_GT((*first)->port(), 0);
  const std::string taken(absl::StrCat("127.0.0.1:", (*first)->port()));
  EXPECT_THAT(Listener::Open(taken).status(),
              StatusIs(StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr(taken), HasSubstr("in use"))));
  first->reset();
  EXPECT_THAT(Listener::Open(taken), IsOk());
}

TEST_F(ListenerTest, ListensOnEveryAddressOfANameAtOnePort) {
  auto listener = Listener::Open("localhost:0");
  ASSERT_THAT(listener, IsOk());
  EXPECT_GE((*listener)->fds().size(), 1U);
  EXPECT_THAT(
      Listener::Open(absl::StrCat("127.0.0.1:", (*listener)->port())).status(),
      StatusIs(StatusCode::kFailedPrecondition, HasSubstr("in use")));
}

TEST_F(ListenerTest, TakesIpv6InBracketsWhereTheMachineHasIt) {
  auto listener = Listener::Open("[::1]:0");
  if (!listener.ok()) GTEST_SKIP() << listener.status().message();
  EXPECT_GT((*listener)->port(), 0);
}

TEST_F(ListenerTest, SaysWhatIsWrongWithAnAddress) {
  EXPECT_THAT(Listener::Open("192.0.2.1:0").status(),
              StatusIs(StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("192.0.2.1:0"),
                             HasSubstr("no address of this machine"))));
  EXPECT_THAT(Listener::Open("no.such.host.invalid:0").status(),
              StatusIs(StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("no.such.host.invalid"),
                             HasSubstr("does not resolve"))));
  EXPECT_THAT(
      Listener::Open(absl::StrCat("unix:", folder_, "/no/s.sock")).status(),
      StatusIs(StatusCode::kFailedPrecondition,
               AllOf(HasSubstr("/no/s.sock"), HasSubstr("No such file"))));
}

TEST_F(ListenerTest, RefusesASocketThatIsServedAndLeavesItAlone) {
  auto first = Listener::Open(address_);
  ASSERT_THAT(first, IsOk());
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(Listener::Open(address_).status(),
                StatusIs(StatusCode::kFailedPrecondition,
                         AllOf(HasSubstr(path_), HasSubstr("in use"))));
    EXPECT_TRUE(Connects());
  }
}

TEST_F(ListenerTest, RefusesASocketOfSomebodyWhoTakesNoLock) {
  const int fd = Foreign();
  ASSERT_EQ(listen(fd, 1), 0);
  EXPECT_THAT(Listener::Open(address_).status(),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("in use")));
  EXPECT_TRUE(Connects());
  close(fd);
}

TEST_F(ListenerTest, ReplacesASocketThatWasLeftBehind) {
  close(Foreign());
  std::ofstream(path_ + ".lock") << "";
  ASSERT_TRUE(std::filesystem::exists(path_));
  const auto listener = Listener::Open(address_);
  ASSERT_THAT(listener, IsOk());
  EXPECT_EQ((*listener)->port(), 0);
  EXPECT_TRUE(Connects());
}

TEST_F(ListenerTest, NeverRemovesAFileThatIsNoSocket) {
  std::ofstream(path_) << "precious";
  EXPECT_THAT(
      Listener::Open(address_).status(),
      StatusIs(StatusCode::kFailedPrecondition, HasSubstr("no socket")));
  EXPECT_EQ(std::filesystem::file_size(path_), 8U);
}

TEST_F(ListenerTest, LeavesNothingBehind) {
  ASSERT_THAT(Listener::Open(address_), IsOk());
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(ListenerTest, RemovesOnlyItsOwnSocket) {
  auto listener = Listener::Open(address_);
  ASSERT_THAT(listener, IsOk());
  ASSERT_EQ(unlink(path_.c_str()), 0);
  const int fd = Foreign();
  ASSERT_EQ(listen(fd, 1), 0);
  listener->reset();
  EXPECT_TRUE(Connects());
  close(fd);
}

}  // namespace
}  // namespace freshline::http2
