// SPDX-License-Identifier: Apache-2.0
#include "base/output_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "tests/support/status_matchers.h"

namespace freshline::base {
namespace {

using absl::StatusCode;
using test::IsOk;
using test::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr FileKind kPoem = {"poem", [](absl::string_view head) {
                              return absl::StartsWith(head, "Tyger");
                            }};

class OutputFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "output_file_test";
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directory(directory_);
  }
  std::string Path(const std::string& name) const {
    return directory_ + "/" + name;
  }
  std::string Holding(const std::string& name, const std::string& text) const {
    std::ofstream(Path(name)) << text;
    return Path(name);
  }
  static std::string TextOf(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  size_t files() const {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator(directory_)) {
      ++count;
    }
    return count;
  }
  std::string directory_;
};

TEST_F(OutputFileTest, MakesAFileAndReplacesOneOfItsKindOrAnEmptyOne) {
  const std::string path = Path("new");
  EXPECT_THAT(WriteOutputFile(path, "Tyger, one", kPoem), IsOk());
  EXPECT_EQ(TextOf(path), "Tyger, one");
  EXPECT_THAT(WriteOutputFile(path, "Tyger, two", kPoem), IsOk());
  EXPECT_EQ(TextOf(path), "Tyger, two");
  const std::string empty = Holding("empty", "");
  EXPECT_THAT(WriteOutputFile(empty, "Tyger", kPoem), IsOk());
  EXPECT_EQ(TextOf(empty), "Tyger");
  EXPECT_EQ(files(), 2U) << "no partial file is left";
}

TEST_F(OutputFileTest, AFileOfAnotherKindStaysAsItIs) {
  const std::string path = Holding("other", "entity { name: \"user\" }");
  EXPECT_THAT(CheckReplaceable(path, kPoem),
              StatusIs(StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr(path), HasSubstr("no poem"),
                             HasSubstr("name another path"))));
  EXPECT_FALSE(WriteOutputFile(path, "Tyger", kPoem).ok());
  EXPECT_EQ(TextOf(path), "entity { name: \"user\" }");
  EXPECT_EQ(files(), 1U);
}

TEST_F(OutputFileTest, ALinkLeadsToWhatItNames) {
  const std::string poem = Holding("poem", "Tyger");
  const std::string other = Holding("other", "prose");
  ASSERT_EQ(::symlink(poem.c_str(), Path("to_poem").c_str()), 0);
  ASSERT_EQ(::symlink(other.c_str(), Path("to_other").c_str()), 0);
  EXPECT_FALSE(WriteOutputFile(Path("to_other"), "Tyger 2", kPoem).ok());
  EXPECT_EQ(TextOf(other), "prose");
  EXPECT_THAT(WriteOutputFile(Path("to_poem"), "Tyger 2", kPoem), IsOk());
  EXPECT_EQ(TextOf(poem), "Tyger 2");
  EXPECT_TRUE(std::filesystem::is_symlink(Path("to_poem")));
}

TEST_F(OutputFileTest, WhatIsNoFileIsRefused) {
  ASSERT_EQ(::mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_THAT(CheckReplaceable(Path("fifo"), kPoem),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("no file")));
  EXPECT_THAT(
      CheckReplaceable(directory_, kPoem),
      StatusIs(StatusCode::kFailedPrecondition, HasSubstr("is a directory")));
  EXPECT_THAT(CheckReplaceable("/dev/null", kPoem), IsOk());
  EXPECT_THAT(WriteOutputFile("/dev/null", "x", kPoem), IsOk());
}

TEST_F(OutputFileTest, NamesTheDirectoryThatIsMissing) {
  EXPECT_THAT(CheckReplaceable(Path("no/such/file"), kPoem),
              StatusIs(StatusCode::kNotFound,
                       AllOf(HasSubstr("no/such\": No such file"),
                             HasSubstr("no/such/file\" cannot be written"))));
}

TEST_F(OutputFileTest, AFullDiskIsAnErrorByName) {
  EXPECT_THAT(WriteOutputFile("/dev/full", "x", kPoem),
              StatusIs(StatusCode::kUnavailable, HasSubstr("/dev/full")));
}

}  // namespace
}  // namespace freshline::base
