// SPDX-License-Identifier: Apache-2.0
#include "record/decision_log_writer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "record/block.h"
#include "record/call_codec.h"

namespace freshline::record {

using base::MutexLock;
using schedule::RecordedCall;

namespace {

constexpr size_t kBlockBytes = 64 * 1024;
constexpr size_t kBlocksWaiting = 128;
// A quiet daemon's calls reach the disk after so long.
constexpr base::Duration kBlockAge = std::chrono::seconds(1);

absl::Status CannotOpen(const std::string& path) {
  return absl::UnavailableError(
      absl::StrCat("decision log \"", path, "\": ", std::strerror(errno)));
}

// Emptied only once nobody else writes it; the lock goes with the file.
absl::StatusOr<std::FILE*> OpenAlone(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return CannotOpen(path);
  struct stat status {};
  const bool regular = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  // A device may be written by many.
  if (regular && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    close(fd);
    return absl::FailedPreconditionError(absl::StrCat(
        "decision log \"", path,
        "\": another process is writing it; name another path, or end it"));
  }
  std::FILE* const file =
      regular && ftruncate(fd, 0) != 0 ? nullptr : fdopen(fd, "wb");
  if (file != nullptr) return file;
  const absl::Status why = CannotOpen(path);
  close(fd);
  return why;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DecisionLogWriter>> DecisionLogWriter::Open(
    const std::string& path, uint64_t bytes_max, const v1::Header& header) {
  FRESHLINE_RETURN_IF_ERROR(base::CheckReplaceable(path, kDecisionLogKind));
  FRESHLINE_ASSIGN_OR_RETURN(std::FILE* const file, OpenAlone(path));
  auto log = std::unique_ptr<DecisionLogWriter>(
      new DecisionLogWriter(file, bytes_max));
  std::string why;
  if (std::fwrite(kMagic, 1, sizeof kMagic, file) != sizeof kMagic ||
      !log->WriteBlock(header.SerializeAsString(), &why)) {
    return absl::UnavailableError(
        absl::StrCat("decision log \"", path, "\": ", why));
  }
  log->thread_ = std::thread([raw = log.get()] { raw->Run(); });
  return log;
}

DecisionLogWriter::DecisionLogWriter(std::FILE* file, uint64_t bytes_max)
    : file_(file), bytes_max_(bytes_max) {
  block_.reserve(kBlockBytes * 2);
}

DecisionLogWriter::~DecisionLogWriter() {
  if (thread_.joinable()) {
    HandOver();
    {
      MutexLock lock(&mu_);
      closing_ = true;
      wake_.NotifyAll();
    }
    thread_.join();
  }
  std::fclose(file_);
}

void DecisionLogWriter::Take(const RecordedCall& call) {
  EncodeCall(call, &call_);
  if (block_.empty()) block_began_ = call.now;
  AppendMessage(call_, &block_);
  if (block_.size() >= kBlockBytes || call.now - block_began_ >= kBlockAge) {
    HandOver();
  }
  MutexLock lock(&mu_);
  ++(ended_ ? stats_.dropped : stats_.calls);
}

void DecisionLogWriter::HandOver() {
  if (block_.empty()) return;
  MutexLock lock(&mu_);
  if (!ended_ && queue_.size() >= kBlocksWaiting) {
    ended_ = true;
    stats_.ended = "the disk did not keep up";
  }
  if (ended_) {
    block_.clear();
    return;
  }
  queue_.push_back(std::move(block_));
  block_ = std::string();
  block_.reserve(kBlockBytes * 2);
  wake_.NotifyAll();
}

void DecisionLogWriter::Run() {
  std::vector<std::string> blocks;
  while (true) {
    std::string why;
    bool closing = false;
    {
      MutexLock lock(&mu_);
      while (queue_.empty() && !closing_ && !ended_) wake_.Wait(&mu_);
      blocks.swap(queue_);
      closing = closing_;
      why = stats_.ended;
    }
    for (const std::string& block : blocks) {
      if (!WriteBlock(block, &why)) break;
    }
    const bool drained = blocks.empty();
    blocks.clear();
    if (why.empty() && !(closing && drained)) continue;
    WriteEnd(why.empty() ? "closed" : why);
    MutexLock lock(&mu_);
    ended_ = true;
    stats_.ended = why;
    queue_.clear();
    return;
  }
}

bool DecisionLogWriter::WriteBlock(const std::string& payload,
                                   std::string* why) {
  const std::string head = BlockHead(payload);
  uint64_t bytes = 0;
  {
    MutexLock lock(&mu_);
    bytes = stats_.bytes;
  }
  bytes += head.size() + payload.size();
  if (bytes > bytes_max_) {
    *why = absl::StrCat("bytes_max, ", bytes_max_, ", is reached");
    return false;
  }
  if (std::fwrite(head.data(), 1, head.size(), file_) != head.size() ||
      std::fwrite(payload.data(), 1, payload.size(), file_) != payload.size() ||
      std::fflush(file_) != 0) {
    *why = std::strerror(errno);
    return false;
  }
  MutexLock lock(&mu_);
  stats_.bytes = bytes;
  return true;
}

void DecisionLogWriter::WriteEnd(const std::string& reason) {
  v1::Call end;
  end.set_kind(v1::Call::END);
  end.set_reason(reason);
  std::string payload;
  AppendMessage(end, &payload);
  const std::string block = BlockHead(payload) + payload;
  // Where the disk is full, a reader sees a log that was cut short.
  (void)!std::fwrite(block.data(), 1, block.size(), file_);
  std::fflush(file_);
}

DecisionLogWriter::Stats DecisionLogWriter::stats() const {
  MutexLock lock(&mu_);
  return stats_;
}

}  // namespace freshline::record
