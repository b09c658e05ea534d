// SPDX-License-Identifier: Apache-2.0
#include "rpc/socket_tap.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "base/check.h"

namespace freshline::rpc {
namespace {

// By descriptor; the pages of those never used are never touched. Release in
// TapSocket() pairs with acquire in the functions below.
std::array<std::atomic<SocketTap*>, kTappedDescriptorsMax> taps;

SocketTap* TapOf(int fd) {
  if (fd < 0 || fd >= kTappedDescriptorsMax) return nullptr;
  return taps[static_cast<size_t>(fd)].load(std::memory_order_acquire);
}

// The function that this program's own one of the same name stands before.
template <typename Function>
Function Next(const char* name) {
  void* found = dlsym(RTLD_NEXT, name);
  FRESHLINE_CHECK(found != nullptr);
  return reinterpret_cast<Function>(found);
}

}  // namespace

void TapSocket(int fd, SocketTap* tap) {
  FRESHLINE_CHECK(fd >= 0 && fd < kTappedDescriptorsMax);
  taps[static_cast<size_t>(fd)].store(tap, std::memory_order_release);
}

void UntapSocket(int fd) {
  FRESHLINE_CHECK(fd >= 0 && fd < kTappedDescriptorsMax);
  taps[static_cast<size_t>(fd)].store(nullptr, std::memory_order_release);
}

}  // namespace freshline::rpc

extern "C" {

__attribute__((visibility("default"))) ssize_t recvmsg(int fd, msghdr* message,
                                                       int flags) {
  static const auto next =
      freshline::rpc::Next<ssize_t (*)(int, msghdr*, int)>("recvmsg");
  const ssize_t n = next(fd, message, flags);
  freshline::rpc::SocketTap* tap = freshline::rpc::TapOf(fd);
  if (n <= 0 || tap == nullptr || (flags & (MSG_PEEK | MSG_ERRQUEUE)) != 0) {
    return n;
  }
  if (tap->OnRead(*message, static_cast<size_t>(n))) return n;
  errno = ECONNRESET;
  return -1;
}

__attribute__((visibility("default"))) int close(int fd) {
  static const auto next = freshline::rpc::Next<int (*)(int)>("close");
  if (freshline::rpc::SocketTap* tap = freshline::rpc::TapOf(fd)) {
    freshline::rpc::UntapSocket(fd);
    tap->OnClose();
  }
  return next(fd);
}

__attribute__((visibility("default"))) int getpeername(int fd,
                                                       sockaddr* address,
                                                       socklen_t* length) {
  static const auto next =
      freshline::rpc::Next<int (*)(int, sockaddr*, socklen_t*)>("getpeername");
  const freshline::rpc::SocketTap* tap = freshline::rpc::TapOf(fd);
  const sockaddr_un* name = tap == nullptr ? nullptr : tap->stand_in_name();
  if (name == nullptr) return next(fd, address, length);
  const socklen_t used = static_cast<socklen_t>(
      offsetof(sockaddr_un, sun_path) + 1 + std::strlen(name->sun_path + 1));
  std::memcpy(address, name, std::min(*length, used));
  *length = used;
  return 0;
}

}  // extern "C"
