// SPDX-License-Identifier: Apache-2.0
#include "rpc/poller.h"

#include <utility>

#include "base/thread.h"
#include "rpc/call_door.h"

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

}  // namespace

Poller::Poller(const base::Clock* clock, const http2::Loop::Options& options,
               http2::Connections* connections, const MethodTable* methods)
    : clock_(clock),
      methods_(methods),
      metadata_bytes_max_(connections->metadata_bytes_max()),
      calls_(clock->Now()),
      loop_(options, *clock, connections, this) {}

std::unique_ptr<Poller::Handler> Poller::Connect(
    std::shared_ptr<http2::Connection> connection) {
  return std::make_unique<CallDoor>(this, methods_, std::move(connection),
                                    metadata_bytes_max_);
}

void Poller::Run() {
  loop_.Own();
  run_delay_ = base::ThreadRunDelay();
  while (!loop_.ended()) {
    const bool read = Read();
    // More may have come while calls were served.
    const bool served = Serve();
    const bool posted = loop_.RunPosted();
    loop_.Flush();
    if (!read && !served && !posted && !loop_.ended()) Wait();
  }
}

// What came after a turn began may not have been read in it; all else was,
// where the turn found an end.
bool Poller::Read() {
  const MonoTime begin = clock_->Now();
  bool any = std::exchange(polled_, false);
  MonoTime turn = begin;
  while (true) {
    if (!any || turn != begin) any |= loop_.Poll(Duration::zero());
    const bool all = loop_.Read();
    if (all) {
      calls_.Dry(turn);
      return any;
    }
    turn = clock_->Now();
    if (turn - begin >= kReadSlice && !calls_.empty()) return any;
  }
}

void Poller::Wait() {
  const MonoTime begin = clock_->Now();
  calls_.Waits(begin, begin + kWaitMax);
  polled_ = loop_.Poll(kWaitMax);
  const Duration run_delay = base::ThreadRunDelay();
  calls_.Woke(clock_->Now(), run_delay - run_delay_);
  run_delay_ = run_delay;
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
    // Others' answers are due when they come.
    if (loop_.RunPosted()) loop_.Flush();
    now = clock_->Now();
  }
  return served;
}

}  // namespace freshline::rpc
