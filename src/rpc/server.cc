// SPDX-License-Identifier: Apache-2.0
#include "rpc/server.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "base/thread.h"
#include "base/waker.h"
#include "http2/acceptor.h"
#include "http2/loop.h"
#include "rpc/call_context.h"
#include "rpc/handlers.h"
#include "rpc/reflection.h"

namespace freshline::rpc {
namespace {

// Headers beyond so many times what a call may have are not even read: their
// stream is reset.
constexpr uint32_t kHeaderListFactor = 8;
// Calls that a connection may have open and reset, in multiples of the streams
// that it may have open at a time.
constexpr uint32_t kCallsPerStream = 4;
// Calls that are open in all, beyond requests_in_flight_max: a quarter of it.
constexpr uint32_t kCallsNotInFlight = 4;

// Of a shutdown: for answers to be read, for GOAWAY and what was just answered
// to go out, and for the calls of other threads to come home.
constexpr base::Duration kReadWaitMax = std::chrono::milliseconds(500);
constexpr base::Duration kGoAwayWait = std::chrono::milliseconds(100);
constexpr base::Duration kCloseWaitMax = std::chrono::seconds(2);
constexpr base::Duration kWaitStep = std::chrono::milliseconds(1);

http2::Loop::Options LoopOptions(const ServerOptions& o) {
  http2::Loop::Options options;
  const uint32_t metadata = o.connections.connection.metadata_bytes_max;
  options.session.streams_max = o.streams_per_connection_max;
  options.session.header_list_bytes_told = metadata;
  options.session.header_list_bytes_max = kHeaderListFactor * metadata;
  options.times.handshake_max = o.handshake_max;
  options.times.idle_max = o.connection_idle_max;
  options.times.age_max = o.connection_age_max;
  options.times.blocked_max = o.connections.connection.unread_max;
  return options;
}

}  // namespace

struct Server::Rep {
  CallContext context;
  std::unique_ptr<http2::Acceptor> acceptor;
  std::vector<std::thread> threads;
  size_t next_poller = 0;  // of the acceptor
  bool shut_down = false;

  void MakePollers();
  void StartThreads();
  void Poll(size_t index);
  void Advance(http2::Link::Phase phase);
  // Waits until `done`, at most so long. Returns: whether it is.
  bool WaitFor(base::Duration at_most, const std::function<bool()>& done) const;
};

void Server::Rep::MakePollers() {
  AddHandlers(&context, &context.methods);
  context.health.AddTo(&context.methods);
  if (context.options.reflection) AddReflection(&context.methods);
  for (uint32_t i = 0; i < context.options.pollers; ++i) {
    context.pollers.push_back(std::make_unique<Poller>(
        context.rooms.clock, LoopOptions(context.options),
        context.connections.get(), &context.methods));
  }
}

// Returns when every thread has been told its class: the status, which reads
// the list, cannot be asked before.
void Server::Rep::StartThreads() {
  for (size_t i = 0; i < context.pollers.size(); ++i) {
    context.threads.push_back({absl::StrCat("poller-", i),
                               base::SchedClass::kNormal,
                               context.options.poller_class});
  }
  context.intake = std::make_unique<Intake>(context.options.intake_bytes_max);
  for (size_t i = 0; i < context.pollers.size(); ++i) {
    threads.emplace_back([this, i] { Poll(i); });
  }
  const auto all = static_cast<uint32_t>(context.pollers.size());
  for (uint32_t ready = 0; ready < all; ready = context.threads_ready) {
    context.threads_ready.wait(ready);
  }
  context.threads.push_back({"intake", context.intake->sched_class()});
  context.threads.push_back({"acceptor", base::SchedClass::kNormal});
  acceptor->Start([this](std::shared_ptr<http2::Connection> connection) {
    const size_t poller = next_poller++ % context.pollers.size();
    context.pollers[poller]->loop().Adopt(std::move(connection));
  });
}

void Server::Rep::Poll(size_t index) {
  ServingThread& self = context.threads[index];
  base::PrepareThread(self.name, /*punctual=*/true);
  self.sched_class = base::SetOwnSchedClass(context.options.poller_class);
  context.threads_ready.fetch_add(1);
  context.threads_ready.notify_all();
  context.pollers[index]->Run();
}

void Server::Rep::Advance(http2::Link::Phase phase) {
  for (const auto& poller : context.pollers) poller->loop().Advance(phase);
}

Server::Server(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(ServerOptions options,
                                                      Rooms rooms) {
  auto rep = std::make_unique<Rep>();
  rep->context.options = std::move(options);
  rep->context.rooms = std::move(rooms);
  ServerOptions& o = rep->context.options;
  http2::ConnectionLimits& limits = o.connections.connection;
  limits.calls_max = kCallsPerStream * o.streams_per_connection_max;
  limits.all_calls_max =
      o.requests_in_flight_max + o.requests_in_flight_max / kCallsNotInFlight;
  limits.frames.header_block_bytes_max =
      2 * kHeaderListFactor * limits.metadata_bytes_max;
  limits.memory_bytes_max = o.memory_quota_bytes;
  rep->context.connections = std::make_unique<http2::Connections>(
      o.connections, *rep->context.rooms.clock);
  FRESHLINE_ASSIGN_OR_RETURN(
      rep->acceptor, http2::Acceptor::Open(o.listen, *rep->context.rooms.clock,
                                           rep->context.connections.get()));
  rep->MakePollers();
  rep->StartThreads();
  rep->context.health.SetServing(true);
  return std::unique_ptr<Server>(new Server(std::move(rep)));
}

ServerReport Server::report() const { return rep_->context.Report(); }

int Server::port(size_t i) const { return rep_->acceptor->port(i); }

void Server::BeginDrain() {
  rep_->context.health.SetServing(false);
  rep_->context.draining = true;
}

base::MonoTime Server::last_activity() const {
  const CallContext& context = rep_->context;
  return context.intake->idle()
             ? context.last_call.load(std::memory_order_relaxed)
             : context.rooms.clock->Now();
}

bool Server::Rep::WaitFor(base::Duration at_most,
                          const std::function<bool()>& done) const {
  const base::Clock& clock = *context.rooms.clock;
  base::EventFdWaker pause(clock);
  const base::MonoTime until = clock.Now() + at_most;
  while (!done()) {
    if (clock.Now() >= until) return false;
    pause.WaitUntil(clock.Now() + kWaitStep);
  }
  return true;
}

void Server::Shutdown(base::Duration timeout) {
  if (rep_->shut_down) return;
  rep_->shut_down = true;
  CallContext& context = rep_->context;
  rep_->acceptor->Stop();
  rep_->Advance(http2::Link::Phase::kNotice);
  // What it runs finishes calls.
  context.intake->Stop();
  rep_->WaitFor(timeout, [&] { return context.unanswered == 0; });
  context.health.EndWatches();
  rep_->WaitFor(std::min(timeout, kReadWaitMax),
                [&] { return context.connections->answer_bytes() == 0; });
  // What is left waits for nothing of ours: other streams, calls that were
  // opened and never sent, clients that do not read.
  rep_->Advance(http2::Link::Phase::kLast);
  rep_->WaitFor(std::min(timeout, kGoAwayWait),
                [&] { return context.connections->open() == 0; });
  rep_->Advance(http2::Link::Phase::kEnd);
  for (std::thread& thread : rep_->threads) thread.join();
}

Server::~Server() {
  Shutdown(std::chrono::seconds(1));
  const CallContext& context = rep_->context;
  // Calls that others still work at come home to loops that have ended.
  const auto none_left = [&] {
    for (const auto& poller : context.pollers) {
      poller->loop().Own();
      poller->loop().RunPosted();
    }
    return context.in_flight == 0;
  };
  if (!rep_->WaitFor(kCloseWaitMax, none_left)) {
    // Whoever finishes the rest finds what it needs.
    static_cast<void>(rep_.release());
  }
}

}  // namespace freshline::rpc
