// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace freshline::registry {

// The end of a message about an unknown name: `; did you mean "price"?` with
// up to three names that are within a third of its letters, nearest first, or
// else `; known are a, b, c` with the first ten names, or `; none is defined`.
// Cost: O(names x length^2); for errors only.
std::string SuggestName(absl::string_view unknown,
                        absl::Span<const std::string> names);

}  // namespace freshline::registry
