// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "bench/load/absolute_sleep.h"
#include "bench/load/process_runner.h"
#include "freshline/v1/feature_store.pb.h"
#include "tests/support/fake_feature_store.h"
#include "tests/support/status_matchers.h"

namespace freshline {
namespace {

using ::testing::HasSubstr;

// Installs the client into a directory of its own and builds the example
// against it, as a user would.
class ClientPackageTest : public ::testing::Test {
 protected:
  ClientPackageTest()
      : root_(
            absl::StrCat(::testing::TempDir(), "/client_package.", getpid())) {
    std::filesystem::create_directories(root_);
  }
  ~ClientPackageTest() override { std::filesystem::remove_all(root_); }

  // Runs to the end; the output is in Log().
  int RunToEnd(std::vector<std::string> arguments) {
    auto process =
        bench::ProcessRunner::Start({.arguments = std::move(arguments),
                                     .log_path = root_ + "/log",
                                     .port_file = ""});
    EXPECT_THAT(process, test::IsOk());
    if (!process.ok()) return -1;
    while (!(*process)->Ended()) {
      bench::SleepUntil(base::Clock::Real().Now() +
                        std::chrono::milliseconds(5));
    }
    return (*process)->Stop();
  }

  std::string Log() const {
    std::ifstream file(root_ + "/log");
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

  const std::string root_;
};

TEST_F(ClientPackageTest, TheExampleBuildsAgainstTheInstalledLibraryAndRuns) {
  const std::string prefix = root_ + "/prefix";
  ASSERT_EQ(0, RunToEnd({TEST_CMAKE, "--install", TEST_BUILD_DIR, "--component",
                         "client", "--prefix", prefix}))
      << Log();
  EXPECT_TRUE(std::filesystem::exists(prefix + "/bin/freshline"));
  ASSERT_EQ(
      0, RunToEnd({TEST_CMAKE, "-S", TEST_EXAMPLE_DIR, "-B", root_ + "/build",
                   "-G", "Ninja", "-DCMAKE_PREFIX_PATH=" + prefix,
                   "-DCMAKE_CXX_COMPILER=" TEST_CXX}))
      << Log();
  ASSERT_EQ(0, RunToEnd({TEST_CMAKE, "--build", root_ + "/build"})) << Log();

  test::FakeFeatureStore store(
      {.get_features = [](const v1::GetFeaturesRequest& request,
                          v1::GetFeaturesResponse* response) {
        EXPECT_EQ(request.entities(0).values().int64s().values(0), 42);
        EXPECT_EQ(request.events_size(), 1);
        EXPECT_EQ(request.budget_us(), 30'000);
        response->set_rows(1);
        v1::FeatureColumn& column = *response->add_features();
        column.set_name("user:clicks");
        column.mutable_values()->mutable_int64s()->add_values(1);
        v1::GroupFreshness& fresh = *response->add_groups();
        fresh.add_obtained(v1::REFRESHED);
        fresh.add_pending_events(0);
        return absl::OkStatus();
      }});
  EXPECT_EQ(0,
            RunToEnd({root_ + "/build/example_client", store.target(), "42"}));
  EXPECT_THAT(Log(),
              HasSubstr("user:clicks: PRESENT, REFRESHED, 0 events pending"));
}

}  // namespace
}  // namespace freshline
