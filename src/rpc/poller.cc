// SPDX-License-Identifier: Apache-2.0
#include "rpc/poller.h"

#include <grpc/support/time.h>

#include "base/thread.h"
#include "rpc/call.h"

namespace freshline::rpc {

using base::Duration;
using base::MonoTime;

namespace {

// A stop of the process is noticed where a wait outlasts this by far.
constexpr Duration kWaitMax = std::chrono::milliseconds(50);
// So long calls are served before it is looked what has come meanwhile.
constexpr Duration kServeSlice = std::chrono::microseconds(500);
// And so long it is read while calls wait to be served.
constexpr Duration kReadSlice = std::chrono::milliseconds(2);
constexpr Duration kBusy = std::chrono::microseconds(100);
constexpr int kNothingSaid = 4;

}  // namespace

void Poller::Run() {
  run_delay_ = base::ThreadRunDelay();
  while (true) {
    const Got got = Read();
    if (got == Got::kEnd) return;
    // More may have come while calls were served.
    const bool served = Serve();
    if (got == Got::kNothing && !served && Wait() == Got::kEnd) return;
  }
}

Poller::Got Poller::Next(gpr_timespec deadline) {
  void* tag = nullptr;
  bool ok = false;
  switch (queue_->AsyncNext(&tag, &ok, deadline)) {
    case grpc::CompletionQueue::GOT_EVENT: {
      const auto* event = static_cast<CallEvents::Tag*>(tag);
      event->call->On(event->event, ok);
      return Got::kEvent;
    }
    case grpc::CompletionQueue::TIMEOUT:
      return Got::kNothing;
    case grpc::CompletionQueue::SHUTDOWN:
      break;
  }
  return Got::kEnd;
}

Poller::Got Poller::Wait() {
  const MonoTime begin = clock_->Now();
  calls_.Waits(begin, begin + kWaitMax);
  void* tag = nullptr;
  bool ok = false;
  const auto got = queue_->AsyncNext(
      &tag, &ok,
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                   gpr_time_from_nanos(kWaitMax.count(), GPR_TIMESPAN)));
  const Duration run_delay = base::ThreadRunDelay();
  calls_.Woke(clock_->Now(), run_delay - run_delay_);
  run_delay_ = run_delay;
  if (got == grpc::CompletionQueue::SHUTDOWN) return Got::kEnd;
  if (got == grpc::CompletionQueue::TIMEOUT) return Got::kNothing;
  const auto* event = static_cast<CallEvents::Tag*>(tag);
  event->call->On(event->event, ok);
  return Got::kEvent;
}

// gRPC looks at one readable socket at a time, and finds nothing where it holds
// but a part of a request, though others are full. While there is much to read,
// nothing is believed only when it is said again and again.
Poller::Got Poller::Read() {
  const MonoTime begin = clock_->Now();
  int nothing = 0;
  while (true) {
    const Got got = Next(gpr_inf_past(GPR_CLOCK_MONOTONIC));
    if (got == Got::kEnd) return got;
    const MonoTime now = clock_->Now();
    nothing = got == Got::kNothing ? nothing + 1 : 0;
    const bool busy = calls_.overloaded() || now - begin >= kBusy;
    if (nothing >= (busy ? kNothingSaid : 1)) {
      calls_.Dry(now);
      return got;
    }
    if (now - begin >= kReadSlice && !calls_.empty()) return got;
  }
}

bool Poller::Serve() {
  MonoTime now = clock_->Now();
  const MonoTime end = now + kServeSlice;
  bool served = false;
  while (now < end) {
    CallQueue::Call* const call = calls_.Pop(now);
    if (call == nullptr) break;
    served = true;
    call->Begin();
    now = clock_->Now();
  }
  return served;
}

}  // namespace freshline::rpc
