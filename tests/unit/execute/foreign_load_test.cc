// SPDX-License-Identifier: Apache-2.0
// Other programs take the processors for three seconds, in virtual time, while
// callers ask again as soon as an answer is stale: what is stale then must
// become fresh again within seconds of their end.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "base/random.h"
#include "tests/unit/execute/dispatcher_harness.h"

namespace freshline::execute {
namespace {

using base::Duration;
using base::MonoTime;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kRun = milliseconds(5);
constexpr Duration kStarvedRun = milliseconds(700);
constexpr Duration kSlo = milliseconds(30);
constexpr Duration kRetry = milliseconds(2);

class ForeignLoadTest : public DispatcherTest {
 protected:
  struct User {
    base::RowId row;
    base::Seq want = 0;
    uint32_t clicks = 0;
    MonoTime next_ask;
    std::shared_ptr<test::QueryOutcome> asked;  // null: between two questions
  };
  struct Share {
    uint64_t answers = 0;
    uint64_t fresh = 0;
    double share() const {
      return answers == 0
                 ? 1
                 : static_cast<double>(fresh) / static_cast<double>(answers);
    }
  };

  // Users of eight sizes: each is learned by itself, and so was each forgotten.
  static uint32_t EventsOf(size_t user) { return 1U << (user % 8); }

  // Clicks and asks about it; the same click again until it is in the answer.
  void Act(User* user, size_t number, Duration pause) {
    if (user->asked == nullptr) {
      if (clock_.Now() < user->next_ask) return;
      if (user->want == 0) {
        do {
          std::tie(user->row, user->want) = Click(static_cast<int64_t>(number));
        } while (++user->clicks < EventsOf(number));
      }
      user->asked = Ask(user->row, user->want, kSlo, nullptr, EventsOf(number));
      return;
    }
    if (user->asked->sent == 0) return;
    const bool fresh = user->asked->rows[0].as_of >= user->want;
    Share& share = shares_[SecondOf(clock_.Now())];
    ++share.answers;
    if (fresh) ++share.fresh;
    user->asked.reset();
    if (fresh) user->want = 0;
    user->next_ask = clock_.Now() + (fresh ? Pause(pause) : kRetry);
  }

  Duration Pause(Duration mean) {
    return base::FromMillis(rng_.Exponential(base::ToMillis(mean)));
  }

  int64_t SecondOf(MonoTime t) const {
    return std::chrono::duration_cast<seconds>(t - begin_).count();
  }

  // What a run takes that begins now.
  using Machine = std::function<Duration()>;

  // Users who pause for so long on average between a fresh answer and their
  // next click, on a machine whose runs have run_ of processor time.
  void Run(size_t number, Duration pause, const Machine& machine,
           int64_t until) {
    std::vector<User> users(number);
    for (User& user : users) user.next_ask = begin_ + Pause(pause);
    std::vector<MonoTime> ends(pool_->size(), base::kInfiniteFuture);
    std::vector<Duration> takes(pool_->size());
    while (SecondOf(clock_.Now()) < until) {
      for (size_t u = 0; u < users.size(); ++u) Act(&users[u], u, pause);
      MonoTime next = dispatcher_->Step();
      for (uint32_t w = 0; w < pool_->size(); ++w) {
        if (!pool_->running(w)) continue;
        if (ends[w] == base::kInfiniteFuture) {
          takes[w] = machine();
          ends[w] = clock_.Now() + takes[w];
        }
        next = std::min(next, ends[w]);
      }
      for (const User& user : users) {
        if (user.asked == nullptr) next = std::min(next, user.next_ask);
      }
      clock_.AdvanceTo(
          std::max(next, clock_.Now() + std::chrono::microseconds(20)));
      for (uint32_t w = 0; w < pool_->size(); ++w) {
        if (clock_.Now() < ends[w]) continue;
        ends[w] = base::kInfiniteFuture;
        pool_->Finish(w, takes[w], run_);
      }
    }
  }

  Share Between(int64_t from, int64_t to) {
    Share sum;
    for (int64_t s = from; s < to; ++s) {
      sum.answers += shares_[s].answers;
      sum.fresh += shares_[s].fresh;
    }
    return sum;
  }

  MonoTime begin_ = clock_.Now();
  Duration run_ = kRun;
  base::Rng rng_{7};
  std::map<int64_t, Share> shares_;
};

TEST_F(ForeignLoadTest, WhatIsStaleConvergesWithinSecondsOfItsEnd) {
  Build("slo_aware", /*workers=*/2);
  const Machine machine = [this] {
    const int64_t second = SecondOf(clock_.Now());
    return second >= 4 && second < 7 ? kStarvedRun : kRun;
  };
  Run(100, milliseconds(350), machine, /*until=*/15);
  const double before = Between(1, 4).share();
  EXPECT_GT(before, 0.9);
  EXPECT_LT(Between(5, 7).share(), 0.5);  // else it shows nothing
  EXPECT_GE(Between(12, 15).share(), before - 0.02);
  EXPECT_GT(dispatcher_->Stats().runs_starved, 0U);
}

// As measured on two cores: whoever asks again and again takes time from the
// workers himself, so that nothing is as it was until he is answered.
TEST_F(ForeignLoadTest, ConvergesWhereThoseWhoAskAgainKeepTheMachineBusy) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    shares_.clear();
    begin_ = clock_.Now();
    rng_ = base::Rng(seed);
    background_ = seed % 2 == 0;
    Build("slo_aware", /*workers=*/2);
    const Machine machine = [&] {
      const int64_t second = SecondOf(clock_.Now());
      const bool foreign = second >= 4 && second < 7;
      const bool storm =
          shares_[second].answers + shares_[second - 1].answers > 1500;
      const double stretch = foreign ? 5 * std::exp(0.9 * rng_.Normal())
                             : storm ? 3.2 * std::exp(0.6 * rng_.Normal())
                                     : 1;
      return base::FromMillis(3.4 * std::clamp(stretch, 1.0, 10.0));
    };
    run_ = std::chrono::microseconds(3400);
    Run(400, milliseconds(4000), machine, /*until=*/20);
    const double before = Between(1, 4).share();
    EXPECT_GT(before, 0.9);
    EXPECT_LT(Between(5, 7).share(), 0.5);  // else it shows nothing
    EXPECT_GE(Between(12, 20).share(), before - 0.02);
  }
}

}  // namespace
}  // namespace freshline::execute
