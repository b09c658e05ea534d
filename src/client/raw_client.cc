// SPDX-License-Identifier: Apache-2.0
#include "client/raw_client.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/foreign_text.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "base/thread.h"

namespace freshline::client {
namespace {

const std::string& Path(Method method) {
  static const std::string paths[] = {
      "/freshline.v1.FeatureStore/GetFeatures",
      "/freshline.v1.FeatureStore/PushEvents",
      "/freshline.v1.FeatureStore/ReportOutcome",
      "/freshline.v1.Operations/GetStatus",
      "/freshline.v1.Operations/GetSchema",
      "/grpc.health.v1.Health/Check",
  };
  return paths[static_cast<int>(method)];
}

// The one translation from gRPC's status; the codes are the same numbers.
absl::Status FromGrpc(const grpc::Status& status, const std::string& target,
                      const grpc::ClientContext& context) {
  if (status.ok()) return absl::OkStatus();
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  std::string message = status.error_message();
  if (code == absl::StatusCode::kUnavailable) {
    message = absl::StrCat(target, ": ", message);
  }
  absl::Status result(code, message);
  if (!status.error_details().empty()) {
    result.SetPayload("grpc-status-details-bin",
                      absl::Cord(status.error_details()));
  }
  const auto& trailing = context.GetServerTrailingMetadata();
  const auto pushback = trailing.find(kRetryPushbackPayload);
  if (pushback != trailing.end()) {
    result.SetPayload(kRetryPushbackPayload,
                      absl::Cord(absl::string_view(pushback->second.data(),
                                                   pushback->second.size())));
  }
  return result;
}

gpr_timespec ToGpr(base::MonoTime time) {
  if (time == base::kInfiniteFuture) return gpr_inf_future(GPR_CLOCK_MONOTONIC);
  const int64_t ns = std::max<int64_t>(0, time.time_since_epoch().count());
  gpr_timespec result;
  result.tv_sec = ns / 1'000'000'000;
  result.tv_nsec = static_cast<int32_t>(ns % 1'000'000'000);
  result.clock_type = GPR_CLOCK_MONOTONIC;
  return result;
}

int ToMillisInt(base::Duration d) {
  return static_cast<int>(
      std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
}

template <typename T>
absl::Status CheckRange(const char* option, T value, T low, T high,
                        const char* unit = "") {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("ClientOptions.", option, " is ", value, unit,
                   "; give a value from ", low, " to ", high, unit));
}

absl::Status WrongTarget(absl::string_view target, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("target ", base::Quoted(target), " ", what,
                   "; give \"host:port\" or \"unix:/path\""));
}

// What gRPC would find out by asking a name server, or never: it takes 99999
// modulo 2^16, and a target without a port as one with the port of HTTPS.
absl::Status CheckTarget(absl::string_view target) {
  if (target.empty()) {
    return absl::InvalidArgumentError(
        "ClientOptions.target is empty; give \"host:port\" or \"unix:/path\"");
  }
  for (const char* scheme :
       {"unix:", "unix-abstract:", "vsock:", "xds:", "ipv4:", "ipv6:"}) {
    if (absl::StartsWith(target, scheme)) return absl::OkStatus();
  }
  if (absl::StrContains(target, "://") && !absl::StartsWith(target, "dns:")) {
    return WrongTarget(target, "is a URL");
  }
  const size_t colon = target.rfind(':');
  const absl::string_view port =
      colon == absl::string_view::npos ? "" : target.substr(colon + 1);
  if (port.empty() || absl::StrContains(port, "/") ||
      absl::StrContains(port, "]")) {
    return WrongTarget(target, "has no port");
  }
  const bool bracketed = colon > 0 && target[colon - 1] == ']';
  if (!bracketed && !absl::StartsWith(target, "dns:") &&
      target.find(':') != colon) {
    return WrongTarget(target,
                       "has several colons: an IPv6 address stands in "
                       "brackets, as in [::1]:7460");
  }
  int number = 0;
  const bool digits =
      port.find_first_not_of("0123456789") == absl::string_view::npos;
  if (digits && absl::SimpleAtoi(port, &number) && number >= 1 &&
      number <= 65'535) {
    return absl::OkStatus();
  }
  return WrongTarget(target, "has a port that is not from 1 to 65535");
}

absl::Status Validate(const RawOptions& options) {
  FRESHLINE_RETURN_IF_ERROR(CheckTarget(options.target));
  FRESHLINE_RETURN_IF_ERROR(CheckRange("channels", options.channels, 1, 256));
  FRESHLINE_RETURN_IF_ERROR(
      CheckRange("completion_threads", options.completion_threads, 1, 64));
  FRESHLINE_RETURN_IF_ERROR(CheckRange<size_t>(
      "outstanding_max", options.outstanding_max, 1, 10'000'000));
  FRESHLINE_RETURN_IF_ERROR(CheckRange(
      "receive_bytes_max", options.receive_bytes_max, 1 << 10, 1 << 30));
  FRESHLINE_RETURN_IF_ERROR(CheckRange("keepalive_time",
                                       ToMillisInt(options.keepalive_time),
                                       30'000, 24 * 3'600'000, " ms"));
  return CheckRange("keepalive_timeout", ToMillisInt(options.keepalive_timeout),
                    1, 3'600'000, " ms");
}

grpc::ChannelArguments ChannelArguments(const RawOptions& options) {
  grpc::ChannelArguments args;
  // Otherwise channels with equal arguments share one connection.
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, ToMillisInt(options.keepalive_time));
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
              ToMillisInt(options.keepalive_timeout));
  args.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // Its default, 2, would end the pings of an idle connection.
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  args.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  // Not a backoff but the time that one attempt to connect has.
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  // A bomb would inflate fully before its size is checked.
  args.SetInt(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  args.SetMaxReceiveMessageSize(options.receive_bytes_max);
  args.SetServiceConfigJSON("{}");
  return args;
}

}  // namespace

struct RawClient::Call {
  grpc::ClientContext context;
  grpc::ByteBuffer answer;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> reader;
  Done done;
  // Neighbours among the calls of the same poller, guarded by its mutex.
  Call* previous = nullptr;
  Call* next = nullptr;
};

struct RawClient::Poller {
  const std::string* target = nullptr;
  grpc::CompletionQueue queue;
  mutable base::Mutex mu;
  base::CondVar emptied;
  Call* first ABSL_GUARDED_BY(mu) = nullptr;
  size_t outstanding ABSL_GUARDED_BY(mu) = 0;
  bool closing ABSL_GUARDED_BY(mu) = false;
  size_t outstanding_max = 0;
  std::thread thread;

  absl::Status Link(Call* call) {
    base::MutexLock lock(&mu);
    if (closing) return absl::CancelledError("the client is being destroyed");
    if (outstanding >= outstanding_max) {
      return absl::ResourceExhaustedError(absl::StrCat(
          outstanding,
          " calls are under way, the most that "
          "ClientOptions.outstanding_max allows for one completion thread"));
    }
    ++outstanding;
    call->next = first;
    if (first != nullptr) first->previous = call;
    first = call;
    return absl::OkStatus();
  }

  void Unlink(Call* call) {
    base::MutexLock lock(&mu);
    if (call->previous != nullptr) {
      call->previous->next = call->next;
    } else {
      first = call->next;
    }
    if (call->next != nullptr) call->next->previous = call->previous;
    if (--outstanding == 0) emptied.NotifyAll();
  }

  void CancelAndWait() {
    base::MutexLock lock(&mu);
    closing = true;
    for (Call* call = first; call != nullptr; call = call->next) {
      call->context.TryCancel();
    }
    while (outstanding > 0) emptied.Wait(&mu);
  }
};

struct RawClient::Channel {
  explicit Channel(std::shared_ptr<grpc::Channel> made)
      : channel(std::move(made)), stub(channel) {}
  std::shared_ptr<grpc::Channel> channel;
  grpc::GenericStub stub;
  Poller* poller = nullptr;
};

absl::StatusOr<std::unique_ptr<RawClient>> RawClient::Create(
    RawOptions options) {
  FRESHLINE_RETURN_IF_ERROR(Validate(options));
  return std::unique_ptr<RawClient>(new RawClient(std::move(options)));
}

RawClient::RawClient(RawOptions options) : options_(std::move(options)) {
  const int threads = std::min(options_.completion_threads, options_.channels);
  for (int i = 0; i < threads; ++i) {
    auto poller = std::make_unique<Poller>();
    poller->target = &options_.target;
    const auto share = static_cast<size_t>(threads);
    poller->outstanding_max = (options_.outstanding_max + share - 1) / share;
    pollers_.push_back(std::move(poller));
  }
  for (int i = 0; i < options_.channels; ++i) {
    channels_.push_back(std::make_unique<Channel>(grpc::CreateCustomChannel(
        options_.target, grpc::InsecureChannelCredentials(),
        ChannelArguments(options_))));
    channels_.back()->poller = pollers_[static_cast<size_t>(i % threads)].get();
  }
  for (auto& poller : pollers_) {
    poller->thread = std::thread([this, p = poller.get()] { Poll(*p); });
  }
}

RawClient::~RawClient() {
  FRESHLINE_CHECK(!OnCompletionThread());
  for (auto& poller : pollers_) poller->CancelAndWait();
  for (auto& poller : pollers_) poller->queue.Shutdown();
  for (auto& poller : pollers_) poller->thread.join();
}

void RawClient::Send(Method method, absl::string_view request,
                     base::MonoTime deadline, Done done) {
  SendUncopied(method, absl::string_view(), request, deadline, std::move(done));
}

void RawClient::SendUncopied(Method method, absl::string_view request,
                             absl::string_view tail, base::MonoTime deadline,
                             Done done) {
  const uint32_t turn = next_channel_.fetch_add(1, std::memory_order_relaxed);
  Channel& channel = *channels_[turn % channels_.size()];
  auto call = std::make_unique<Call>();
  if (const absl::Status linked = channel.poller->Link(call.get());
      !linked.ok()) {
    std::move(done)(linked, absl::string_view(), base::Clock::Real().Now());
    return;
  }
  call->done = std::move(done);
  call->context.set_deadline(ToGpr(deadline));
  const grpc::Slice slices[] = {
      grpc::Slice(request.data(), request.size(), grpc::Slice::STATIC_SLICE),
      grpc::Slice(tail.data(), tail.size())};
  const size_t first = request.empty() ? 1 : 0;
  const size_t count = (tail.empty() && first == 0) ? 1 : 2 - first;
  const grpc::ByteBuffer bytes(slices + first, count);
  Call* owned = call.release();
  owned->reader = channel.stub.PrepareUnaryCall(&owned->context, Path(method),
                                                bytes, &channel.poller->queue);
  owned->reader->StartCall();
  owned->reader->Finish(&owned->answer, &owned->status, owned);
}

void RawClient::Poll(Poller& poller) {
  base::PrepareThread(options_.thread_name, /*punctual=*/true);
  if (options_.sched_class != base::SchedClass::kNormal) {
    base::SetOwnSchedClass(options_.sched_class);
  }
  void* tag = nullptr;
  bool ok = false;
  while (poller.queue.Next(&tag, &ok)) Finish(poller, static_cast<Call*>(tag));
}

void RawClient::Finish(Poller& poller, Call* finished) {
  const base::MonoTime received = base::Clock::Real().Now();
  std::unique_ptr<Call> call(finished);
  poller.Unlink(call.get());
  absl::Status status = FromGrpc(call->status, *poller.target, call->context);
  grpc::Slice slice;
  if (status.ok() && call->answer.Valid() &&
      !call->answer.TrySingleSlice(&slice).ok() &&
      !call->answer.DumpToSingleSlice(&slice).ok()) {
    status = absl::InternalError("the answer could not be read");
  }
  const absl::string_view answer(reinterpret_cast<const char*>(slice.begin()),
                                 slice.size());
  std::move(call->done)(status, answer, received);
}

absl::Status RawClient::WaitConnected(base::MonoTime deadline) {
  for (auto& channel : channels_) channel->channel->GetState(true);
  for (auto& channel : channels_) {
    if (!channel->channel->WaitForConnected(ToGpr(deadline))) {
      return absl::UnavailableError(
          absl::StrCat(options_.target, ": not reached in time"));
    }
  }
  return absl::OkStatus();
}

bool RawClient::OnCompletionThread() const {
  for (const auto& poller : pollers_) {
    if (poller->thread.get_id() == std::this_thread::get_id()) return true;
  }
  return false;
}

size_t RawClient::outstanding() const {
  size_t sum = 0;
  for (const auto& poller : pollers_) {
    base::MutexLock lock(&poller->mu);
    sum += poller->outstanding;
  }
  return sum;
}

}  // namespace freshline::client
