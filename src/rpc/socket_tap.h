// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>

namespace freshline::rpc {

// Looks on while somebody else reads a socket: the gRPC core owns a connection
// once it has been handed over, and offers no place to see, count or bound what
// comes in.
//
// How: the program has its own recvmsg(), close() and getpeername(), which the
// dynamic linker puts before those of the C library, for gRPC's library too.
// They do what the C library does, and tell the tap of the descriptor, where
// there is one; any other descriptor costs them one load. No byte is copied and
// no thread is added, which a relay between two sockets would need.
class SocketTap {
 public:
  virtual ~SocketTap() = default;

  // `bytes` were read into the buffers of `message`. Runs in the reading
  // thread, before the reader sees them; there is one reader at a time.
  // Returns: false to let the reader find the connection reset.
  virtual bool OnRead(const msghdr& message, size_t bytes) = 0;

  // The descriptor is about to be closed; the tap is not called any more.
  virtual void OnClose() = 0;

  // The name that a peer without a name of its own goes by, or nullptr. Peers
  // on a Unix socket have none, and the core would take them for one.
  virtual const sockaddr_un* stand_in_name() const = 0;
};

// Descriptors from here on cannot be tapped.
inline constexpr int kTappedDescriptorsMax = 1 << 16;

// From now on `tap` is told of `fd`, until it is closed or untapped. The tap
// must outlive both. Thread-safe.
// REQUIRES: 0 <= fd < kTappedDescriptorsMax; fd is open, and not tapped.
void TapSocket(int fd, SocketTap* tap);

// Tells `fd`'s tap nothing more.
// REQUIRES: nobody reads or closes `fd` meanwhile.
void UntapSocket(int fd);

}  // namespace freshline::rpc
