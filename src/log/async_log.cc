// SPDX-License-Identifier: Apache-2.0
#include "log/async_log.h"

#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/bounded_write.h"
#include "base/thread.h"

namespace freshline::log {
namespace {

constexpr base::Duration kClosePatience = std::chrono::milliseconds(200);
// How often a writer that waits for room looks whether it should give up.
constexpr base::Duration kWait = std::chrono::milliseconds(20);

absl::string_view NameOf(Library library) {
  switch (library) {
    case Library::kGrpc:
      return "grpc";
    case Library::kProtobuf:
      return "protobuf";
  }
  return "library";
}

}  // namespace

AsyncLog::AsyncLog(const Options& options, const base::Clock& clock)
    : options_(options),
      clock_(clock),
      waker_(clock),
      libraries_(kLibraries, Origin{RateLimit(options.library_burst,
                                              options.library_lines_per_second),
                                    0}),
      thread_([this] { Loop(); }) {}

AsyncLog::~AsyncLog() { Close(kClosePatience); }

void AsyncLog::Push(std::string line) {
  line += '\n';
  if (closing_ || waiting_bytes_ + line.size() > options_.bytes_max) {
    ++stats_.lost;
    ++unsaid_;
    return;
  }
  waiting_bytes_ += line.size();
  const bool idle = waiting_.empty();
  waiting_.push_back(std::move(line));
  if (idle) waker_.Wake();
}

void AsyncLog::Write(absl::string_view line) {
  std::string text(line.substr(0, kLineBytesMax));
  base::MutexLock lock(&mu_);
  Push(std::move(text));
}

void AsyncLog::WriteOf(Library library, absl::string_view line) {
  const base::MonoTime now = clock_.Now();
  base::MutexLock lock(&mu_);
  Origin& origin = libraries_[static_cast<size_t>(library)];
  if (!origin.limit.Take(now)) {
    ++stats_.left_out;
    ++origin.left_out;
    return;
  }
  const uint64_t left_out = std::exchange(origin.left_out, 0);
  Push(absl::StrCat(
      NameOf(library), ": ", line.substr(0, kLibraryLineBytesMax),
      left_out == 0
          ? ""
          : absl::StrCat(" (", left_out, " lines before it were left out)")));
}

void AsyncLog::Close(base::Duration patience) {
  if (!thread_.joinable()) return;
  close_by_ = clock_.Now() + patience;
  closing_ = true;
  waker_.Wake();
  thread_.join();
}

bool AsyncLog::GaveUp() const {
  return closing_ && clock_.Now() >= close_by_.load();
}

bool AsyncLog::WriteLine(absl::string_view line) {
  while (!line.empty()) {
    const std::optional<size_t> taken =
        base::WriteSome(options_.fd, line, kWait);
    if (!taken.has_value() || (*taken == 0 && GaveUp())) return false;
    line.remove_prefix(*taken);
  }
  return true;
}

void AsyncLog::Loop() {
  base::PrepareThread("log", /*punctual=*/false);
  base::SetOwnSchedClass(base::SchedClass::kNormal);
  std::vector<std::string> lines;
  while (true) {
    const bool last = closing_;
    uint64_t unsaid = 0;
    {
      base::MutexLock lock(&mu_);
      lines.swap(waiting_);
      unsaid = unsaid_;
    }
    if (lines.empty()) {
      if (last) return;
      waker_.WaitUntil(base::kInfiniteFuture);
      continue;
    }
    if (unsaid > 0) {
      const std::string said =
          absl::StrCat("log: ", unsaid,
                       " lines were lost: nobody took them when they came\n");
      if (WriteLine(said)) {
        base::MutexLock lock(&mu_);
        unsaid_ -= unsaid;
      }
    }
    for (const std::string& line : lines) {
      const bool written = WriteLine(line);
      base::MutexLock lock(&mu_);
      // What is being written counts as waiting: the bound is on all that is
      // held.
      waiting_bytes_ -= line.size();
      ++(written ? stats_.written : stats_.lost);
      if (!written) ++unsaid_;
    }
    lines.clear();
  }
}

LogStats AsyncLog::stats() const {
  base::MutexLock lock(&mu_);
  return stats_;
}

namespace {

// The formatter keeps a state of its own; base_sink's lock is ours.
class SpdlogSink final
    : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit SpdlogSink(AsyncLog* log) : log_(log) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    base::MutexLock lock(&mu_);
    spdlog::memory_buf_t text;
    formatter_->format(message, text);
    absl::string_view line(text.data(), text.size());
    while (!line.empty() && line.back() == '\n') line.remove_suffix(1);
    log_->Write(line);
  }
  void flush_() override {}

 private:
  AsyncLog* const log_;
  base::Mutex mu_;
};

}  // namespace

std::shared_ptr<spdlog::sinks::sink> MakeSpdlogSink(AsyncLog* log) {
  return std::make_shared<SpdlogSink>(log);
}

}  // namespace freshline::log
