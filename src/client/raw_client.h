// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/thread.h"
#include "base/time.h"

namespace freshline::client {

enum class Method {
  kGetFeatures,
  kPushEvents,
  kReportOutcome,
  kGetStatus,
  kGetSchema,
  kCheckHealth
};

// Payload of an error: the milliseconds after which the daemon wants the
// request again, as its trailing metadata says them, in decimal.
inline constexpr char kRetryPushbackPayload[] = "grpc-retry-pushback-ms";

struct RawOptions {
  std::string target;
  int channels = 1;
  int completion_threads = 1;
  size_t outstanding_max = 100'000;
  int receive_bytes_max = 64 << 20;
  base::Duration keepalive_time = std::chrono::seconds(60);
  base::Duration keepalive_timeout = std::chrono::seconds(20);
  // Completion threads get 1 ns timer slack, this name, and this class where
  // the kernel grants it.
  std::string thread_name = "client";
  base::SchedClass sched_class = base::SchedClass::kNormal;
};

// Sends serialised requests and hands back serialised answers: the transport
// under freshline::Client, and what the load generator uses directly, because
// it leaves encoding and decoding to the caller's choice of time and thread.
//
// Channels do not share connections; channel i is polled by completion thread
// i modulo their number. Calls are unary, over gRPC's generic stub.
//
// Thread-safety: every method from any thread. The destructor cancels what is
// under way and waits for the completions; it must not run on a completion
// thread (aborts).
//
// Cost of Send: one short lock of ours; the rest is gRPC, which usually writes
// to the socket on the calling thread.
class RawClient {
 public:
  // The bytes are valid during the call only. Runs exactly once, on a
  // completion thread, or on the sending thread before Send() returns where
  // the call was refused. `received` is the time at which the answer came out
  // of the completion queue.
  using Done = absl::AnyInvocable<void(const absl::Status& status,
                                       absl::string_view answer,
                                       base::MonoTime received) &&>;

  // Returns: INVALID_ARGUMENT naming option, value and range.
  static absl::StatusOr<std::unique_ptr<RawClient>> Create(RawOptions options);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  // Sends `request`, copied, and gives up at `deadline` (rounded up to whole
  // milliseconds). Refused: RESOURCE_EXHAUSTED at outstanding_max, CANCELLED
  // while the client is being destroyed.
  void Send(Method method, absl::string_view request, base::MonoTime deadline,
            Done done);

  // As Send(), without copying: `request` must stay as it is until `done`
  // runs. `tail` is copied and sent behind it; in a protobuf message a later
  // field overrides an earlier one, so that it can patch a prebuilt request.
  void SendUncopied(Method method, absl::string_view request,
                    absl::string_view tail, base::MonoTime deadline, Done done);

  // Waits until every channel is connected.
  // Returns: UNAVAILABLE naming the target, when `deadline` passes first.
  absl::Status WaitConnected(base::MonoTime deadline);

  // Whether the calling thread is a completion thread of this client.
  bool OnCompletionThread() const;

  // Calls under way.
  size_t outstanding() const;

 private:
  struct Call;
  struct Poller;
  struct Channel;

  explicit RawClient(RawOptions options);
  void Poll(Poller& poller);
  static void Finish(Poller& poller, Call* call);

  const RawOptions options_;
  std::vector<std::unique_ptr<Poller>> pollers_;
  std::vector<std::unique_ptr<Channel>> channels_;
  std::atomic<uint32_t> next_channel_{0};  // relaxed: any spread will do
};

}  // namespace freshline::client
