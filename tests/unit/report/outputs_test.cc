// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "bench/report/run_report.h"
#include "bench/report/summary.h"
#include "bench/report/summary_page.h"
#include "bench/stats/output_kinds.h"
#include "tests/support/status_matchers.h"

namespace freshline::bench {
namespace {

using test::IsOk;
using test::StatusIs;

// Every output replaces an earlier one of its kind and nothing else.
TEST(OutputsTest, OneOfItsOwnKindIsReplacedAndNothingElse) {
  const std::string directory = ::testing::TempDir() + "outputs_test";
  const struct {
    std::string path;
    std::function<absl::Status()> write;
  } outputs[] = {
      {directory + "/report.json",
       [&] { return WriteReport({}, {}, directory); }},
      {directory + "/study.json",
       [&] { return WriteSummary({}, directory + "/study.json"); }},
      {directory + "/report.html",
       [&] { return WriteSummaryPage({}, directory + "/report.html"); }},
  };
  for (const auto& output : outputs) {
    SCOPED_TRACE(output.path);
    std::filesystem::remove_all(directory);
    std::filesystem::create_directory(directory);
    EXPECT_THAT(output.write(), IsOk());
    EXPECT_THAT(output.write(), IsOk());
    for (const char* foreign :
         {"entity { name: \"user\" }\n", "{\"name\": \"mine\"}",
          "<!DOCTYPE html>\n<html lang=\"en\">\n<title>mine</title>"}) {
      std::ofstream(output.path) << foreign;
      EXPECT_THAT(output.write(),
                  StatusIs(absl::StatusCode::kFailedPrecondition,
                           ::testing::HasSubstr(output.path)));
      std::stringstream text;
      text << std::ifstream(output.path).rdbuf();
      EXPECT_EQ(text.str(), foreign);
    }
  }
}

TEST(OutputsTest, AKindIsTheFirstKeyHoweverItIsIndented) {
  EXPECT_TRUE(kWhatIfKind.recognizes("{\n \"command\": \"x\"}"));
  EXPECT_TRUE(kWhatIfKind.recognizes("{\"command\":\"x\"}"));
  EXPECT_FALSE(kWhatIfKind.recognizes("{\"commands\":\"x\"}"));
  EXPECT_FALSE(kWhatIfKind.recognizes("{"));
  EXPECT_FALSE(kWhatIfKind.recognizes("[\"command\"]"));
}

}  // namespace
}  // namespace freshline::bench
