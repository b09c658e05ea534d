// SPDX-License-Identifier: Apache-2.0
#include "rpc/grpc_status.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/foreign_text.h"

namespace freshline::rpc {
namespace {

// What a message takes on the wire, where it is metadata of at most 8 KiB with
// whatever else there is.
constexpr size_t kWireBytesMax = 4096;
constexpr absl::string_view kCut = "...";

// gRPC writes space to '~' but '%' as they are, and all else as %XX.
size_t WireBytes(absl::string_view text) {
  size_t bytes = 0;
  for (const char c : text) bytes += c >= ' ' && c <= '~' && c != '%' ? 1 : 3;
  return bytes;
}

// The beginning that takes at most `bytes_max` on the wire, whole characters.
absl::string_view WirePrefix(absl::string_view text, size_t bytes_max) {
  size_t end = 0;
  size_t bytes = 0;
  while (end < text.size()) {
    const absl::string_view character = text.substr(
        end, std::max<size_t>(base::Utf8CharBytes(text.substr(end)), 1));
    bytes += WireBytes(character);
    if (bytes > bytes_max) break;
    end += character.size();
  }
  return text.substr(0, end);
}

std::string MessageFor(absl::string_view message) {
  // No byte takes more than four, as \xNN.
  std::string text = base::Printable(message.substr(0, kWireBytesMax + 1));
  if (WireBytes(text) <= kWireBytesMax && message.size() <= kWireBytesMax) {
    return text;
  }
  return absl::StrCat(WirePrefix(text, kWireBytesMax - kCut.size()), kCut);
}

}  // namespace

absl::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), MessageFor(status.message()));
}

}  // namespace freshline::rpc
