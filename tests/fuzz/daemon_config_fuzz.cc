// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "daemon/config/config.h"

// What is accepted means the same after it was written out in full.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace daemon = freshline::daemon;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = daemon::ParseConfig(text, "/etc/fuzz.textproto", 2);
  if (!parsed.ok()) {
    FRESHLINE_CHECK(absl::IsInvalidArgument(parsed.status()));
    return 0;
  }
  FRESHLINE_CHECK(!parsed->listen.empty());
  const auto again = daemon::ParseConfig(daemon::PrintConfig(*parsed),
                                         "/elsewhere/fuzz.textproto", 7);
  FRESHLINE_CHECK(again.ok());
  FRESHLINE_CHECK(*again == *parsed);
  return 0;
}
