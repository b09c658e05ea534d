// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <utility>

#include "base/clock.h"
#include "rpc/call_queue.h"

namespace freshline::rpc {

// The loop of one poller over its completion queue: reads all there is, serves
// the calls that were read for a slice, and reads again. Between slices it sees
// new arrivals, and answers that are out, so that it knows how long calls wait.
//
// Lifecycle: Run() on a thread of its own, until the completion queue is shut
// down and empty.
// Thread-safety: calls().stats() and calls().overloaded() from any thread.
class Poller {
 public:
  Poller(const base::Clock* clock,
         std::unique_ptr<grpc::ServerCompletionQueue> queue)
      : clock_(clock), queue_(std::move(queue)), calls_(clock->Now()) {}

  void Run();

  grpc::ServerCompletionQueue* queue() const { return queue_.get(); }
  // Where calls that were read are to wait; pushed to on Run()'s thread only.
  CallQueue& calls() { return calls_; }
  const CallQueue& calls() const { return calls_; }

 private:
  enum class Got { kEvent, kNothing, kEnd };
  // Waits until `deadline` for one event and handles it.
  Got Next(gpr_timespec deadline);
  Got Wait();
  Got Read();
  // Whether there was a call to serve.
  bool Serve();

  const base::Clock* const clock_;
  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  CallQueue calls_;
  base::Duration run_delay_{};  // of this thread, in all
};

}  // namespace freshline::rpc
