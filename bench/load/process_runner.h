// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/time.h"

namespace freshline::bench {

struct ProcessOptions {
  std::vector<std::string> arguments;  // [0] is the program, found by PATH
  // Standard output and error go here (truncated); empty: to this process's.
  std::string log_path;
  // A file that the child writes when it serves; its text is the port. Removed
  // before the start, so that an old one does not count. Empty: none.
  std::string port_file;
  base::Duration start_timeout = std::chrono::seconds(30);
};

// A child process, ended with its runner: on destruction it is stopped as by
// Stop(). Where this process, or the thread that started it, ends in any other
// way, the kernel kills it: nothing is left behind.
//
// Thread-safety: one thread at a time.
class ProcessRunner {
 public:
  // Starts it and, with a port file, waits until that names a port.
  // Returns: INVALID_ARGUMENT without arguments; NOT_FOUND where the program
  // cannot be started; UNAVAILABLE where it ended before it served, with its
  // exit code and the end of its log; DEADLINE_EXCEEDED, and it is ended.
  static absl::StatusOr<std::unique_ptr<ProcessRunner>> Start(
      const ProcessOptions& options);
  ~ProcessRunner();
  ProcessRunner(const ProcessRunner&) = delete;
  ProcessRunner& operator=(const ProcessRunner&) = delete;

  pid_t pid() const { return pid_; }
  // Of the port file; 0 without one.
  int port() const { return port_; }

  // CPU time consumed by all its threads so far, to ~1 us (the kernel's
  // process CPU clock; /proc/<pid>/stat has the same in ticks of 10 ms).
  // Returns: UNAVAILABLE where it has ended.
  absl::StatusOr<base::Duration> CpuTime() const;

  // Freezes it (SIGSTOP; returns when the kernel has stopped it) and lets it go
  // on. Without effect where it has ended.
  void Pause();
  void Resume();

  // Whether it has ended by itself or by Stop().
  bool Ended();

  // SIGTERM, then SIGKILL after `patience`. Returns the exit code, or 128 + the
  // signal that ended it; the same again when called again.
  int Stop(base::Duration patience = std::chrono::seconds(10));

 private:
  ProcessRunner(pid_t pid, std::string log_path)
      : pid_(pid), log_path_(std::move(log_path)) {}
  absl::Status WaitForPort(const ProcessOptions& options);
  std::string LogTail() const;

  const pid_t pid_;
  const std::string log_path_;
  int port_ = 0;
  std::optional<int> exit_code_;
};

}  // namespace freshline::bench
