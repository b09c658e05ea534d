// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "estimate/estimator.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "record/block.h"
#include "record/decision_log_reader.h"
#include "record/decision_log_writer.h"
#include "schedule/policies.h"

namespace freshline::record {
namespace {

using base::FromMillis;
using base::GroupId;
using base::KeyId;
using base::MonoTime;
using base::TicketId;
using schedule::Action;
using schedule::PolicyCatalogue;
using schedule::PolicyRecorder;
using schedule::RecordedCall;
using testing::HasSubstr;

constexpr MonoTime kStart{std::chrono::hours(3)};

class DecisionLogTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::path(testing::TempDir()) /
                 ("decision_log_" + std::to_string(getpid()));
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string Path(const std::string& name) const {
    return (directory_ / name).string();
  }
  static std::string Read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }
  static void Write(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  }

  static v1::Header HeaderOf() {
    v1::Header header;
    header.set_version(1);
    header.set_commit("abc");
    header.add_groups()->set_batch_max(4);
    v1::Header::Flow* flow = header.add_flows();
    flow->set_weight(1);
    const schedule::PolicyConfig policy = *schedule::FindPolicy("slo_aware");
    header.mutable_policy()->set_name(policy.name);
    header.mutable_policy()->set_background(true);
    header.mutable_policy()->set_tickets_max(policy.tickets_max);
    header.mutable_policy()->set_rows_max(policy.rows_max);
    header.mutable_policy()->set_background_max(policy.background_max);
    header.mutable_policy()->set_quarantine_failures(
        policy.quarantine_failures);
    header.mutable_policy()->set_backoff_min_ns(policy.backoff_min.count());
    header.mutable_policy()->set_probe_interval_ns(
        policy.probe_interval.count());
    return header;
  }

  struct Job {
    base::JobId id{};
    std::vector<schedule::RowResult> rows;
    base::JobShape shape;
  };

  // A policy under a busy day, told to `sink`. Returns the calls.
  static void Run(schedule::CallSink* sink, int steps) {
    estimate::Estimator estimator;
    const auto policy = schedule::MakePolicy(
        *PolicyOf(HeaderOf(), PolicyCatalogue::BuiltIn()), &estimator,
        GroupsOf(HeaderOf()), *FlowsOf(HeaderOf()));
    PolicyRecorder recorder(policy.get(), sink);
    recorder.ListenTo(&estimator);
    for (uint32_t scans = 1; scans <= 4; ++scans) {
      estimator.Seed({GroupId{0}, 8, scans}, 1, FromMillis(2.0 * scans));
    }
    base::Rng rng(5);
    schedule::Actions actions;
    std::vector<Job> running;
    MonoTime now = kStart;
    recorder.SetWorkers(2, now, &actions);
    for (int i = 1; i <= steps; ++i) {
      now += FromMillis(rng.Exponential(1));
      const base::RowId row{KeyId{1 + rng.Below(20)}, GroupId{0}};
      const auto seq = static_cast<base::Seq>(i);
      const base::JobShape shape{GroupId{0}, 8,
                                 static_cast<uint32_t>(1 + rng.Below(4))};
      switch (rng.Below(6)) {
        case 0:
          recorder.Changed(row, seq, {1, rng.Uniform(), shape, 0.25}, now,
                           &actions);
          break;
        case 1:
          if (running.empty()) break;
          estimator.Observe({running[0].shape, 1, FromMillis(3),
                             base::WorkerId{1}, FromMillis(9), false});
          recorder.Done(running[0].id, running[0].rows, now, &actions);
          running.erase(running.begin());
          break;
        case 2:
          recorder.Cancel(TicketId{rng.Below(static_cast<uint64_t>(i))}, now,
                          &actions);
          break;
        case 3:
          recorder.Probe(row, shape, now, &actions);
          break;
        default: {
          schedule::Need need;
          need.row = row;
          need.want = seq;
          need.cold = rng.Chance(0.1);
          need.levels.push_back({base::Fidelity::kFull, rng.Uniform(), shape});
          recorder.Arrive({TicketId{seq},
                           base::FlowId{rng.Chance(0.3)},
                           now + FromMillis(30),
                           {&need, 1}},
                          now, &actions);
        }
      }
      recorder.Tick(now, &actions);
      for (const Action& action : actions.list) {
        if (action.kind != Action::Kind::kStart) continue;
        Job& job = running.emplace_back();
        job.id = action.job;
        job.shape = action.shape;
        for (uint32_t r = 0; r < action.rows_count; ++r) {
          job.rows.push_back(
              {actions.rows[action.rows_begin + r], seq, !rng.Chance(0.02)});
        }
      }
      actions.Clear();
    }
  }

  // What is in a log, replayed; and how it ends.
  struct Read1 {
    absl::Status status;
    schedule::ReplayResult replay;
    std::string end;
    bool complete = false;
  };
  static Read1 ReplayFile(const std::string& path) {
    Read1 result;
    auto log = DecisionLogReader::Open(path);
    result.status = log.status();
    if (!log.ok()) return result;
    estimate::Estimator estimator;
    const auto policy = schedule::MakePolicy(
        *PolicyOf((*log)->header(), PolicyCatalogue::BuiltIn()), &estimator,
        GroupsOf((*log)->header()), *FlowsOf((*log)->header()));
    schedule::Replayer replayer(policy.get(), &estimator);
    RecordedCall call;
    while (true) {
      const absl::StatusOr<bool> more = (*log)->Next(&call);
      result.status = more.status();
      if (!more.ok() || !*more) break;
      if (!replayer.Take(call)) break;
    }
    result.replay = replayer.result();
    result.end = (*log)->end();
    result.complete = (*log)->complete();
    return result;
  }

  std::filesystem::path directory_;
};

TEST_F(DecisionLogTest, ALogReplaysDecisionForDecision) {
  {
    auto log = DecisionLogWriter::Open(Path("log"), 1 << 30, HeaderOf());
    ASSERT_TRUE(log.ok()) << log.status();
    Run(log->get(), 20'000);
    EXPECT_GT((*log)->stats().calls, 30'000U);
    EXPECT_EQ((*log)->stats().dropped, 0U);
  }
  schedule::Recording memory(1'000'000);
  Run(&memory, 20'000);
  const Read1 read = ReplayFile(Path("log"));
  EXPECT_TRUE(read.status.ok()) << read.status;
  EXPECT_TRUE(read.complete) << read.end;
  EXPECT_EQ(read.replay.differs_at, std::nullopt) << read.replay.difference;
  EXPECT_EQ(read.replay.calls, memory.calls.size());
  EXPECT_GT(read.replay.actions, 10'000U);
}

TEST_F(DecisionLogTest, ADecisionThatDiffersIsNamed) {
  class Liar final : public schedule::CallSink {
   public:
    explicit Liar(schedule::CallSink* to) : to_(to) {}
    void Take(const RecordedCall& call) override {
      RecordedCall told = call;
      if (++calls_ > 200 && !told.actions.list.empty()) {
        told.actions.list[0].ticket = TicketId{999'999};
        told.actions.list[0].kind = Action::Kind::kAnswer;
      }
      to_->Take(told);
    }

   private:
    schedule::CallSink* const to_;
    int calls_ = 0;
  };
  {
    auto log = DecisionLogWriter::Open(Path("log"), 1 << 30, HeaderOf());
    Liar liar(log->get());
    Run(&liar, 500);
  }
  const Read1 read = ReplayFile(Path("log"));
  ASSERT_TRUE(read.replay.differs_at.has_value());
  EXPECT_GE(*read.replay.differs_at, 200U);
  EXPECT_THAT(read.replay.difference,
              HasSubstr("recorded answer ticket 999999, replayed"));
}

TEST_F(DecisionLogTest, ALogCutAnywhereIsReadUpToThere) {
  {
    auto log = DecisionLogWriter::Open(Path("log"), 1 << 30, HeaderOf());
    Run(log->get(), 1500);
  }
  const std::string whole = Read(Path("log"));
  const size_t all = ReplayFile(Path("log")).replay.calls;
  ASSERT_GT(whole.size(), 100'000U);
  size_t least = all;
  for (size_t keep = 0; keep < whole.size(); keep += keep < 400 ? 1 : 997) {
    SCOPED_TRACE(testing::Message() << "first " << keep << " bytes");
    Write(Path("cut"), whole.substr(0, keep));
    const Read1 read = ReplayFile(Path("cut"));
    if (!read.status.ok()) {
      // Not even the header is there.
      EXPECT_LT(keep, 400U);
      EXPECT_THAT(std::string(read.status.message()),
                  testing::AnyOf(HasSubstr("is no decision log"),
                                 HasSubstr("ends before its header")));
      continue;
    }
    EXPECT_EQ(read.replay.differs_at, std::nullopt) << read.replay.difference;
    EXPECT_FALSE(read.complete);
    EXPECT_THAT(read.end, HasSubstr("cut short"));
    EXPECT_LE(read.replay.calls, all);
    least = std::min(least, read.replay.calls);
  }
  EXPECT_EQ(least, 0U);
}

TEST_F(DecisionLogTest, DamageEndsALogAndNeverMakesCallsUp) {
  {
    auto log = DecisionLogWriter::Open(Path("log"), 1 << 30, HeaderOf());
    Run(log->get(), 300);
  }
  const std::string whole = Read(Path("log"));
  const size_t all = ReplayFile(Path("log")).replay.calls;
  base::Rng rng(3);
  for (int i = 0; i < 300; ++i) {
    std::string bytes = whole;
    const size_t at = rng.Below(bytes.size());
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.Below(8)));
    SCOPED_TRACE(testing::Message() << "byte " << at);
    Write(Path("bad"), bytes);
    const Read1 read = ReplayFile(Path("bad"));
    if (!read.status.ok()) continue;
    EXPECT_EQ(read.replay.differs_at, std::nullopt) << read.replay.difference;
    EXPECT_FALSE(read.complete);
    EXPECT_LE(read.replay.calls, all);
  }
}

TEST_F(DecisionLogTest, TheBoundEndsTheLogAndNotTheDaemon) {
  {
    auto log = DecisionLogWriter::Open(Path("log"), 200'000, HeaderOf());
    Run(log->get(), 20'000);
  }
  EXPECT_LE(std::filesystem::file_size(Path("log")), 201'000U);
  const Read1 read = ReplayFile(Path("log"));
  EXPECT_TRUE(read.status.ok());
  EXPECT_FALSE(read.complete);
  EXPECT_EQ(read.end, "bytes_max, 200000, is reached");
  EXPECT_GT(read.replay.calls, 500U);
  EXPECT_EQ(read.replay.differs_at, std::nullopt) << read.replay.difference;
}

TEST_F(DecisionLogTest, ReplacesAnEarlierLogAndNothingElse) {
  const std::string path = Path("log");
  const std::string definitions = "entity { name: \"user\" }\n";
  Write(path, definitions);
  const auto refused = DecisionLogWriter::Open(path, 1 << 20, HeaderOf());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Read(path), definitions);
  Write(path, "");
  ASSERT_TRUE(DecisionLogWriter::Open(path, 1 << 20, HeaderOf()).ok());
  ASSERT_TRUE(DecisionLogWriter::Open(path, 1 << 20, HeaderOf()).ok());
  EXPECT_TRUE(DecisionLogReader::Open(path).ok());
}

TEST_F(DecisionLogTest, ALogThatIsBeingWrittenIsLeftAlone) {
  const std::string path = Path("log");
  {
    const auto first = DecisionLogWriter::Open(path, 1 << 20, HeaderOf());
    ASSERT_TRUE(first.ok());
    const std::string before = Read(path);
    const auto second = DecisionLogWriter::Open(path, 1 << 20, HeaderOf());
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(Read(path), before);
  }
  EXPECT_TRUE(DecisionLogReader::Open(path).ok());
  EXPECT_TRUE(DecisionLogWriter::Open(path, 1 << 20, HeaderOf()).ok());
}

TEST_F(DecisionLogTest, SaysWhatAFileIsNot) {
  EXPECT_THAT(
      std::string(DecisionLogReader::Open(Path("none")).status().message()),
      HasSubstr("No such file"));
  Write(Path("empty"), "");
  EXPECT_THAT(
      std::string(DecisionLogReader::Open(Path("empty")).status().message()),
      HasSubstr("is no decision log"));
  v1::Header header = HeaderOf();
  header.set_version(7);
  const std::string payload = header.SerializeAsString();
  Write(Path("new"),
        std::string(kMagic, sizeof kMagic) + BlockHead(payload) + payload);
  EXPECT_THAT(
      std::string(DecisionLogReader::Open(Path("new")).status().message()),
      testing::AllOf(HasSubstr("version 7"), HasSubstr("commit abc")));
  EXPECT_FALSE(
      DecisionLogWriter::Open(Path("no/such/directory"), 1 << 20, HeaderOf())
          .ok());
}

TEST_F(DecisionLogTest, AHeaderThatNoDaemonWroteIsRefused) {
  v1::Header header = HeaderOf();
  header.mutable_policy()->set_name("nobody's");
  EXPECT_FALSE(PolicyOf(header, PolicyCatalogue::BuiltIn()).ok());
  header = HeaderOf();
  header.mutable_policy()->set_tickets_max(0);
  EXPECT_FALSE(PolicyOf(header, PolicyCatalogue::BuiltIn()).ok());
  for (const double weight : {0.0, -1.0, std::nan("")}) {
    header = HeaderOf();
    header.mutable_flows(0)->set_weight(weight);
    EXPECT_THAT(std::string(FlowsOf(header).status().message()),
                HasSubstr("weight"));
  }
}

}  // namespace
}  // namespace freshline::record
