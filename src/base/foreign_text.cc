// SPDX-License-Identifier: Apache-2.0
#include "base/foreign_text.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace freshline::base {
namespace {

uint8_t ByteAt(absl::string_view text, size_t i) {
  return static_cast<uint8_t>(text[i]);
}

// Where the ASCII that `text` begins with ends, or a little before.
size_t AsciiPrefix(absl::string_view text) {
  size_t i = 0;
  for (; i + sizeof(uint64_t) <= text.size(); i += sizeof(uint64_t)) {
    uint64_t bytes = 0;
    std::memcpy(&bytes, text.data() + i, sizeof(bytes));
    if ((bytes & 0x8080808080808080U) != 0) break;
  }
  return i;
}

// U+0000 to U+001F and U+007F to U+009F.
bool IsControl(absl::string_view character) {
  const uint8_t first = ByteAt(character, 0);
  if (character.size() == 1) return first < 0x20 || first == 0x7f;
  return first == 0xc2 && ByteAt(character, 1) < 0xa0;
}

}  // namespace

size_t Utf8CharBytes(absl::string_view text) {
  if (text.empty()) return 0;
  const uint8_t first = ByteAt(text, 0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const size_t size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((ByteAt(text, i) & 0xc0) != 0x80) return 0;
  }
  const uint8_t second = ByteAt(text, 1);
  const bool overlong =
      (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool surrogate = first == 0xed && second > 0x9f;
  const bool too_high = first == 0xf4 && second > 0x8f;
  return overlong || surrogate || too_high ? 0 : size;
}

bool IsUtf8(absl::string_view text) {
  while (true) {
    text.remove_prefix(AsciiPrefix(text));
    if (text.empty()) return true;
    const size_t size = Utf8CharBytes(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
}

absl::string_view Utf8Prefix(absl::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  // A character that the bound cuts begins up to three bytes before it.
  const size_t first = bytes_max - std::min<size_t>(bytes_max, 3);
  for (size_t begin = bytes_max; begin-- > first;) {
    const size_t size = Utf8CharBytes(text.substr(begin));
    if (size > 1)
      return text.substr(0, begin + size > bytes_max ? begin : bytes_max);
  }
  return text.substr(0, bytes_max);
}

std::string Quoted(absl::string_view text) {
  const absl::string_view shown = Utf8Prefix(text, kQuotedBytesMax);
  std::string quoted = absl::StrCat(
      "\"", IsUtf8(shown) ? absl::Utf8SafeCEscape(shown) : absl::CEscape(shown),
      "\"");
  if (shown.size() < text.size()) {
    absl::StrAppend(&quoted, "... (", text.size(), " bytes)");
  }
  return quoted;
}

std::string Printable(absl::string_view text) {
  std::string printable;
  printable.reserve(text.size());
  while (!text.empty()) {
    const size_t size = Utf8CharBytes(text);
    const absl::string_view character =
        text.substr(0, std::max<size_t>(size, 1));
    if (size == 0 || IsControl(character)) {
      for (const char c : character) {
        absl::StrAppend(&printable, "\\x",
                        absl::Hex(static_cast<uint8_t>(c), absl::kZeroPad2));
      }
    } else {
      printable.append(character.data(), character.size());
    }
    text.remove_prefix(character.size());
  }
  return printable;
}

}  // namespace freshline::base
