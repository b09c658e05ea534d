// SPDX-License-Identifier: Apache-2.0
#include "csv/utf8.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace freshline::csv {
namespace {

// Bytes of the character at text[at]; 0 where there is none.
size_t CharacterAt(absl::string_view text, size_t at) {
  const auto byte = [&](size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
  };
  const unsigned first = byte(0);
  const size_t size = first < 0x80    ? 1
                      : first < 0xc2  ? 0  // a tail, or an overlong pair
                      : first < 0xe0  ? 2
                      : first < 0xf0  ? 3
                      : first <= 0xf4 ? 4
                                      : 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const unsigned second = byte(1);
  if (first == 0xe0 && second < 0xa0) return 0;   // overlong
  if (first == 0xed && second >= 0xa0) return 0;  // surrogates
  if (first == 0xf0 && second < 0x90) return 0;   // overlong
  if (first == 0xf4 && second >= 0x90) return 0;  // beyond U+10FFFF
  return size;
}

}  // namespace

bool IsUtf8(absl::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    uint64_t eight = 0;
    if (text.size() - at >= sizeof(eight)) {
      std::memcpy(&eight, text.data() + at, sizeof(eight));
      if ((eight & 0x8080808080808080U) == 0) {
        at += sizeof(eight);
        continue;
      }
    }
    const size_t size = CharacterAt(text, at);
    if (size == 0) return false;
    at += size;
  }
  return true;
}

}  // namespace freshline::csv
