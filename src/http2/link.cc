// SPDX-License-Identifier: Apache-2.0
#include "http2/link.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <utility>

#include "http2/connections.h"

namespace freshline::http2 {
namespace {

// Reads in a row, before others have their turn.
constexpr int kReadsMax = 8;
// An empty buffer that has grown beyond it is given back.
constexpr size_t kKeptBytes = 8 << 10;

// A tenth more or less, so that connections that came together do not go
// together.
base::MonoTime OldAt(const std::string& peer, base::Duration age,
                     base::MonoTime now) {
  if (age <= base::Duration::zero()) return base::kInfiniteFuture;
  constexpr int64_t kParts = 201;
  const auto part = static_cast<int64_t>(std::hash<std::string>()(peer) %
                                         static_cast<uint64_t>(kParts));
  return now + age / 1000 * (1000 - kParts / 2 + part);
}

}  // namespace

Link::Link(std::shared_ptr<Connection> connection, Connections* connections,
           const Session::Limits& limits, const LinkTimes& times,
           std::unique_ptr<Handler> handler, base::MonoTime now)
    : connection_(std::move(connection)),
      connections_(connections),
      times_(times),
      handler_(std::move(handler)),
      session_(limits, handler_.get()),
      screen_(handler_.get()),
      opened_(now),
      old_(OldAt(connection_->peer(), times.age_max, now)),
      read_(now),
      used_(now) {
  handler_->OnLink(this);
  connection_->ShowTo(&screen_);
}

Link::~Link() {
  connection_->Release(body_in_out_);
  connections_->Closing(*connection_);
  close(fd());
}

bool Link::Read(std::span<uint8_t> buffer, base::MonoTime now) {
  if (blocked_ || ending_) return true;
  for (int i = 0; i < kReadsMax && !dead_ && !ending_; ++i) {
    const ssize_t n = recv(fd(), buffer.data(), buffer.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      dead_ = true;
      return true;
    }
    OnRead(buffer.first(static_cast<size_t>(n)), now);
    if (static_cast<size_t>(n) < buffer.size()) return true;
    if (refusals_.size() >= kOutputBytes) return false;
  }
  return dead_ || ending_;
}

void Link::OnRead(std::span<const uint8_t> bytes, base::MonoTime now) {
  read_ = now;
  dirty = true;
  screen_.BeginRead(session_.settled());
  if (!connection_->OnRead(bytes)) {
    dead_ = true;
    return;
  }
  if (const size_t refused = screen_.Take(&refusals_); refused > 0) {
    session_.CountRefused(refused);
    connection_->CallsEnded(refused);
  }
  const uint64_t pings = session_.pings();
  for (const std::span<const uint8_t> part : connection_->passed()) {
    if (session_.Receive(part)) continue;
    if (session_.fault() == Session::Fault::kHeaderBombs) {
      connection_->MarkEnded(EndReason::kHeaderBlock);
    }
    ending_ = true;
    return;
  }
  if (session_.pings() > pings) CountPings(session_.pings() - pings, now);
}

void Link::CountPings(uint64_t pings, base::MonoTime now) {
  if (answers_seen_ != session_.answers()) {
    // Clients measure their line with pings while data flow.
    answers_seen_ = session_.answers();
    pinged_ = base::kInfinitePast;
    pinged_early_ = 0;
  }
  const bool early =
      pinged_ != base::kInfinitePast && now - pinged_ < times_.pinged_least;
  pinged_ = now;
  pinged_early_ += static_cast<uint32_t>(pings) - (early ? 0U : 1U);
  if (pinged_early_ <= times_.pinged_early_max) return;
  // The words by which clients of gRPC know that they are to ask less often.
  session_.Terminate(ErrorCode::kEnhanceYourCalm, "too_many_pings");
  ending_ = true;
}

void Link::Flush(base::MonoTime now) {
  dirty = false;
  while (!dead_) {
    if (out_at_ == out_.size()) {
      out_.clear();
      out_at_ = 0;
      // Between two frames of the session.
      out_.swap(refusals_);
      if (!session_.Produce(&out_, kOutputBytes)) dead_ = true;
      body_in_out_ += session_.TakeBodyBytes();
      if (out_.empty()) break;
    }
    const ssize_t n =
        send(fd(), out_.data() + out_at_, out_.size() - out_at_, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      if (!std::exchange(blocked_, true)) blocked_since_ = now;
      return;
    }
    if (n < 0) {
      dead_ = true;
      return;
    }
    blocked_since_ = now;
    Sent(static_cast<size_t>(n));
  }
  blocked_ = false;
  if (out_.capacity() > kKeptBytes) out_ = std::string();
  if (ending_ || session_.over()) dead_ = true;
}

void Link::Sent(size_t bytes) {
  out_at_ += bytes;
  if (body_in_out_ == 0) return;
  const uint64_t taken = out_at_ == out_.size()
                             ? body_in_out_
                             : std::min<uint64_t>(bytes, body_in_out_);
  body_in_out_ -= taken;
  connection_->Release(taken);
}

void Link::Advance(Phase phase, base::MonoTime now) {
  while (phase_ < phase) {
    phase_ = static_cast<Phase>(static_cast<int>(phase_) + 1);
    phase_since_ = now;
    dirty = true;
    screen_.Stop();
    if (phase_ == Phase::kNotice) session_.BeginDrain();
    if (phase_ == Phase::kLast) session_.EndDrain();
    if (phase_ == Phase::kEnd) dead_ = true;
  }
}

void Link::Tick(base::MonoTime now) {
  if (!connection_->begun()) {
    if (now - opened_ > times_.handshake_max) dead_ = true;
    return;
  }
  if (blocked_ && now - blocked_since_ > times_.blocked_max) {
    connection_->MarkEnded(EndReason::kUnreadAnswers);
    dead_ = true;
    return;
  }
  if (session_.streams() > 0 || session_.requests() != requests_seen_) {
    requests_seen_ = session_.requests();
    used_ = now;
  }
  if (phase_ == Phase::kServing &&
      (now - used_ > times_.idle_max || now >= old_)) {
    Advance(Phase::kNotice, now);
  } else if (phase_ == Phase::kNotice && now - phase_since_ > times_.notice) {
    Advance(Phase::kLast, now);
  } else if (phase_ == Phase::kLast && now - phase_since_ > times_.age_grace) {
    Advance(Phase::kEnd, now);
  }
  if (acks_seen_ != session_.ping_acks()) {
    acks_seen_ = session_.ping_acks();
    asked_ = base::kInfinitePast;
  }
  if (asked_ != base::kInfinitePast) {
    if (now - asked_ > times_.ping_answer_max) dead_ = true;
  } else if (now - read_ > times_.ping_after) {
    asked_ = now;
    session_.Ping();
    dirty = true;
  }
}

}  // namespace freshline::http2
