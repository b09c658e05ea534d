// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"

namespace freshline::cli {

// A word as a shell reads it back: quoted where it has to be. Control
// characters are written in ASCII, as bash and its like read them.
inline std::string ShellQuote(absl::string_view word) {
  constexpr absl::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
      "_-./:=,+@%";
  if (!word.empty() &&
      word.find_first_not_of(kPlain) == absl::string_view::npos) {
    return std::string(word);
  }
  if (std::any_of(word.begin(), word.end(), absl::ascii_iscntrl)) {
    return absl::StrCat("$'", absl::Utf8SafeCEscape(word), "'");
  }
  return absl::StrCat("'", absl::StrReplaceAll(word, {{"'", "'\\''"}}), "'");
}

}  // namespace freshline::cli
