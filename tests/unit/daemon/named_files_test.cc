// SPDX-License-Identifier: Apache-2.0
#include "daemon/named_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace freshline::daemon {
namespace {

using test::IsOk;
using test::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class NamedFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "named_files_test";
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directory(directory_);
    std::ofstream(directory_ + "/defs.textproto") << kDefinitions;
  }
  DaemonConfig Config(const std::string& more) const {
    const auto config =
        ParseConfig(absl::StrCat("definitions: 'defs.textproto'\n", more),
                    directory_ + "/d.textproto", 1);
    EXPECT_THAT(config, IsOk());
    return *config;
  }
  std::string Definitions() const {
    std::stringstream text;
    text << std::ifstream(directory_ + "/defs.textproto").rdbuf();
    return text.str();
  }
  static constexpr char kDefinitions[] = "entity { name: 'user' }\n";
  std::string directory_;
};

TEST_F(NamedFilesTest, WhatNamesTheDefinitionsIsRefusedAtItsPlace) {
  const absl::Status log =
      CheckOutputFiles(Config("decision_log { path: 'defs.textproto' }"));
  EXPECT_THAT(
      log,
      StatusIs(absl::StatusCode::kInvalidArgument,
               AllOf(StartsWith(absl::StrCat(
                         directory_, "/d.textproto:2:16: decision_log.path: ")),
                     HasSubstr("no decision log"))));
  const DaemonConfig port = Config("port_file: 'defs.textproto'");
  EXPECT_THAT(CheckOutputFiles(port),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("/d.textproto:2:1: port_file: ")));
  EXPECT_FALSE(WritePortFile(port, 7460).ok());
  EXPECT_EQ(Definitions(), kDefinitions);
}

TEST_F(NamedFilesTest, ADirectoryThatIsMissingIsNamedBeforeAnythingStarts) {
  EXPECT_THAT(
      CheckOutputFiles(Config("port_file: 'no/such/port'")),
      StatusIs(absl::StatusCode::kInvalidArgument,
               AllOf(HasSubstr(":2:1: port_file: "), HasSubstr("no/such"))));
  EXPECT_THAT(CheckOutputFiles(Config("decision_log { path: 'no/such/log' }")),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("decision_log.path")));
}

TEST_F(NamedFilesTest, TwoFilesAtOnePathAreRefused) {
  EXPECT_THAT(
      CheckOutputFiles(Config("port_file: 'x' decision_log { path: 'x' }")),
      StatusIs(absl::StatusCode::kInvalidArgument,
               AllOf(HasSubstr("decision_log.path"), HasSubstr("port_file"))));
}

TEST_F(NamedFilesTest, AUnixSocketNeedsItsFolderAndNothingElseInItsPlace) {
  const auto check = [this](const std::string& path) {
    return CheckOutputFiles(
        Config(absl::StrCat("listen: 'unix:", directory_, path, "'")));
  };
  EXPECT_THAT(check("/new.sock"), IsOk());
  EXPECT_THAT(check("/no/such.sock"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr(":2:1: listen[0]: "),
                             HasSubstr("cannot be listened on"))));
  for (const char* other : {"/defs.textproto", ""}) {
    EXPECT_THAT(check(other), StatusIs(absl::StatusCode::kInvalidArgument,
                                       HasSubstr("is there and is no socket")));
  }
  EXPECT_EQ(Definitions(), kDefinitions);
}

TEST_F(NamedFilesTest, DefinitionsThatCannotBeReadAreNamedAtTheirPlace) {
  EXPECT_THAT(CheckDefinitionFiles(Config("")), IsOk());
  for (const char* other : {"no.textproto", "."}) {
    EXPECT_THAT(CheckDefinitionFiles(
                    Config(absl::StrCat("definitions: '", other, "'"))),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr(":2:1: definitions[1]: ")));
  }
}

TEST_F(NamedFilesTest, APortFileIsReplacedByTheNextStart) {
  const DaemonConfig config = Config("port_file: 'port'");
  EXPECT_THAT(CheckOutputFiles(config), IsOk());
  EXPECT_THAT(WritePortFile(config, 7460), IsOk());
  EXPECT_THAT(CheckOutputFiles(config), IsOk());
  EXPECT_THAT(WritePortFile(config, 1), IsOk());
  std::string text;
  std::getline(std::ifstream(directory_ + "/port"), text);
  EXPECT_EQ(text, "1");
  EXPECT_THAT(WritePortFile(Config(""), 1), IsOk());
}

}  // namespace
}  // namespace freshline::daemon
