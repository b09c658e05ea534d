// SPDX-License-Identifier: Apache-2.0
#include "base/bounded_write.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace freshline::base {
namespace {

// A pipe that poll() calls writable takes so much without blocking.
constexpr size_t kBytesAtOnce = PIPE_BUF;
constexpr Duration kLastWordsWait = std::chrono::milliseconds(100);

bool TryAgain(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

}  // namespace

std::optional<size_t> WriteSome(int fd, absl::string_view text, Duration wait) {
  pollfd ready{fd, POLLOUT, 0};
  const int timeout_ms = static_cast<int>(
      std::chrono::duration_cast<std::chrono::milliseconds>(wait).count());
  const int polled = ::poll(&ready, 1, timeout_ms);
  if (polled == 0 || (polled < 0 && TryAgain(errno))) return 0;
  if (polled < 0 || (ready.revents & POLLNVAL) != 0) return std::nullopt;
  const size_t size = std::min(text.size(), kBytesAtOnce);
  // A stream socket blocks until all of it is taken, unless told not to.
  ssize_t taken = ::send(fd, text.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (taken < 0 && errno == ENOTSOCK) taken = ::write(fd, text.data(), size);
  if (taken >= 0) return static_cast<size_t>(taken);
  if (TryAgain(errno)) return 0;
  return std::nullopt;
}

void WriteLastWords(absl::string_view text) {
  while (!text.empty()) {
    const std::optional<size_t> taken =
        WriteSome(STDERR_FILENO, text, kLastWordsWait);
    if (taken.value_or(0) == 0) return;
    text.remove_prefix(*taken);
  }
}

}  // namespace freshline::base
