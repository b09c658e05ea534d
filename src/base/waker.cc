// SPDX-License-Identifier: Apache-2.0
#include "base/waker.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.h"
#include "base/clock.h"

namespace freshline::base {

EventFdWaker::EventFdWaker(const Clock& clock)
    : clock_(clock), fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  FRESHLINE_CHECK(fd_ >= 0);
}

EventFdWaker::~EventFdWaker() { close(fd_); }

void EventFdWaker::Wake() {
  const uint64_t one = 1;
  // A full counter is as good as a wake-up.
  [[maybe_unused]] const ssize_t n = write(fd_, &one, sizeof(one));
}

void EventFdWaker::WaitUntil(MonoTime deadline) {
  pollfd poll_fd{fd_, POLLIN, 0};
  timespec timeout{};
  timespec* limit = nullptr;
  if (deadline != kInfiniteFuture) {
    const int64_t left =
        std::max<int64_t>(0, (deadline - clock_.Now()).count());
    timeout.tv_sec = left / 1'000'000'000;
    timeout.tv_nsec = left % 1'000'000'000;
    limit = &timeout;
  }
  if (ppoll(&poll_fd, 1, limit, nullptr) > 0) {
    uint64_t count;
    [[maybe_unused]] const ssize_t n = read(fd_, &count, sizeof(count));
  }
}

}  // namespace freshline::base
