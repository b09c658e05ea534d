// SPDX-License-Identifier: Apache-2.0
#include "http2/loop.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fcntl.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/support/http2_frames.h"

namespace freshline::http2 {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using test::Frame;
using test::FrameType;

constexpr Field kHeaders[] = {{":status", "200"}};

// Answers every request at its headers, with nothing.
class Echo final : public Link::Handler {
 public:
  void OnLink(Link* link) override { link_ = link; }
  void OnBegin() override {}
  void OnHeader(absl::string_view, absl::string_view) override {}
  Stream* OnRequest(StreamId id) override {
    link_->session().RespondOnly(id, kHeaders);
    return nullptr;
  }
  bool Refuses() override { return false; }
  const std::string* Refuse(const void*, size_t) override { return nullptr; }

 private:
  Link* link_ = nullptr;
};

// A loop in the test's own thread, on a clock of its own.
class LoopTest : public ::testing::Test, private Loop::Owner {
 protected:
  void SetUp() override {
    Connections::Limits limits;
    // Nobody says here when calls are over.
    limits.connection.calls_max = 1 << 30;
    limits.connection.all_calls_max = 1 << 30;
    connections_ = std::make_unique<Connections>(limits, clock_);
    loop_ =
        std::make_unique<Loop>(options_, clock_, connections_.get(), owner_);
    loop_->Own();
  }
  void TearDown() override {
    loop_.reset();
    for (const int fd : clients_) close(fd);
  }
  // Returns: the client's end of a new connection.
  int Connect() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    sockaddr_storage peer{};
    peer.ss_family = AF_UNIX;
    EXPECT_EQ(connections_->Admit(ends[0], peer, &last_), Refusal::kNone);
    loop_->Adopt(last_);
    clients_.push_back(ends[1]);
    Turn();
    return ends[1];
  }
  int Begin() {
    const int fd = Connect();
    Send(fd, test::kHttp2Preface + test::ClientSettings(65'535) +
                 Frame(FrameType::kSettings, 1, 0, ""));
    Turn();
    Take(fd);
    return fd;
  }
  static void Send(int fd, const std::string& bytes) {
    EXPECT_EQ(write(fd, bytes.data(), bytes.size()),
              static_cast<ssize_t>(bytes.size()));
  }
  void Turn() {
    loop_->Poll(base::Duration::zero());
    loop_->Read();
    loop_->RunPosted();
    loop_->Flush();
  }
  void Pass(base::Duration time) {
    clock_.Advance(time);
    Turn();
  }
  // What has come; "END" once the loop has hung up.
  static std::string Take(int fd) {
    std::string all;
    char buffer[4096];
    while (true) {
      const ssize_t n = read(fd, buffer, sizeof(buffer));
      if (n == 0) return all.empty() ? "END" : all;
      if (n < 0) return all;
      all.append(buffer, static_cast<size_t>(n));
    }
  }
  static bool Ended(int fd) {
    Take(fd);
    return Take(fd) == "END";
  }
  static std::string Call(uint32_t stream) {
    return Frame(FrameType::kHeaders, test::kEndHeaders | test::kEndStream,
                 stream, test::CallHeaders("/a.B/C"));
  }
  static std::string Ping() {
    return Frame(FrameType::kPing, 0, 0, "12345678");
  }
  std::unique_ptr<Handler> Connect(std::shared_ptr<Connection>) override {
    return std::make_unique<Echo>();
  }

  test::FakeClock clock_;
  Loop::Options options_;
  Loop::Owner* const owner_ = this;
  std::unique_ptr<Connections> connections_;
  std::shared_ptr<Connection> last_;
  std::vector<int> clients_;
  std::unique_ptr<Loop> loop_;
};

TEST_F(LoopTest, ServesUntilItsClientGoes) {
  const int fd = Begin();
  Send(fd, Call(1) + Call(3));
  Turn();
  EXPECT_EQ(Take(fd).size(), 2 * (9 + 1U));
  EXPECT_EQ(connections_->open(), 1U);
  shutdown(fd, SHUT_RDWR);
  Turn();
  EXPECT_EQ(connections_->open(), 0U);
}

TEST_F(LoopTest, RunsWhatOthersPostInTheirOrder) {
  struct Note final : Loop::Task {
    void RunOnLoop() override { notes->push_back(number); }
    std::vector<int>* notes = nullptr;
    int number = 0;
  };
  std::vector<int> ran;
  std::vector<Note> notes(100);
  std::thread other([&] {
    for (int i = 0; i < 100; ++i) {
      notes[static_cast<size_t>(i)].notes = &ran;
      notes[static_cast<size_t>(i)].number = i;
      loop_->Post(&notes[static_cast<size_t>(i)]);
    }
  });
  while (ran.size() < 100) {
    loop_->Poll(seconds(1));
    loop_->RunPosted();
  }
  other.join();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(ran[static_cast<size_t>(i)], i);
}

TEST_F(LoopTest, WhoDoesNotSayHttp2IsHungUpOn) {
  const int silent = Connect();
  const int half = Connect();
  Send(half, test::kHttp2Preface.substr(0, 10));
  const int begun = Begin();
  Pass(options_.times.handshake_max);
  EXPECT_FALSE(Ended(silent));
  Pass(milliseconds(101));
  EXPECT_TRUE(Ended(silent));
  EXPECT_TRUE(Ended(half));
  EXPECT_FALSE(Ended(begun));
}

TEST_F(LoopTest, AnIdleClientIsAskedToGoAndGoes) {
  const int fd = Begin();
  for (int i = 0; i < 9; ++i) {
    Pass(minutes(1));
    Send(fd, Frame(FrameType::kPing, 1, 0, std::string(8, '\0')));
    Turn();
  }
  Send(fd, Call(1));
  Pass(minutes(1));
  Pass(minutes(1));
  EXPECT_FALSE(Ended(fd)) << "it had a call since";
  Send(fd, Frame(FrameType::kPing, 1, 0, std::string(8, '\0')));
  Turn();
  for (int i = 0; i < 13; ++i) {
    Pass(minutes(1));
    if (Ended(fd)) break;
    Send(fd, Frame(FrameType::kPing, 1, 0, std::string(8, '\0')));
    Turn();
  }
  EXPECT_EQ(connections_->open(), 0U);
}

TEST_F(LoopTest, AClientThatDoesNotAnswerAPingIsGone) {
  const int fd = Begin();
  Pass(minutes(1) + milliseconds(1));
  EXPECT_EQ(Take(fd).size(), 9 + 8U) << "a ping";
  Pass(seconds(20));
  EXPECT_FALSE(Ended(fd));
  Pass(milliseconds(101));
  EXPECT_TRUE(Ended(fd));
}

TEST_F(LoopTest, AClientThatPingsTooOftenIsTold) {
  const int fd = Begin();
  Send(fd, Ping());
  Turn();
  Send(fd, Ping());
  Turn();
  Send(fd, Ping());
  Turn();
  EXPECT_EQ(Take(fd).size(), 3 * (9 + 8U));
  Send(fd, Ping());
  Turn();
  EXPECT_NE(Take(fd).find("too_many_pings"), std::string::npos);
  EXPECT_TRUE(Ended(fd));
}

TEST_F(LoopTest, PingsBetweenAnswersAreFine) {
  const int fd = Begin();
  for (uint32_t stream = 1; stream < 100; stream += 2) {
    Send(fd, Call(stream) + Ping());
    Turn();
  }
  EXPECT_FALSE(Ended(fd));
}

TEST_F(LoopTest, WhoReadsNothingIsNotReadFromAndEnds) {
  const int fd = Begin();
  uint32_t stream = 1;
  std::string calls;
  // Until neither side's buffers take any more.
  for (bool more = true; more;) {
    for (int i = 0; i < 100; ++i, stream += 2) calls += Call(stream);
    const ssize_t n = write(fd, calls.data(), calls.size());
    more = n > 0;
    if (more) calls.erase(0, static_cast<size_t>(n));
    Turn();
  }
  EXPECT_EQ(last_->ended(), EndReason::kNone);
  Pass(options_.times.blocked_max);
  EXPECT_EQ(connections_->open(), 1U);
  Pass(milliseconds(101));
  EXPECT_EQ(connections_->open(), 0U);
  EXPECT_EQ(last_->ended(), EndReason::kUnreadAnswers);
}

TEST_F(LoopTest, EndsWithItsConnections) {
  const int fd = Begin();
  loop_->Advance(Link::Phase::kNotice);
  Turn();
  Send(fd, Call(1));
  Turn();
  EXPECT_FALSE(Ended(fd));
  loop_->Advance(Link::Phase::kLast);
  Turn();
  EXPECT_TRUE(Ended(fd)) << "nothing is under way";
  EXPECT_FALSE(loop_->ended());
  loop_->Advance(Link::Phase::kEnd);
  Turn();
  EXPECT_TRUE(loop_->ended());
}

}  // namespace
}  // namespace freshline::http2
