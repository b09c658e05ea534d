// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "http2/connections.h"
#include "http2/link.h"

namespace freshline::http2 {

// What one thread does for its connections: waits, reads, sends, looks at the
// time. The thread is the owner's, who calls the parts in turn, so that it can
// do its own work between them:
//
//   while (!loop.ended()) {
//     loop.Poll(base::Duration::zero());  // or, with nothing to do, for longer
//     while (!loop.Read()) loop.Poll(base::Duration::zero());
//     ... answer requests ...
//     loop.RunPosted();
//     loop.Flush();
//   }
//
// Lifecycle: Own() on the thread that is to run it, before anything but
// Adopt(), Post() and Advance(); it has ended() when it was told to and its
// connections are gone. Destroyed last, after whatever may Post().
// Thread-safety: Adopt(), Post() and Advance() from any thread; all else on the
// owning one.
// Cost: a system call for each turn, and two for each connection that has
// something to read and is answered.
class Loop {
 public:
  struct Options {
    Session::Limits session;
    LinkTimes times;
  };

  // What another thread leaves to the loop's, in the order in which it comes.
  class Task {
   public:
    virtual void RunOnLoop() = 0;

   protected:
    ~Task() = default;

   private:
    friend class Loop;
    Task* next_ = nullptr;
  };

  // Says who is told of a new connection's requests. The link is made around
  // what it returns, and is told then.
  class Owner {
   public:
    using Handler = Link::Handler;
    virtual std::unique_ptr<Handler> Connect(
        std::shared_ptr<Connection> connection) = 0;

   protected:
    ~Owner() = default;
  };

  // `connections`, `clock` and `owner` outlive the loop.
  Loop(const Options& options, const base::Clock& clock,
       Connections* connections, Owner* owner);
  // Ends what is left.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Takes over an accepted connection and its descriptor.
  void Adopt(std::shared_ptr<Connection> connection);
  // Has `task` run once, soon; not if the loop has ended. It must live until
  // then.
  void Post(Task* task);
  // Takes all connections, and those to come, to `phase`; kEnd ends the loop.
  void Advance(Link::Phase phase);

  void Own() {
    thread_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  }
  // Any thread.
  bool own_thread() const {
    return thread_.load(std::memory_order_relaxed) ==
           std::this_thread::get_id();
  }

  // Waits until there is something to do, for `at_most`. Returns: whether
  // there is.
  bool Poll(base::Duration at_most);
  // Reads what Poll() has found. Returns: false when there may be more to read
  // already.
  bool Read();
  // Returns: whether there was something.
  bool RunPosted();
  bool posted() const {
    return posted_.load(std::memory_order_relaxed) != nullptr;
  }
  // Sends what was answered, and lets go of connections that have ended.
  void Flush();
  // There is something to send on `link`.
  void Touch(Link* link);
  bool ended() const { return ended_; }

 private:
  static constexpr size_t kEvents = 256;
  static constexpr size_t kBufferBytes = 64 << 10;

  void Wake();
  // What other threads want of the connections.
  void TakeOrders(base::MonoTime now);
  void Open(std::shared_ptr<Connection> connection, base::MonoTime now);
  void Tick(base::MonoTime now);
  void Watch(Link* link, int operation);
  void Remove(Link* link);

  const Options options_;
  const base::Clock& clock_;
  Connections* const connections_;
  Owner* const owner_;
  const int epoll_fd_;
  const int wake_fd_;
  std::atomic<std::thread::id> thread_{};

  std::array<epoll_event, kEvents> events_;
  size_t found_ = 0;
  std::vector<uint8_t> buffer_;
  std::vector<std::unique_ptr<Link>> links_;
  std::vector<Link*> touched_;
  base::MonoTime next_tick_{};
  Link::Phase phase_ = Link::Phase::kServing;
  bool ended_ = false;

  // Newest first. Sequentially consistent with asleep_: whoever posts sees that
  // the loop sleeps, or the loop sees what was posted.
  std::atomic<Task*> posted_{nullptr};
  std::atomic<bool> asleep_{false};
  std::atomic<bool> ordered_{false};
  base::Mutex mu_;
  std::vector<std::shared_ptr<Connection>> adopted_ ABSL_GUARDED_BY(mu_);
  Link::Phase wanted_ ABSL_GUARDED_BY(mu_) = Link::Phase::kServing;
};

}  // namespace freshline::http2
