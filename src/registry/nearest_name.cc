// SPDX-License-Identifier: Apache-2.0
#include "registry/nearest_name.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace freshline::registry {
namespace {

constexpr size_t kSuggested = 3;
constexpr size_t kListed = 10;
// Longer texts are not names; comparing them would only cost time.
constexpr size_t kComparedChars = 160;

size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string SuggestName(absl::string_view unknown,
                        absl::Span<const std::string> names) {
  if (names.empty()) return "; none is defined";
  unknown = unknown.substr(0, kComparedChars);
  const size_t far = std::max<size_t>(2, unknown.size() / 3);
  std::vector<std::pair<size_t, const std::string*>> near;
  for (const std::string& name : names) {
    const size_t distance = EditDistance(unknown, name);
    if (distance <= far) near.emplace_back(distance, &name);
  }
  if (!near.empty()) {
    std::stable_sort(
        near.begin(), near.end(),
        [](const auto& a, const auto& b) { return a.first < b.first; });
    near.resize(std::min(near.size(), kSuggested));
    return absl::StrCat(
        "; did you mean ",
        absl::StrJoin(near, " or ",
                      [](std::string* out, const auto& candidate) {
                        absl::StrAppend(out, "\"", *candidate.second, "\"");
                      }),
        "?");
  }
  const auto listed = names.subspan(0, std::min(names.size(), kListed));
  return absl::StrCat("; known are ", absl::StrJoin(listed, ", "),
                      names.size() > kListed ? ", ..." : "");
}

}  // namespace freshline::registry
