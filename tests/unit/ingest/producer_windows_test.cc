// SPDX-License-Identifier: Apache-2.0
#include "ingest/producer_windows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <list>
#include <set>
#include <string>

#include "base/random.h"

namespace freshline::ingest {
namespace {

using Seen = SequenceWindow::Seen;
constexpr uint64_t kSize = SequenceWindow::kSize;

TEST(SequenceWindowTest, KnowsWhatWasMarked) {
  SequenceWindow w;
  EXPECT_EQ(w.Look(0), Seen::kNew);
  w.Mark(10);
  EXPECT_EQ(w.Look(10), Seen::kDuplicate);
  EXPECT_EQ(w.Look(9), Seen::kNew);
  EXPECT_EQ(w.Look(11), Seen::kNew);
  w.Mark(9);
  EXPECT_EQ(w.Look(9), Seen::kDuplicate);
}

TEST(SequenceWindowTest, LookingMarksNothing) {
  SequenceWindow w;
  EXPECT_EQ(w.Look(5), Seen::kNew);
  EXPECT_EQ(w.Look(5), Seen::kNew);
}

TEST(SequenceWindowTest, CannotTellWhatIsOlderThanTheWindow) {
  SequenceWindow w;
  w.Mark(kSize + 100);
  EXPECT_EQ(w.Look(101), Seen::kNew);
  EXPECT_EQ(w.Look(100), Seen::kOutside);
  EXPECT_EQ(w.Look(0), Seen::kOutside);
}

TEST(SequenceWindowTest, TakesTheWholeRangeOfSequences) {
  SequenceWindow w;
  w.Mark(0);
  EXPECT_EQ(w.Look(0), Seen::kDuplicate);
  w.Mark(UINT64_MAX);
  EXPECT_EQ(w.Look(UINT64_MAX), Seen::kDuplicate);
  EXPECT_EQ(w.Look(UINT64_MAX - 1), Seen::kNew);
  EXPECT_EQ(w.Look(0), Seen::kOutside);
}

TEST(SequenceWindowTest, AgreesWithASet) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::Rng rng(seed);
    SequenceWindow window;
    std::set<uint64_t> model;
    uint64_t head = 1 + rng.Below(10000);
    for (int i = 0; i < 5000; ++i) {
      head += rng.Chance(0.01) ? rng.Below(2 * kSize) : rng.Below(3);
      const uint64_t sequence =
          rng.Chance(0.5) ? head : head - std::min(head, rng.Below(kSize + 50));
      Seen want = Seen::kNew;
      if (!model.empty() && sequence + kSize <= *model.rbegin()) {
        want = Seen::kOutside;
      } else if (model.count(sequence) > 0) {
        want = Seen::kDuplicate;
      }
      ASSERT_EQ(window.Look(sequence), want) << sequence;
      if (want != Seen::kNew || rng.Chance(0.2)) continue;
      window.Mark(sequence);
      model.insert(sequence);
    }
  }
}

TEST(ProducerWindowsTest, KeepsProducersApart) {
  ProducerWindows windows(10);
  windows.Touch("a").Mark(1);
  EXPECT_EQ(windows.Touch("a").Look(1), Seen::kDuplicate);
  EXPECT_EQ(windows.Touch("b").Look(1), Seen::kNew);
}

TEST(ProducerWindowsTest, ForgetsTheOneNotHeardForLongest) {
  ProducerWindows windows(2);
  windows.Touch("a").Mark(1);
  windows.Touch("b").Mark(1);
  windows.Touch("a");
  windows.Touch("c").Mark(1);
  EXPECT_EQ(windows.evictions(), 1u);
  EXPECT_EQ(windows.size(), 2u);
  EXPECT_EQ(windows.Touch("a").Look(1), Seen::kDuplicate);
  EXPECT_EQ(windows.Touch("c").Look(1), Seen::kDuplicate);
  EXPECT_EQ(windows.Touch("b").Look(1), Seen::kNew);
  EXPECT_EQ(windows.evictions(), 2u);
}

TEST(ProducerWindowsTest, AgreesWithAListOfTheLastHeard) {
  base::Rng rng(7);
  ProducerWindows windows(16);
  std::list<std::string> model;
  uint64_t evictions = 0;
  for (int i = 0; i < 5000; ++i) {
    const std::string id = "producer-" + std::to_string(rng.Below(40));
    SequenceWindow& window = windows.Touch(id);
    const auto known = std::find(model.begin(), model.end(), id);
    ASSERT_EQ(window.Look(1),
              known != model.end() ? Seen::kDuplicate : Seen::kNew);
    if (known != model.end()) {
      model.erase(known);
    } else {
      window.Mark(1);
    }
    model.push_front(id);
    if (model.size() > 16) {
      model.pop_back();
      ++evictions;
    }
    ASSERT_EQ(windows.size(), model.size());
    ASSERT_EQ(windows.evictions(), evictions);
  }
}

}  // namespace
}  // namespace freshline::ingest
