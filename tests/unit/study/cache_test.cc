// SPDX-License-Identifier: Apache-2.0
#include "bench/study/cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/status_matchers.h"

namespace freshline::bench {
namespace {

namespace fs = std::filesystem;

std::string FreshDirectory(const std::string& name) {
  const std::string path = ::testing::TempDir() + name;
  fs::remove_all(path);
  return path;
}

fs::path OnlyFile(const std::string& directory) {
  return fs::directory_iterator(directory)->path();
}

StudyRun SomeRun() {
  StudyRun run;
  run.report.policy = "edf";
  run.report.quality.hr20 = 0.1;
  run.hits = {1, 0, 4'000'000'000U};
  return run;
}

TEST(StudyCacheTest, GivesBackWhatItWasGiven) {
  const std::string directory = FreshDirectory("cache_back");
  const StudyCache cache(directory);
  EXPECT_FALSE(cache.FindRun("a").has_value());
  ASSERT_THAT(cache.PutRun("a", SomeRun()), test::IsOk());
  const auto run = StudyCache(directory).FindRun("a");
  ASSERT_TRUE(run.has_value());
  EXPECT_EQ(run->hits, SomeRun().hits);
  EXPECT_EQ(FormatRun(run->report), FormatRun(SomeRun().report));
  EXPECT_FALSE(cache.FindRun("b").has_value());
  const SliceUsers users = {{-5, 7}, {1, 2}, {0, 1}, {1, 2}};
  ASSERT_THAT(cache.PutSlice("a", users), test::IsOk());
  EXPECT_EQ(cache.FindSlice("a"), users);
  EXPECT_FALSE(cache.FindSlice("b").has_value());
}

TEST(StudyCacheTest, ADamagedFileCountsAsNone) {
  const std::string directory = FreshDirectory("cache_damaged");
  const StudyCache cache(directory);
  ASSERT_THAT(cache.PutRun("a", SomeRun()), test::IsOk());
  const fs::path file = OnlyFile(directory + "/runs");
  std::ifstream in(file);
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  for (size_t size = 0; size + 1 < whole.size(); size += 37) {
    std::ofstream(file) << whole.substr(0, size);
    EXPECT_FALSE(cache.FindRun("a").has_value()) << size;
  }
  for (const char* text : {"[]", "null", "7", R"({"format": "x"})",
                           R"({"format": 1, "fingerprint": "a"})",
                           R"({"format": 2, "fingerprint": "a"})",
                           R"({"format": 1, "fingerprint": 5})"}) {
    std::ofstream(file) << text;
    EXPECT_FALSE(cache.FindRun("a").has_value()) << text;
  }
  std::ofstream(file) << whole;
  EXPECT_TRUE(cache.FindRun("a").has_value());
}

TEST(StudyCacheTest, AFileOfAnotherFingerprintCountsAsNone) {
  const std::string directory = FreshDirectory("cache_other");
  const StudyCache cache(directory);
  ASSERT_THAT(cache.PutRun("a", SomeRun()), test::IsOk());
  const fs::path a = OnlyFile(directory + "/runs");
  ASSERT_THAT(cache.PutRun("b", SomeRun()), test::IsOk());
  for (const auto& entry : fs::directory_iterator(directory + "/runs")) {
    if (entry.path() != a)
      fs::copy_file(a, entry.path(), fs::copy_options::overwrite_existing);
  }
  EXPECT_TRUE(cache.FindRun("a").has_value());
  EXPECT_FALSE(cache.FindRun("b").has_value());
}

TEST(StudyCacheTest, UsersWithoutAllTheirCountsCountAsNone) {
  const std::string directory = FreshDirectory("cache_users");
  const StudyCache cache(directory);
  ASSERT_THAT(cache.PutSlice("a", {{1, 2}, {1, 2}, {1}, {1, 2}}), test::IsOk());
  EXPECT_FALSE(cache.FindSlice("a").has_value());
}

TEST(StudyCacheTest, SaysWhereItCannotWrite) {
  const std::string file = ::testing::TempDir() + "cache_is_a_file";
  std::ofstream(file) << "x";
  EXPECT_THAT(StudyCache(file).PutRun("a", SomeRun()),
              test::StatusIs(absl::StatusCode::kNotFound,
                             ::testing::HasSubstr("cache_is_a_file")));
}

}  // namespace
}  // namespace freshline::bench
