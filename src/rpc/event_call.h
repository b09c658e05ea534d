// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "freshline/v1/feature_store.pb.h"
#include "rpc/call.h"
#include "rpc/call_context.h"
#include "rpc/call_queue.h"
#include "rpc/intake.h"
#include "rpc/poller.h"
#include "rpc/request_counts.h"

namespace freshline::rpc {

// A call that may carry events: served by the poller in its turn; on the intake
// where it is large, or where its events have a producer and an earlier request
// of the same connection is still there. Overtaken, the earlier one could find
// that the producer's window has moved past its events.
template <typename Request, typename Response>
class EventCall : public UnaryCall<Request, Response>, private CallQueue::Call {
 protected:
  using Base = UnaryCall<Request, Response>;
  using Batches = google::protobuf::RepeatedPtrField<v1::EventBatch>;

  EventCall(CallContext* server, Poller* poller, const CallOrigin& origin,
            Method method, Intake::Lane lane)
      : Base(origin, &server->counts.Of(method), server->limits()),
        server_(server),
        poller_(poller),
        lane_(lane) {}
  ~EventCall() override {
    if (counted_) server_->in_flight.fetch_sub(1, std::memory_order_relaxed);
  }

  virtual const Batches& batches() const = 0;
  // Answers the parsed request, or returns why not. Runs on the poller, or on
  // the intake.
  virtual absl::Status Serve() = 0;
  // The longest that a call of this kind can have, known before it is parsed.
  virtual base::Duration budget_max() const = 0;

  // RESOURCE_EXHAUSTED where this call, which has `budget` from its arrival,
  // has stood in line for too long to be worth it.
  absl::Status InTime(base::Duration budget) {
    const base::Duration waited = begun_ - arrived();
    const base::Duration most = poller_->calls().WaitMax(arrived(), budget);
    if (waited <= most) return absl::OkStatus();
    poller_->calls().Refused(begun_);
    server_->refused_overdue.fetch_add(1, std::memory_order_relaxed);
    return absl::ResourceExhaustedError(absl::StrCat(
        "overloaded: this call stood in line for ", waited.count() / 1'000'000,
        " ms of the ", budget.count() / 1'000'000,
        " ms that it has; nothing was applied, try again later"));
  }

  // This call had `budget`: the line is kept as short as that asks for.
  void NotePatience(base::Duration budget) {
    poller_->calls().NotePatience(budget);
  }

  // When it reached the machine, as near as can be told.
  using CallQueue::Call::arrived;

  CallContext* const server_;
  Poller* const poller_;

 private:
  void Handle() final {
    const base::MonoTime now = server_->rooms.clock->Now();
    server_->last_call.store(now, std::memory_order_relaxed);
    counted_ = true;
    server_->in_flight.fetch_add(1, std::memory_order_relaxed);
    server_->unanswered.fetch_add(1, std::memory_order_relaxed);
    poller_->calls().Push(this, now);
  }

  void Begin() final {
    begun_ = server_->rooms.clock->Now();
    const absl::Status s = Accept();
    if (s.ok()) return;
    if (absl::IsResourceExhausted(s)) {
      this->AskToWait(server_->retry_after_ms());
    }
    this->Finish(s);
  }

  void OnFinish() final {
    if (counted_) server_->unanswered.fetch_sub(1, std::memory_order_relaxed);
  }

  absl::Status Accept() {
    FRESHLINE_RETURN_IF_ERROR(server_->Admit());
    FRESHLINE_RETURN_IF_ERROR(this->CheckUnread());
    FRESHLINE_RETURN_IF_ERROR(InTime(budget_max()));
    const size_t bytes = this->request_bytes();
    if (bytes > server_->options.poller_request_bytes_max) {
      return Post(bytes, /*parsed=*/false);
    }
    FRESHLINE_RETURN_IF_ERROR(this->Parse());
    if (!server_->intake->idle() && numbered() &&
        server_->intake->Holds(this->connection().peer())) {
      return Post(this->request_->SpaceUsedLong(), /*parsed=*/true);
    }
    return Serve();
  }

  bool numbered() const {
    return std::any_of(
        batches().begin(), batches().end(),
        [](const v1::EventBatch& b) { return !b.producer_id().empty(); });
  }

  absl::Status Post(size_t bytes, bool parsed) {
    Intake::Job job = [this, parsed, hold = rpc::Call::Hold(this)] {
      absl::Status s = parsed ? absl::OkStatus() : this->Parse();
      if (s.ok()) s = Serve();
      if (!s.ok()) this->Finish(s);
    };
    if (server_->intake->TryPost(lane_, this->connection().peer(),
                                 bytes + sizeof(*this), std::move(job))) {
      return absl::OkStatus();
    }
    server_->counts.Refused(CallRefusal::kIntake);
    server_->refused_full.fetch_add(1, std::memory_order_relaxed);
    return absl::ResourceExhaustedError(absl::StrCat(
        "large requests of ", server_->options.intake_bytes_max,
        " bytes already wait to be decoded, as many as may; send this one "
        "again later, with fewer requests in flight, or in parts of at most ",
        server_->options.poller_request_bytes_max, " bytes"));
  }

  const Intake::Lane lane_;
  base::MonoTime begun_{};
  bool counted_ = false;
};

}  // namespace freshline::rpc
