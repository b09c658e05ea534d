// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <spdlog/sinks/sink.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/waker.h"
#include "log/rate_limit.h"

namespace freshline::log {

// Libraries that write lines of their own, from whatever thread they are in.
enum class Library : uint8_t { kGrpc, kProtobuf };
inline constexpr size_t kLibraries = 2;

// Lines since start, by what became of them.
struct LogStats {
  uint64_t written = 0;
  uint64_t lost = 0;      // nobody took them: pipe or disk full, closed
  uint64_t left_out = 0;  // of libraries, above their rate
};

// The log of a process: lines are handed over in memory, and a thread of the
// log's own writes them. Whoever reads the log may be slow, stuck or gone:
// that costs lines, which are counted, and never the caller's time. What was
// lost is said in the log itself once it takes lines again.
//
// A request of a few bytes can make a library write a line. Each library has
// a rate; above it lines are counted, not written.
//
// Lifecycle: writes from construction until Close() or destruction.
// Thread-safety: every method from any thread; Close() from one.
// Bounds: `bytes_max` of lines that wait; a line is cut to kLineBytesMax.
// Cost: a copy, a short lock, and a wake-up where the log was idle.
class AsyncLog {
 public:
  static constexpr size_t kLineBytesMax = 16 << 10;
  static constexpr size_t kLibraryLineBytesMax = 1 << 10;

  struct Options {
    int fd = STDERR_FILENO;
    size_t bytes_max = 1 << 20;
    uint32_t library_burst = 20;
    uint32_t library_lines_per_second = 2;
  };
  AsyncLog(const Options& options, const base::Clock& clock);
  // Close() with 200 ms of patience.
  ~AsyncLog();
  AsyncLog(const AsyncLog&) = delete;
  AsyncLog& operator=(const AsyncLog&) = delete;

  // A line of ours, without its line break.
  void Write(absl::string_view line);
  // A line of a library, if its rate allows one more.
  void WriteOf(Library library, absl::string_view line);

  // Writes what waits, for at most `patience`, and ends the thread. Lines that
  // come later are lost.
  void Close(base::Duration patience);

  LogStats stats() const;

 private:
  struct Origin {
    RateLimit limit;
    uint64_t left_out = 0;  // since the last line of it
  };

  void Push(std::string line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Loop();
  // Returns: whether `line` was written whole.
  bool WriteLine(absl::string_view line);
  bool GaveUp() const;

  const Options options_;
  const base::Clock& clock_;
  base::EventFdWaker waker_;
  std::atomic<bool> closing_{false};
  // Set before closing_.
  std::atomic<base::MonoTime> close_by_{base::kInfiniteFuture};

  mutable base::Mutex mu_;
  std::vector<std::string> waiting_ ABSL_GUARDED_BY(mu_);
  size_t waiting_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t unsaid_ ABSL_GUARDED_BY(mu_) = 0;  // lost, and not yet said so
  LogStats stats_ ABSL_GUARDED_BY(mu_);
  std::vector<Origin> libraries_ ABSL_GUARDED_BY(mu_);  // by Library

  std::thread thread_;
};

// Makes spdlog's lines lines of `log`, which outlives the sink.
std::shared_ptr<spdlog::sinks::sink> MakeSpdlogSink(AsyncLog* log);

}  // namespace freshline::log
