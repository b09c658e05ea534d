// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

// HTTP/2 as bytes, for clients that no library would play.

namespace freshline::test {

inline const std::string kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

enum class FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kResetStream = 3,
  kSettings = 4,
  kPing = 6,
  kWindowUpdate = 8,
  kContinuation = 9,
  kUnknown = 0x42,
};
inline constexpr uint8_t kEndStream = 0x1;
inline constexpr uint8_t kEndHeaders = 0x4;

inline std::string BigEndian(uint32_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) {
    out.push_back(static_cast<char>(value >> (8 * i) & 0xff));
  }
  return out;
}

inline std::string Frame(FrameType type, uint8_t flags, uint32_t stream,
                         const std::string& payload) {
  return BigEndian(static_cast<uint32_t>(payload.size()), 3) +
         static_cast<char>(type) + static_cast<char>(flags) +
         BigEndian(stream, 4) + payload;
}

// A header of HPACK, literal and not indexed; both shorter than 127 bytes.
inline std::string Header(const std::string& name, const std::string& value) {
  std::string out(1, '\0');
  out.push_back(static_cast<char>(name.size()));
  out += name;
  out.push_back(static_cast<char>(value.size()));
  return out + value;
}

// The headers of a gRPC call of `path`.
inline std::string CallHeaders(const std::string& path) {
  return Header(":method", "POST") + Header(":scheme", "http") +
         Header(":path", path) + Header(":authority", "x") +
         Header("te", "trailers") + Header("content-type", "application/grpc");
}

// A message as gRPC puts it into DATA.
inline std::string GrpcMessage(const std::string& bytes) {
  return std::string(1, '\0') +
         BigEndian(static_cast<uint32_t>(bytes.size()), 4) + bytes;
}

// The SETTINGS frame with which a client begins; `window` is what each stream
// may send to it.
inline std::string ClientSettings(uint32_t window) {
  constexpr uint32_t kInitialWindow = 4;
  return Frame(FrameType::kSettings, 0, 0,
               BigEndian(kInitialWindow, 2) + BigEndian(window, 4));
}

}  // namespace freshline::test
