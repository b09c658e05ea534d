// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/strings/string_view.h"

namespace freshline::version {

// "0.1.0"
absl::string_view Version();
// Short hash of the commit that was built, with "-dirty" where the tree had
// changes; "unknown" outside a checkout.
absl::string_view Commit();
// Build type and sanitizers: "Release", "RelWithDebInfo address,undefined".
absl::string_view Build();

}  // namespace freshline::version
