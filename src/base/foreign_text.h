// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

// Text that others wrote: any bytes, of any length, on their way into an error
// or a log. Cost of all: a pass over the bytes, eight at a time where they are
// ASCII.

namespace freshline::base {

// Of a foreign text that an error quotes: more would push what the error says
// out of sight.
inline constexpr size_t kQuotedBytesMax = 128;

// The bytes of the UTF-8 character at the start of `text`, 1 to 4; 0 where
// there is none. As the standard has it: no overlong forms, no surrogates,
// nothing above U+10FFFF.
size_t Utf8CharBytes(absl::string_view text);

bool IsUtf8(absl::string_view text);

// The longest beginning of `text` of at most `bytes_max` bytes that cuts no
// character. Bytes that are no UTF-8 count as characters.
absl::string_view Utf8Prefix(absl::string_view text, size_t bytes_max);

// `text` in quotes, its first kQuotedBytesMax bytes and then how many there
// are. Quotes, backslashes, control characters and, where it is no UTF-8, all
// but ASCII are escaped as in C.
std::string Quoted(absl::string_view text);

// `text` with every control character and every byte that is no UTF-8 as \xNN:
// one line that moves no cursor.
std::string Printable(absl::string_view text);

}  // namespace freshline::base
