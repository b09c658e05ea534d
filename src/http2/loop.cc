// SPDX-License-Identifier: Apache-2.0
#include "http2/loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace freshline::http2 {
namespace {

constexpr base::Duration kTick = std::chrono::milliseconds(100);

}  // namespace

Loop::Loop(const Options& options, const base::Clock& clock,
           Connections* connections, Owner* owner)
    : options_(options),
      clock_(clock),
      connections_(connections),
      owner_(owner),
      epoll_fd_(epoll_create1(EPOLL_CLOEXEC)),
      wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      buffer_(kBufferBytes) {
  FRESHLINE_CHECK(epoll_fd_ >= 0 && wake_fd_ >= 0);
  // Once for each write: it need not be read.
  epoll_event event{EPOLLIN | EPOLLET, {.ptr = nullptr}};
  FRESHLINE_CHECK(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, wake_fd_, &event) == 0);
}

Loop::~Loop() {
  links_.clear();
  base::MutexLock lock(&mu_);
  for (const auto& connection : adopted_) {
    connections_->Closing(*connection);
    close(connection->fd());
  }
  close(wake_fd_);
  close(epoll_fd_);
}

void Loop::Adopt(std::shared_ptr<Connection> connection) {
  {
    base::MutexLock lock(&mu_);
    adopted_.push_back(std::move(connection));
  }
  ordered_.store(true);
  Wake();
}

void Loop::Advance(Link::Phase phase) {
  {
    base::MutexLock lock(&mu_);
    wanted_ = std::max(wanted_, phase);
  }
  ordered_.store(true);
  Wake();
}

void Loop::Post(Task* task) {
  task->next_ = posted_.load(std::memory_order_relaxed);
  while (!posted_.compare_exchange_weak(task->next_, task)) {
  }
  if (asleep_.load()) Wake();
}

void Loop::Wake() {
  if (asleep_.exchange(false)) eventfd_write(wake_fd_, 1);
}

bool Loop::Poll(base::Duration at_most) {
  const bool sleeps = at_most > base::Duration::zero();
  if (sleeps) {
    asleep_.store(true);
    if (posted_.load() != nullptr || ordered_.load()) at_most = {};
  }
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(at_most).count();
  const int n =
      epoll_wait(epoll_fd_, events_.data(), kEvents, static_cast<int>(ms));
  if (sleeps) asleep_.store(false);
  found_ = n > 0 ? static_cast<size_t>(n) : 0;
  return found_ > 0 || posted() || ordered_.load();
}

bool Loop::Read() {
  const base::MonoTime now = clock_.Now();
  bool all = found_ < kEvents;
  for (size_t i = 0; i < found_; ++i) {
    auto* const link = static_cast<Link*>(events_[i].data.ptr);
    if (link == nullptr) continue;
    if ((events_[i].events & EPOLLOUT) != 0) Touch(link);
    const uint32_t gone = EPOLLERR | EPOLLHUP;
    if (link->blocked() && (events_[i].events & gone) != 0) {
      // Nothing more can be sent.
      link->Advance(Link::Phase::kEnd, now);
      Touch(link);
    } else if ((events_[i].events & (EPOLLIN | gone)) != 0) {
      if (!link->Read(buffer_, now)) all = false;
      Touch(link);
    }
  }
  found_ = 0;
  if (ordered_.exchange(false)) TakeOrders(now);
  if (now >= next_tick_) Tick(now);
  return all;
}

void Loop::TakeOrders(base::MonoTime now) {
  std::vector<std::shared_ptr<Connection>> adopted;
  Link::Phase wanted;
  {
    base::MutexLock lock(&mu_);
    adopted.swap(adopted_);
    wanted = wanted_;
  }
  for (auto& connection : adopted) Open(std::move(connection), now);
  if (wanted == phase_) return;
  phase_ = wanted;
  for (const auto& link : links_) {
    link->Advance(phase_, now);
    Touch(link.get());
  }
}

void Loop::Open(std::shared_ptr<Connection> connection, base::MonoTime now) {
  std::unique_ptr<Owner::Handler> handler = owner_->Connect(connection);
  auto link = std::make_unique<Link>(std::move(connection), connections_,
                                     options_.session, options_.times,
                                     std::move(handler), now);
  link->Advance(phase_, now);
  link->index = links_.size();
  links_.push_back(std::move(link));
  Watch(links_.back().get(), EPOLL_CTL_ADD);
  links_.back()->dirty = false;
  Touch(links_.back().get());
}

void Loop::Watch(Link* link, int operation) {
  epoll_event event{};
  event.events = link->blocked() ? EPOLLOUT : EPOLLIN;
  event.data.ptr = link;
  link->blocked_seen = link->blocked();
  FRESHLINE_CHECK(epoll_ctl(epoll_fd_, operation, link->fd(), &event) == 0);
}

void Loop::Touch(Link* link) {
  if (std::exchange(link->touched, true)) return;
  touched_.push_back(link);
}

bool Loop::RunPosted() {
  if (!posted()) return false;
  Task* newest = posted_.exchange(nullptr);
  Task* oldest = nullptr;
  while (newest != nullptr) {
    Task* const next = std::exchange(newest->next_, oldest);
    oldest = std::exchange(newest, next);
  }
  while (oldest != nullptr) {
    Task* const task = std::exchange(oldest, oldest->next_);
    task->RunOnLoop();
  }
  return true;
}

void Loop::Flush() {
  if (touched_.empty() && phase_ != Link::Phase::kEnd) return;
  const base::MonoTime now = clock_.Now();
  for (size_t i = 0; i < touched_.size(); ++i) {
    Link* const link = touched_[i];
    if (link == nullptr) continue;
    link->touched = false;
    link->Flush(now);
    if (link->dead()) {
      Remove(link);
    } else if (link->blocked() != link->blocked_seen) {
      Watch(link, EPOLL_CTL_MOD);
    }
  }
  touched_.clear();
  ended_ = phase_ == Link::Phase::kEnd && links_.empty();
}

void Loop::Remove(Link* link) {
  const size_t index = link->index;
  std::unique_ptr<Link> removed = std::move(links_[index]);
  if (index + 1 < links_.size()) {
    links_[index] = std::move(links_.back());
    links_[index]->index = index;
  }
  links_.pop_back();
  // What was sent, or ended, may have led to more.
  std::replace(touched_.begin(), touched_.end(), link,
               static_cast<Link*>(nullptr));
}

void Loop::Tick(base::MonoTime now) {
  next_tick_ = now + kTick;
  for (const auto& link : links_) {
    link->Tick(now);
    if (link->dirty || link->dead()) Touch(link.get());
  }
}

}  // namespace freshline::http2
