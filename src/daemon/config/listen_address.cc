// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace freshline::daemon {
namespace {

constexpr size_t kHostCharsMax = 253;
constexpr size_t kUnixPathMax = sizeof(sockaddr_un::sun_path) - 1;
constexpr uint32_t kPortMax = 65535;

absl::Status Malformed(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", text.substr(0, kHostCharsMax), "\" is no address to listen on: ",
      why, "; write \"host:port\", \"[IPv6 address]:port\" or \"unix:/path\""));
}

bool IsIpv6(const std::string& host) {
  in6_addr address;
  return ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

bool IsHost(const std::string& host) {
  return host.size() <= kHostCharsMax &&
         std::all_of(host.begin(), host.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_';
         });
}

// Digits only: no sign, no blank, no leading garbage.
bool ParsePort(absl::string_view text, uint16_t* port) {
  if (text.empty() || text.size() > 5) return false;
  uint32_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + static_cast<uint32_t>(c - '0');
  }
  if (value > kPortMax) return false;
  *port = static_cast<uint16_t>(value);
  return true;
}

absl::StatusOr<ListenAddress> ParseUnix(absl::string_view text,
                                        absl::string_view path) {
  if (!absl::StartsWith(path, "/")) {
    return Malformed(text, "the path of a Unix socket must be absolute");
  }
  if (path.size() > kUnixPathMax) {
    return Malformed(
        text, absl::StrCat("the path has ", path.size(), " bytes, at most ",
                           kUnixPathMax, " are possible"));
  }
  if (path.find('\0') != absl::string_view::npos) {
    return Malformed(text, "the path contains a zero byte");
  }
  ListenAddress address;
  address.unix_path = std::string(path);
  return address;
}

}  // namespace

absl::StatusOr<ListenAddress> ParseListenAddress(absl::string_view text) {
  absl::string_view path = text;
  if (absl::ConsumePrefix(&path, "unix:")) return ParseUnix(text, path);

  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) {
    return Malformed(text, "the port is missing");
  }
  ListenAddress address;
  if (!ParsePort(text.substr(colon + 1), &address.port)) {
    return Malformed(text, "the port is not a number from 0 to 65535");
  }
  absl::string_view host = text.substr(0, colon);
  if (host.empty()) {
    return Malformed(text, "the host is missing (127.0.0.1 for this machine)");
  }
  const bool bracketed =
      absl::ConsumePrefix(&host, "[") && absl::ConsumeSuffix(&host, "]");
  address.host = std::string(host);
  if (bracketed) {
    if (!IsIpv6(address.host)) {
      return Malformed(text, "the brackets hold no IPv6 address");
    }
    return address;
  }
  if (absl::StrContains(host, ":")) {
    return Malformed(text, "an IPv6 address stands in brackets");
  }
  if (!IsHost(address.host)) {
    return Malformed(text, "the host is neither a name nor an address");
  }
  return address;
}

std::string FormatListenAddress(const ListenAddress& address) {
  if (address.is_unix()) return absl::StrCat("unix:", address.unix_path);
  if (absl::StrContains(address.host, ":")) {
    return absl::StrCat("[", address.host, "]:", address.port);
  }
  return absl::StrCat(address.host, ":", address.port);
}

bool IsLoopback(const ListenAddress& address) {
  if (address.is_unix() || address.host == "localhost") return true;
  in_addr v4;
  if (::inet_pton(AF_INET, address.host.c_str(), &v4) == 1) {
    return ntohl(v4.s_addr) >> 24 == 127;
  }
  in6_addr v6;
  if (::inet_pton(AF_INET6, address.host.c_str(), &v6) != 1) return false;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) return v6.s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&v6);
}

}  // namespace freshline::daemon
