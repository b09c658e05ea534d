// SPDX-License-Identifier: Apache-2.0
#include "bench/load/process_runner.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "bench/load/absolute_sleep.h"

namespace freshline::bench {
namespace {

constexpr base::Duration kPoll = std::chrono::milliseconds(2);

void SleepFor(base::Duration time) {
  SleepUntil(base::Clock::Real().Now() + time);
}

// In the child. Async-signal-safe calls only: other threads may have held any
// lock when it was forked.
[[noreturn]] void Become(char* const* argv, const char* log_path, pid_t parent,
                         int error_pipe) {
  int log = -1;
  if (log_path[0] != '\0') {
    log = open(log_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  }
  // A stopped child would not see anything weaker than SIGKILL.
  const bool tied =
      prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
  const bool logged =
      log_path[0] == '\0' || (log >= 0 && dup2(log, STDOUT_FILENO) >= 0 &&
                              dup2(log, STDERR_FILENO) >= 0);
  if (tied && logged) execvp(argv[0], argv);
  const int error = errno;
  [[maybe_unused]] const auto written =
      write(error_pipe, &error, sizeof(error));
  _exit(127);
}

absl::StatusOr<pid_t> Spawn(const ProcessOptions& options) {
  std::vector<char*> argv;
  for (const std::string& argument : options.arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  int error_pipe[2];
  if (pipe2(error_pipe, O_CLOEXEC) != 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no pipe: ", std::strerror(errno)));
  }
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    Become(argv.data(), options.log_path.c_str(), parent, error_pipe[1]);
  }
  int error = pid < 0 ? errno : 0;
  close(error_pipe[1]);
  // Closed without a word when the program has taken over.
  if (pid > 0 && read(error_pipe[0], &error, sizeof(error)) == sizeof(error)) {
    waitpid(pid, nullptr, 0);
  }
  close(error_pipe[0]);
  if (error != 0) {
    return absl::NotFoundError(absl::StrCat(
        options.arguments[0], ": cannot be started: ", std::strerror(error)));
  }
  return pid;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ProcessRunner>> ProcessRunner::Start(
    const ProcessOptions& options) {
  if (options.arguments.empty()) {
    return absl::InvalidArgumentError("ProcessOptions.arguments is empty");
  }
  if (!options.port_file.empty()) std::remove(options.port_file.c_str());
  FRESHLINE_ASSIGN_OR_RETURN(const pid_t pid, Spawn(options));
  std::unique_ptr<ProcessRunner> runner(
      new ProcessRunner(pid, options.log_path));
  if (!options.port_file.empty()) {
    FRESHLINE_RETURN_IF_ERROR(runner->WaitForPort(options));
  }
  return runner;
}

ProcessRunner::~ProcessRunner() { Stop(); }

absl::Status ProcessRunner::WaitForPort(const ProcessOptions& options) {
  const base::Clock& clock = base::Clock::Real();
  const base::MonoTime deadline = clock.Now() + options.start_timeout;
  while (clock.Now() < deadline) {
    std::ifstream file(options.port_file);
    std::string line;
    // A line break shows that the port is written whole.
    if (file && std::getline(file, line) && !file.eof() &&
        absl::SimpleAtoi(absl::StripAsciiWhitespace(line), &port_) &&
        port_ > 0) {
      return absl::OkStatus();
    }
    if (Ended()) {
      return absl::UnavailableError(absl::StrCat(
          absl::StrJoin(options.arguments, " "), ": ended with code ",
          *exit_code_, " before it served", LogTail()));
    }
    SleepFor(kPoll);
  }
  return absl::DeadlineExceededError(
      absl::StrCat(absl::StrJoin(options.arguments, " "), ": did not write ",
                   options.port_file, " in time", LogTail()));
}

std::string ProcessRunner::LogTail() const {
  if (log_path_.empty()) return "";
  std::ifstream file(log_path_);
  std::string text((std::istreambuf_iterator<char>(file)),
                   std::istreambuf_iterator<char>());
  constexpr size_t kShown = 2000;
  if (text.size() > kShown) text = text.substr(text.size() - kShown);
  return absl::StrCat("; ", log_path_, " ends:\n", text);
}

absl::StatusOr<base::Duration> ProcessRunner::CpuTime() const {
  clockid_t clock;
  timespec time{};
  if (exit_code_.has_value() || clock_getcpuclockid(pid_, &clock) != 0 ||
      clock_gettime(clock, &time) != 0) {
    return absl::UnavailableError(absl::StrCat("process ", pid_, " has ended"));
  }
  return base::Duration(time.tv_sec * 1'000'000'000LL + time.tv_nsec);
}

void ProcessRunner::Pause() {
  if (Ended() || kill(pid_, SIGSTOP) != 0) return;
  siginfo_t info{};
  // WNOWAIT: only looks, so that Ended() still finds an exit.
  waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WEXITED | WNOWAIT);
}

void ProcessRunner::Resume() {
  if (!Ended()) kill(pid_, SIGCONT);
}

bool ProcessRunner::Ended() {
  if (exit_code_.has_value()) return true;
  int status = 0;
  const pid_t reaped = waitpid(pid_, &status, WNOHANG);
  if (reaped == 0) return false;
  if (reaped != pid_) {
    exit_code_ = -1;  // reaped elsewhere: its code is lost
    return true;
  }
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return true;
}

int ProcessRunner::Stop(base::Duration patience) {
  if (!Ended()) {
    kill(pid_, SIGTERM);
    kill(pid_, SIGCONT);  // a paused process would never see it
    const base::Clock& clock = base::Clock::Real();
    const base::MonoTime deadline = clock.Now() + patience;
    while (!Ended() && clock.Now() < deadline) SleepFor(kPoll);
    if (!Ended()) kill(pid_, SIGKILL);
    while (!Ended()) SleepFor(kPoll);
  }
  return *exit_code_;
}

}  // namespace freshline::bench
