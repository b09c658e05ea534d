// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "base/check.h"
#include "bench/trace/reader.h"

// Times never decrease, every row is read or counted as malformed, and reading
// again gives the same clicks.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace bench = freshline::bench;
  static const int file = memfd_create("trace_rows", 0);
  FRESHLINE_CHECK(file >= 0);
  FRESHLINE_CHECK(ftruncate(file, 0) == 0);
  FRESHLINE_CHECK(pwrite(file, data, size, 0) == static_cast<ssize_t>(size));
  const std::string path = "/proc/self/fd/" + std::to_string(file);

  bench::ReadOptions options;
  options.skipped_share_max = 1;
  bench::StringPool pool;
  bench::ReadReport report;
  const auto clicks = bench::ReadTrace(path, options, &pool, &report);
  if (!clicks.ok()) {
    FRESHLINE_CHECK(absl::IsInvalidArgument(clicks.status()));
    return 0;
  }
  FRESHLINE_CHECK(clicks->size() <= report.rows);
  FRESHLINE_CHECK(report.examples.size() <= report.malformed);
  int64_t newest = std::numeric_limits<int64_t>::min();
  for (const bench::Click& click : *clicks) {
    FRESHLINE_CHECK(click.time_us >= newest);
    newest = click.time_us;
  }
  bench::StringPool again_pool;
  bench::ReadReport again_report;
  const auto again =
      bench::ReadTrace(path, options, &again_pool, &again_report);
  FRESHLINE_CHECK(again.ok() && again->size() == clicks->size());
  for (size_t i = 0; i < clicks->size(); ++i) {
    FRESHLINE_CHECK((*again)[i].time_us == (*clicks)[i].time_us);
  }
  return 0;
}
