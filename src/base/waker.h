// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/time.h"

namespace freshline::base {

// How a driving thread waits for "something arrived or it is time".
//
// Thread-safety: Wake() from any thread and from worker threads of any
// scheduling class (it takes no lock); WaitUntil() from the owner only.
class Waker {
 public:
  virtual ~Waker() = default;

  // Makes the current or the next WaitUntil() return. Wake-ups coalesce.
  virtual void Wake() = 0;

  // Returns when woken or at `deadline`, whichever is first; may return early.
  virtual void WaitUntil(MonoTime deadline) = 0;
};

// eventfd and ppoll with nanosecond timeouts.
class EventFdWaker final : public Waker {
 public:
  // Aborts when the process has no file descriptor left: there is nothing a
  // daemon could do without one.
  explicit EventFdWaker(const class Clock& clock);
  ~EventFdWaker() override;
  EventFdWaker(const EventFdWaker&) = delete;
  EventFdWaker& operator=(const EventFdWaker&) = delete;

  void Wake() override;
  void WaitUntil(MonoTime deadline) override;

 private:
  const class Clock& clock_;
  const int fd_;
};

}  // namespace freshline::base
