// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>

#include "base/check.h"
#include "cli/csv_events.h"

// A file ends, by its end or by the first error, in at most as many batches as
// it has lines, and its events stand on lines that ascend.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace cli = freshline::cli;
  namespace v1 = freshline::v1;
  static const cli::SchemaSource source{"clicks",
                                        {{"user_id", v1::INT64, /*key=*/true},
                                         {"price", v1::FLOAT64, false},
                                         {"brand", v1::STRING, false},
                                         {"a", v1::INT64, false},
                                         {"b", v1::BOOL, false}},
                                        "30d",
                                        "30d"};
  std::istringstream in(std::string(reinterpret_cast<const char*>(data), size));
  const auto input = freshline::csv::Input::FromStream(in);
  cli::CsvEventOptions options;
  options.batch_events = 2;
  const auto reader = cli::CsvEventReader::Open(options, source, *input);
  if (!reader.ok()) {
    FRESHLINE_CHECK(absl::IsInvalidArgument(reader.status()) ||
                    absl::IsDataLoss(reader.status()));
    return 0;
  }
  size_t batches = 0;
  uint64_t line = 0;
  while (true) {
    const auto next = (*reader)->Next();
    if (!next.ok()) {
      FRESHLINE_CHECK(absl::IsDataLoss(next.status()));
      return 0;
    }
    if (!next->has_value()) return 0;
    FRESHLINE_CHECK(++batches <= size + 1);
    for (const uint64_t at : (*next)->lines) {
      FRESHLINE_CHECK(at > line);
      line = at;
    }
  }
}
