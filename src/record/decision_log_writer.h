// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "base/mutex.h"
#include "base/output_file.h"
#include "base/time.h"
#include "freshline/record/v1/decision_log.pb.h"
#include "record/block.h"
#include "schedule/recorder.h"

namespace freshline::record {

// How a decision log is told from other files.
inline constexpr base::FileKind kDecisionLogKind = {
    "decision log", [](absl::string_view head) {
      return absl::StartsWith(head, absl::string_view(kMagic, sizeof kMagic));
    }};

// Writes a decision log (decision_log.proto) while a daemon runs. The thread of
// the policy only encodes calls into memory; a thread of the log's own writes.
// A log with a hole could not be replayed past it: where the disk does not keep
// up or the bound is reached, the log ends there and says why, and the daemon
// goes on without it.
//
// Thread-safety: Take() from one thread at a time, stats() from any.
// Bounds: the file, and 8 MB of calls that wait to be written.
// Cost: Take() about 1 us, without a system call.
class DecisionLogWriter final : public schedule::CallSink {
 public:
  // Replaces the file at `path` if it is empty or a decision log, and nobody is
  // writing it.
  // Returns: the errors of base::CheckReplaceable(), FAILED_PRECONDITION where
  // another writer has it open, or UNAVAILABLE, naming the file.
  static absl::StatusOr<std::unique_ptr<DecisionLogWriter>> Open(
      const std::string& path, uint64_t bytes_max, const v1::Header& header);

  // Writes what is left, and the end.
  ~DecisionLogWriter() override;
  DecisionLogWriter(const DecisionLogWriter&) = delete;
  DecisionLogWriter& operator=(const DecisionLogWriter&) = delete;

  void Take(const schedule::RecordedCall& call) override;

  struct Stats {
    uint64_t bytes = 0;    // written
    uint64_t calls = 0;    // taken
    uint64_t dropped = 0;  // after the end
    std::string ended;     // why it ended before its time; empty: it goes on
  };
  Stats stats() const;

 private:
  DecisionLogWriter(std::FILE* file, uint64_t bytes_max);
  void HandOver();
  void Run();
  // Returns false where the file takes no more.
  bool WriteBlock(const std::string& payload, std::string* why);
  void WriteEnd(const std::string& reason);

  std::FILE* const file_;
  const uint64_t bytes_max_;
  // Of the taking thread.
  v1::Call call_;
  std::string block_;
  base::MonoTime block_began_{};

  mutable base::Mutex mu_;
  base::CondVar wake_;
  std::vector<std::string> queue_ ABSL_GUARDED_BY(mu_);
  Stats stats_ ABSL_GUARDED_BY(mu_);
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  bool closing_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace freshline::record
