// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>

#include "base/check.h"
#include "cli/csv.h"

// A file ends, by its end or by the first error, in at most as many batches as
// it has lines.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace cli = freshline::cli;
  std::istringstream in(std::string(reinterpret_cast<const char*>(data), size));
  cli::CsvEventOptions options;
  options.source = "clicks";
  options.batch_events = 2;
  cli::CsvEventReader reader(options, in);
  size_t batches = 0;
  while (true) {
    const auto next = reader.Next();
    if (!next.ok()) {
      FRESHLINE_CHECK(absl::IsInvalidArgument(next.status()) ||
                      absl::IsDataLoss(next.status()));
      return 0;
    }
    if (!next->has_value()) return 0;
    FRESHLINE_CHECK(++batches <= size + 1);
  }
}
