// SPDX-License-Identifier: Apache-2.0
#include "bench/replay/workload.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "tests/support/status_matchers.h"

namespace freshline::bench {
namespace {

using test::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string WriteTrace(const std::string& rows) {
  const std::string path = ::testing::TempDir() + "/workload.csv";
  std::ofstream(path) << "event_time,product_id,user_id\n" << rows;
  return path;
}

TEST(WorkloadTest, AFileThatIsNotThereIsSaidToBeLookedForSomewhere) {
  WorkloadOptions options;
  options.trace = "no/such/trace.csv";
  options.tables = "no/such/tables";
  EXPECT_THAT(
      Workload::Load(options).status(),
      StatusIs(absl::StatusCode::kNotFound,
               AllOf(HasSubstr("no/such/trace.csv"),
                     HasSubstr(std::filesystem::current_path().string()),
                     HasSubstr("--trace"), HasSubstr("scripts/quickstart"))));
  options.trace = WriteTrace("2019-10-01 00:00:00,1,1\n");
  EXPECT_THAT(Workload::Load(options).status().message(),
              AllOf(HasSubstr("no/such/tables"), HasSubstr("--tables"),
                    HasSubstr(std::filesystem::current_path().string())));
  // What is there and wrong was looked for in the right place.
  options.trace = WriteTrace("x\n");
  EXPECT_THAT(Workload::Load(options).status().message(),
              AllOf(HasSubstr("malformed"), Not(HasSubstr("looked for"))));
}

TEST(ResolveWindowTest, ReadsStartAndSecondsOrFindsThePeak) {
  const auto window = ResolveWindow("", "2019-10-01T02:40:00+600", 0);
  ASSERT_THAT(window, test::IsOk());
  EXPECT_EQ(window->start_us, 1'569'897'600'000'000);
  EXPECT_EQ(window->end_us - window->start_us, 600'000'000);
  EXPECT_THAT(
      ResolveWindow("", "2019-10-01T02:40:00", 0),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--window")));
  const std::string trace =
      WriteTrace("2019-10-01 00:00:05,1,1\n2019-10-01 00:00:01,1,1\nx\n");
  EXPECT_THAT(
      ResolveWindow(trace, "auto", 0.01),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("malformed")));
  const auto peak = ResolveWindow(trace, "auto", 0.5);
  ASSERT_THAT(peak, test::IsOk());
  EXPECT_EQ(peak->start_us, 1'569'888'001'000'000);
  EXPECT_EQ(peak->clicks, 2U);
}

}  // namespace
}  // namespace freshline::bench
