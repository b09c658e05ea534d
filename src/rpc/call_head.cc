// SPDX-License-Identifier: Apache-2.0
#include "rpc/call_head.h"

#include "absl/strings/match.h"

namespace freshline::rpc {
namespace {

constexpr absl::string_view kContentType = "application/grpc";
constexpr uint64_t kEntryBytes = 32;  // RFC 9113, section 6.5.2
constexpr size_t kTimeoutDigitsMax = 8;

// With nothing behind it, "+proto" or parameters.
bool IsGrpc(absl::string_view content_type) {
  if (!absl::StartsWith(content_type, kContentType)) return false;
  const absl::string_view rest = content_type.substr(kContentType.size());
  return rest.empty() || rest[0] == ';' || rest == "+proto" ||
         absl::StartsWith(rest, "+proto;");
}

bool IsOfProtocol(absl::string_view name) {
  return name == "te" || absl::StartsWith(name, "grpc-");
}

}  // namespace

void CallHead::Reset() {
  path_.clear();
  is_post_ = false;
  is_grpc_ = false;
  timeout_ = kInfinite;
  encoding_.clear();
  metadata_bytes_ = 0;
  fields_ = 0;
  timeout_field_ = -1;
}

void CallHead::Add(absl::string_view name, absl::string_view value) {
  if (!name.empty() && name[0] == ':') {
    if (name == ":path") path_.assign(value.data(), value.size());
    if (name == ":method") is_post_ = value == "POST";
  } else if (name == "content-type") {
    is_grpc_ = IsGrpc(value);
  } else if (name == "grpc-timeout") {
    timeout_ = ParseTimeout(value);
    timeout_field_ = fields_;
  } else if (name == "grpc-encoding") {
    encoding_.assign(value.data(), value.size());
  } else if (!IsOfProtocol(name)) {
    metadata_bytes_ += name.size() + value.size() + kEntryBytes;
  }
  ++fields_;
}

base::Duration ParseTimeout(absl::string_view text) {
  if (text.size() < 2 || text.size() > kTimeoutDigitsMax + 1) {
    return CallHead::kInfinite;
  }
  int64_t count = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return CallHead::kInfinite;
    count = count * 10 + (c - '0');
  }
  // The most that can be written, 99,999,999 hours, would overflow.
  constexpr std::chrono::hours kMost{24 * 36'525};
  switch (text.back()) {
    case 'H':
      return count > kMost.count() ? CallHead::kInfinite
                                   : base::Duration(std::chrono::hours(count));
    case 'M':
      return std::chrono::minutes(count);
    case 'S':
      return std::chrono::seconds(count);
    case 'm':
      return std::chrono::milliseconds(count);
    case 'u':
      return std::chrono::microseconds(count);
    case 'n':
      return std::chrono::nanoseconds(count);
    default:
      return CallHead::kInfinite;
  }
}

std::string PercentEncode(absl::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c >= ' ' && c <= '~' && c != '%') {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.push_back('%');
    out.push_back(kHex[byte >> 4]);
    out.push_back(kHex[byte & 15]);
  }
  return out;
}

}  // namespace freshline::rpc
