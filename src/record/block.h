// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/message_lite.h"

// The framing of a decision log; see decision_log.proto.

namespace freshline::record {

inline constexpr char kMagic[8] = {'F', 'R', 'E', 'S', 'H', 'L', 'O', 'G'};
inline constexpr size_t kBlockHeadBytes = 8;
// No writer makes a larger one.
inline constexpr uint32_t kBlockBytesMax = 16 << 20;

inline uint32_t Crc32(absl::string_view bytes) {
  return static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const unsigned char*>(bytes.data()),
            static_cast<unsigned>(bytes.size())));
}

// Four bytes, the least first.
inline void AppendWord(uint32_t word, std::string* out) {
  for (int shift = 0; shift < 32; shift += 8) {
    out->push_back(static_cast<char>(word >> shift & 0xff));
  }
}
inline uint32_t ReadWord(const char* bytes) {
  uint32_t word = 0;
  for (int i = 0; i < 4; ++i) {
    word |= static_cast<uint32_t>(static_cast<unsigned char>(bytes[i]))
            << (8 * i);
  }
  return word;
}

// What stands before a payload. REQUIRES: at most kBlockBytesMax.
inline std::string BlockHead(absl::string_view payload) {
  std::string head;
  AppendWord(static_cast<uint32_t>(payload.size()), &head);
  AppendWord(Crc32(payload), &head);
  return head;
}

// The message behind its length as a varint.
inline void AppendMessage(const google::protobuf::MessageLite& message,
                          std::string* out) {
  uint64_t size = message.ByteSizeLong();
  for (; size >= 0x80; size >>= 7) {
    out->push_back(static_cast<char>(size | 0x80));
  }
  out->push_back(static_cast<char>(size));
  message.AppendToString(out);
}

}  // namespace freshline::record
