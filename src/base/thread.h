// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <thread>

#include "absl/strings/string_view.h"
#include "base/time.h"

namespace freshline::base {

// How the kernel schedules a thread against the others.
enum class SchedClass {
  kNormal,        // SCHED_OTHER
  kIdle,          // SCHED_IDLE: gives way to everything else
  kRealtime,      // SCHED_FIFO, lowest priority; needs CAP_SYS_NICE
  kRealtimeHigh,  // SCHED_FIFO, above kRealtime; needs CAP_SYS_NICE
};

// Moves the calling thread into `wanted` and returns the class it has now,
// which is the old one where the kernel refused.
SchedClass SetOwnSchedClass(SchedClass wanted);

// Names the calling thread (cut to 15 characters) and, for `punctual` threads,
// sets its timer slack to 1 ns.
void PrepareThread(absl::string_view name, bool punctual);

// "normal", "idle", "realtime" or "realtime-high".
absl::string_view SchedClassName(SchedClass sched_class);

// The kernel's number of the calling thread, for SetSchedClassOf().
int OwnThreadId();

// Moves another thread of this process between kNormal and kIdle. Returns
// whether the kernel granted it: out of kIdle that takes CAP_SYS_NICE, or a
// limit on nice values that allows 0.
bool SetSchedClassOf(int thread_id, SchedClass wanted);

// How long the calling thread has stood in line for a core since it began:
// able to run, while others ran. 0 where the kernel does not say. One system
// call, about 1 us.
Duration ThreadRunDelay();

// The clock of the calling thread's CPU time, for CpuNanosOf().
clockid_t OwnCpuClock();

// CPU time of the thread whose clock that is, in nanoseconds; it must not have
// ended.
int64_t CpuNanosOf(clockid_t clock);

// CPU time that the calling thread has consumed, in nanoseconds.
int64_t ThreadCpuNanos();

}  // namespace freshline::base
