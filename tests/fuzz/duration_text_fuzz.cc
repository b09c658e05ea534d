// SPDX-License-Identifier: Apache-2.0
#include "base/duration_text.h"

#include <cstddef>
#include <cstdint>

#include "base/check.h"

// Whatever is accepted means the same after it was written again.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace base = freshline::base;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<base::Duration> parsed = base::ParseDuration(text);
  if (!parsed.ok()) {
    FRESHLINE_CHECK(absl::IsInvalidArgument(parsed.status()));
    return 0;
  }
  FRESHLINE_CHECK(*parsed >= base::Duration::zero());
  const absl::StatusOr<base::Duration> again =
      base::ParseDuration(base::FormatDuration(*parsed));
  FRESHLINE_CHECK(again.ok());
  FRESHLINE_CHECK(*again == *parsed);
  return 0;
}
