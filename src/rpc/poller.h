// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "base/clock.h"
#include "http2/connections.h"
#include "http2/loop.h"
#include "rpc/call_queue.h"
#include "rpc/methods.h"

namespace freshline::rpc {

// One thread that serves its connections: reads all there is, serves the calls
// that were read for a slice, sends what was answered, and reads again. Between
// slices it sees new arrivals, so that it knows how long calls wait.
//
// Lifecycle: Run() on a thread of its own, until the loop was told to end.
// Destroyed after whatever may finish a call.
// Thread-safety: calls().stats(), calls().overloaded() and what of loop() is
// for any thread; all else on Run()'s.
class Poller final : private http2::Loop::Owner {
 public:
  // `clock`, `connections` and `methods` outlive the poller.
  Poller(const base::Clock* clock, const http2::Loop::Options& options,
         http2::Connections* connections, const MethodTable* methods);

  void Run();

  const base::Clock& clock() const { return *clock_; }
  http2::Loop& loop() { return loop_; }
  // Where calls that were read are to wait.
  CallQueue& calls() { return calls_; }
  const CallQueue& calls() const { return calls_; }

 private:
  std::unique_ptr<Handler> Connect(
      std::shared_ptr<http2::Connection> connection) override;
  // Whether anything came.
  bool Read();
  void Wait();
  // Whether there was a call to serve.
  bool Serve();

  const base::Clock* const clock_;
  const MethodTable* const methods_;
  const uint32_t metadata_bytes_max_;
  CallQueue calls_;
  http2::Loop loop_;
  base::Duration run_delay_{};  // of this thread, in all
  bool polled_ = false;         // Wait() has found what there is to read
};

}  // namespace freshline::rpc
