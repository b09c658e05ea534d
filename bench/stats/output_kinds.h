// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "base/output_file.h"

// How the bench tells its own outputs from what else may stand at a path.

namespace freshline::bench {

namespace output_kinds_internal {

// An object as our JSON printers begin it: its first key is `key`.
inline bool BeginsWithKey(absl::string_view head, absl::string_view key) {
  size_t at = 0;
  const auto skip = [&](absl::string_view text) {
    while (at < head.size() && absl::StrContains(" \n", head.substr(at, 1))) {
      ++at;
    }
    if (!absl::StartsWith(head.substr(at), text)) return false;
    at += text.size();
    return true;
  };
  return skip("{") && skip("\"") && skip(key) && skip("\"") && skip(":");
}

}  // namespace output_kinds_internal

// Keys are written in the order of the alphabet.
inline constexpr base::FileKind kRunReportKind = {
    "report of runs", [](absl::string_view head) {
      return output_kinds_internal::BeginsWithKey(head, "build");
    }};
inline constexpr base::FileKind kSummaryKind = {
    "summary of a study", [](absl::string_view head) {
      return output_kinds_internal::BeginsWithKey(head, "differences");
    }};
inline constexpr base::FileKind kWhatIfKind = {
    "what-if report", [](absl::string_view head) {
      return output_kinds_internal::BeginsWithKey(head, "command");
    }};
inline constexpr base::FileKind kPageKind = {
    "report page", [](absl::string_view head) {
      return absl::StartsWith(head,
                              "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
                              "<meta charset=\"utf-8\">\n<meta name=") &&
             absl::StrContains(head,
                               "content=\"default-src 'none'; style-src "
                               "'unsafe-inline'; script-src");
    }};

}  // namespace freshline::bench
