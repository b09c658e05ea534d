// SPDX-License-Identifier: Apache-2.0
#include "base/thread.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>

namespace freshline::base {
namespace {

// The calling thread's own account at the kernel: "time run, time stood in
// line, turns".
class SchedStat {
 public:
  SchedStat()
      : fd_(open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)) {}
  ~SchedStat() {
    if (fd_ >= 0) close(fd_);
  }
  SchedStat(const SchedStat&) = delete;
  SchedStat& operator=(const SchedStat&) = delete;

  int64_t RunDelayNanos() const {
    char text[96];
    const ssize_t got = pread(fd_, text, sizeof(text) - 1, 0);
    if (got <= 0) return 0;
    text[got] = '\0';
    int64_t delay = 0;
    return std::sscanf(text, "%*d %" SCNd64, &delay) == 1 ? delay : 0;
  }

 private:
  const int fd_;
};

}  // namespace

SchedClass SetOwnSchedClass(SchedClass wanted) {
  sched_param param{};
  int policy = SCHED_OTHER;
  if (wanted == SchedClass::kIdle) policy = SCHED_IDLE;
  if (wanted == SchedClass::kRealtime || wanted == SchedClass::kRealtimeHigh) {
    policy = SCHED_FIFO;
    param.sched_priority = wanted == SchedClass::kRealtime ? 1 : 2;
  }
  // pid 0 is the calling thread. Asking the kernel what it did, instead of
  // trusting the return value, also covers sandboxes that pretend.
  sched_setscheduler(0, policy, &param);
  switch (sched_getscheduler(0)) {
    case SCHED_IDLE:
      return SchedClass::kIdle;
    case SCHED_FIFO:
      sched_getparam(0, &param);
      return param.sched_priority > 1 ? SchedClass::kRealtimeHigh
                                      : SchedClass::kRealtime;
    default:
      return SchedClass::kNormal;
  }
}

void PrepareThread(absl::string_view name, bool punctual) {
  const std::string cut(name.substr(0, 15));
  pthread_setname_np(pthread_self(), cut.c_str());
  if (punctual) prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
}

absl::string_view SchedClassName(SchedClass sched_class) {
  switch (sched_class) {
    case SchedClass::kIdle:
      return "idle";
    case SchedClass::kRealtime:
      return "realtime";
    case SchedClass::kRealtimeHigh:
      return "realtime-high";
    case SchedClass::kNormal:
      return "normal";
  }
  return "normal";
}

int OwnThreadId() { return static_cast<int>(gettid()); }

bool SetSchedClassOf(int thread_id, SchedClass wanted) {
  const sched_param param{};
  const int policy = wanted == SchedClass::kIdle ? SCHED_IDLE : SCHED_OTHER;
  return sched_setscheduler(thread_id, policy, &param) == 0 &&
         sched_getscheduler(thread_id) == policy;
}

Duration ThreadRunDelay() {
  // Of each thread that asks, for as long as it lives.
  static thread_local const SchedStat stat;
  return Duration(stat.RunDelayNanos());
}

clockid_t OwnCpuClock() {
  clockid_t clock{};
  pthread_getcpuclockid(pthread_self(), &clock);
  return clock;
}

int64_t CpuNanosOf(clockid_t clock) {
  timespec ts{};
  clock_gettime(clock, &ts);
  return ts.tv_sec * 1'000'000'000LL + ts.tv_nsec;
}

int64_t ThreadCpuNanos() {
  timespec ts;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
  return ts.tv_sec * 1'000'000'000LL + ts.tv_nsec;
}

}  // namespace freshline::base
