// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/strings/string_view.h"

namespace freshline::csv {

// Whether a text is UTF-8: no overlong form, no surrogate, nothing beyond
// U+10FFFF. Cost: a byte in some 0.1 ns where it is ASCII.
bool IsUtf8(absl::string_view text);

}  // namespace freshline::csv
