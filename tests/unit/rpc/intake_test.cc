// SPDX-License-Identifier: Apache-2.0
#include "rpc/intake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/random.h"

namespace freshline::rpc {
namespace {

using ::testing::ElementsAre;
using Lane = Intake::Lane;

constexpr size_t kRoomy = 1 << 20;

// Keeps the intake busy until Open(). May go before the intake has noticed.
class Blocker {
 public:
  explicit Blocker(Intake* intake) {
    EXPECT_TRUE(intake->TryPost(Lane::kPush, "blocker", 0, [gate = gate_] {
      gate->running.count_down();
      gate->open.wait();
    }));
    gate_->running.wait();
  }
  void Open() { gate_->open.count_down(); }

 private:
  struct Gate {
    std::latch running{1};
    std::latch open{1};
  };
  const std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
};

TEST(IntakeTest, RunsAsAThreadOfNormalClass) {
  Intake intake(kRoomy);
  base::SchedClass inside = base::SchedClass::kIdle;
  std::thread::id thread;
  ASSERT_TRUE(intake.TryPost(Lane::kQuery, "a", 1, [&] {
    inside = base::SetOwnSchedClass(base::SchedClass::kNormal);
    thread = std::this_thread::get_id();
  }));
  intake.Stop();
  EXPECT_EQ(intake.sched_class(), inside);
  EXPECT_NE(thread, std::this_thread::get_id());
}

TEST(IntakeTest, QueriesGoAheadOfPushesOfOthers) {
  Intake intake(kRoomy);
  Blocker blocker(&intake);
  std::vector<std::string> ran;
  const auto post = [&](Lane lane, const char* origin, const char* name) {
    EXPECT_TRUE(
        intake.TryPost(lane, origin, 1, [&ran, name] { ran.push_back(name); }));
  };
  post(Lane::kPush, "a", "push a");
  post(Lane::kPush, "b", "push b");
  post(Lane::kQuery, "c", "query c");
  post(Lane::kQuery, "a", "query a");  // has to see its own push
  post(Lane::kPush, "c", "push c");
  blocker.Open();
  intake.Stop();
  EXPECT_THAT(ran,
              ElementsAre("query c", "push a", "push b", "query a", "push c"));
}

// Whatever comes from wherever: each origin keeps its order, and nothing is
// lost.
TEST(IntakeTest, KeepsTheOrderOfEveryOrigin) {
  const uint64_t seed = ::testing::UnitTest::GetInstance()->random_seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  base::Rng rng(seed);
  constexpr size_t kOrigins = 5;
  constexpr size_t kJobs = 2000;
  std::vector<std::vector<size_t>> ran(kOrigins);
  std::vector<std::vector<size_t>> posted(kOrigins);
  {
    Intake intake(kRoomy);
    Blocker blocker(&intake);
    for (size_t i = 0; i < kJobs; ++i) {
      const size_t origin = rng.Below(kOrigins);
      const Lane lane = rng.Chance(0.5) ? Lane::kQuery : Lane::kPush;
      posted[origin].push_back(i);
      ASSERT_TRUE(
          intake.TryPost(lane, absl::StrCat(origin), 1,
                         [&ran, origin, i] { ran[origin].push_back(i); }));
      // The rest is posted while the intake is at it.
      if (i == kJobs / 2) blocker.Open();
    }
  }
  EXPECT_EQ(ran, posted);
}

TEST(IntakeTest, RefusesBeyondItsBytesAndTakesAgainAfterwards) {
  Intake intake(100);
  std::latch running(1);
  std::latch open(1);
  // Alone, even one that is too large is taken.
  ASSERT_TRUE(intake.TryPost(Lane::kPush, "a", 101, [&] {
    running.count_down();
    open.wait();
  }));
  running.wait();
  auto witness = std::make_shared<int>(1);
  Intake::Job refused = [witness] {};
  EXPECT_FALSE(intake.TryPost(Lane::kPush, "b", 1, std::move(refused)));
  EXPECT_FALSE(intake.Holds("b"));
  EXPECT_EQ(witness.use_count(), 2) << "a refused job stays with the caller";
  open.count_down();
  while (!intake.idle()) std::this_thread::yield();

  Blocker blocker(&intake);
  EXPECT_TRUE(intake.TryPost(Lane::kPush, "b", 60, [] {}));
  EXPECT_FALSE(intake.TryPost(Lane::kQuery, "c", 41, [] {}));
  EXPECT_FALSE(intake.TryPost(Lane::kQuery, "c", SIZE_MAX, [] {}));
  EXPECT_TRUE(intake.TryPost(Lane::kQuery, "c", 40, [] {}));
  blocker.Open();
}

TEST(IntakeTest, HoldsAnOriginUntilItsLastJobIsOver) {
  Intake intake(kRoomy);
  EXPECT_TRUE(intake.idle());
  EXPECT_FALSE(intake.Holds("a"));
  bool held_while_running = false;
  {
    Blocker blocker(&intake);
    EXPECT_FALSE(intake.Holds("a"));
    ASSERT_TRUE(intake.TryPost(
        Lane::kQuery, "a", 1, [&] { held_while_running = intake.Holds("a"); }));
    EXPECT_TRUE(intake.Holds("a"));
    EXPECT_FALSE(intake.Holds("b"));
    EXPECT_FALSE(intake.idle());
    blocker.Open();
    intake.Stop();
  }
  EXPECT_TRUE(held_while_running);
  EXPECT_FALSE(intake.Holds("a"));
  EXPECT_TRUE(intake.idle());
}

TEST(IntakeTest, StopRunsWhatWaitsAndRefusesTheRest) {
  Intake intake(kRoomy);
  int ran = 0;
  Blocker blocker(&intake);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(intake.TryPost(Lane::kPush, "a", 1, [&] { ++ran; }));
  }
  blocker.Open();
  intake.Stop();
  EXPECT_EQ(ran, 10);
  EXPECT_FALSE(intake.TryPost(Lane::kPush, "a", 1, [&] { ++ran; }));
  intake.Stop();
  EXPECT_EQ(ran, 10);
}

}  // namespace
}  // namespace freshline::rpc
