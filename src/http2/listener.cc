// SPDX-License-Identifier: Apache-2.0
#include "http2/listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"

namespace freshline::http2 {
namespace {

constexpr int kBacklog = 1024;
// A port that is free at one address of a name may be taken at another.
constexpr int kFreePortTries = 16;

absl::Status Failed(absl::string_view what, int error) {
  std::string why = std::generic_category().message(error);
  if (error == EADDRINUSE) why = "it is in use by another process";
  if (error == EADDRNOTAVAIL) why = "it is no address of this machine";
  return absl::FailedPreconditionError(
      what.empty() ? why : std::string(absl::StrCat(what, ": ", why)));
}

struct AddressList {
  explicit AddressList(addrinfo* found) : first(found) {}
  ~AddressList() {
    if (first != nullptr) freeaddrinfo(first);
  }
  AddressList(const AddressList&) = delete;
  AddressList& operator=(const AddressList&) = delete;
  addrinfo* const first;
};

void SetPort(sockaddr_storage* address, int port) {
  const auto value = htons(static_cast<uint16_t>(port));
  if (address->ss_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(address)->sin6_port = value;
  } else {
    reinterpret_cast<sockaddr_in*>(address)->sin_port = value;
  }
}

int PortOf(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port
                   : reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

// Returns: a socket that listens there, or -1 with errno.
int Listen(const sockaddr* address, socklen_t length) {
  const int fd =
      socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  const int off = 0;
  if (address->sa_family != AF_UNIX) {
    // A port whose last connections linger is free; one that is listened on is
    // not.
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  }
  if (address->sa_family == AF_INET6) {
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  }
  if (bind(fd, address, length) == 0 && listen(fd, kBacklog) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

// Listens on each of `addresses`, at `port` unless it is 0; what was opened is
// closed again where one fails. Returns: 0, or an error number.
int ListenOnAll(const addrinfo* addresses, int port, std::vector<int>* fds) {
  int error = 0;
  for (const addrinfo* a = addresses; a != nullptr; a = a->ai_next) {
    sockaddr_storage address{};
    std::memcpy(&address, a->ai_addr, a->ai_addrlen);
    if (port != 0) SetPort(&address, port);
    const int fd =
        Listen(reinterpret_cast<const sockaddr*>(&address), a->ai_addrlen);
    if (fd >= 0) {
      fds->push_back(fd);
      if (port == 0) port = PortOf(fd);
      continue;
    }
    // A machine without IPv6 still resolves "localhost" to ::1.
    error = errno;
    const bool optional = a->ai_next != nullptr || !fds->empty();
    if (optional && (error == EAFNOSUPPORT || error == EADDRNOTAVAIL)) continue;
    for (const int open : *fds) close(open);
    fds->clear();
    return error;
  }
  return fds->empty() ? error : 0;
}

bool SameFile(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

sockaddr_un UnixAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(),
              std::min(path.size(), sizeof(address.sun_path) - 1));
  return address;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Open(
    absl::string_view address) {
  std::unique_ptr<Listener> listener(new Listener());
  absl::string_view path = address;
  absl::Status s;
  if (absl::ConsumePrefix(&path, "unix:")) {
    s = listener->OpenUnix(std::string(path));
  } else {
    const size_t colon = address.rfind(':');
    absl::string_view host = address.substr(0, colon);
    if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
    s = colon == absl::string_view::npos
            ? absl::FailedPreconditionError("there is no port in it")
            : listener->OpenTcp(std::string(host),
                                std::string(address.substr(colon + 1)));
  }
  if (s.ok()) return listener;
  return absl::FailedPreconditionError(absl::StrCat(
      "listen: cannot listen on \"", address, "\": ", s.message()));
}

absl::Status Listener::OpenTcp(const std::string& host,
                               const std::string& port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  const AddressList addresses(found);
  if (failed != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("the host name does not resolve: ", gai_strerror(failed)));
  }
  int error = 0;
  for (int i = 0; i < kFreePortTries; ++i) {
    error = ListenOnAll(addresses.first, 0, &fds_);
    if (error != EADDRINUSE || port != "0") break;
  }
  if (error != 0) return Failed("", error);
  if (!fds_.empty()) port_ = PortOf(fds_.front());
  return absl::OkStatus();
}

absl::Status Listener::OpenUnix(const std::string& path) {
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return Failed("the path is too long for a Unix socket", ENAMETOOLONG);
  }
  FRESHLINE_RETURN_IF_ERROR(Lock(path + ".lock"));
  FRESHLINE_RETURN_IF_ERROR(ClearPath(path));
  const sockaddr_un address = UnixAddress(path);
  const int fd =
      Listen(reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  if (fd < 0) return Failed("", errno);
  fds_.push_back(fd);
  if (lstat(path.c_str(), &bound_) != 0) return Failed("", errno);
  path_ = path;
  return absl::OkStatus();
}

absl::Status Listener::Lock(const std::string& path) {
  for (;;) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
      return Failed(absl::StrCat("cannot open its lock file ", path), errno);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      close(fd);
      if (error != EWOULDBLOCK) {
        return Failed(absl::StrCat("cannot lock ", path), error);
      }
      return Failed("", EADDRINUSE);
    }
    // Its last owner may have removed it between open() and flock().
    struct stat opened {};
    struct stat named {};
    if (fstat(fd, &opened) == 0 && stat(path.c_str(), &named) == 0 &&
        SameFile(opened, named)) {
      lock_fd_ = fd;
      lock_path_ = path;
      return absl::OkStatus();
    }
    close(fd);
  }
}

absl::Status Listener::ClearPath(const std::string& path) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) {
    return errno == ENOENT ? absl::OkStatus() : Failed("", errno);
  }
  if (!S_ISSOCK(found.st_mode)) {
    return absl::FailedPreconditionError(
        "there is a file of that name, and it is no socket");
  }
  // Whoever takes no lock can still be asked whether he is there. A full
  // backlog is somebody's too.
  const sockaddr_un address = UnixAddress(path);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return Failed("", errno);
  const int connected =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = connected == 0 ? 0 : errno;
  close(fd);
  if (error == ENOENT) return absl::OkStatus();
  if (error != ECONNREFUSED) return Failed("", EADDRINUSE);
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return Failed("cannot replace the socket that was left there", errno);
  }
  return absl::OkStatus();
}

Listener::~Listener() {
  struct stat now {};
  if (!path_.empty() && lstat(path_.c_str(), &now) == 0 &&
      SameFile(now, bound_)) {
    unlink(path_.c_str());
  }
  for (const int fd : fds_) close(fd);
  if (lock_fd_ < 0) return;
  // Before it is unlocked: whoever waits would lock a file without a name.
  unlink(lock_path_.c_str());
  close(lock_fd_);
}

}  // namespace freshline::http2
