// SPDX-License-Identifier: Apache-2.0
#include "registry/name_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "freshline/v1/registry.pb.h"
#include "tests/support/status_matchers.h"

namespace freshline::registry {
namespace {

using test::StatusIs;
using ::testing::HasSubstr;

TEST(NameTableTest, NamesAreLowerCaseWordsOfAtMost64) {
  for (const char* name : {"a", "a1", "user_id", "x_"}) {
    EXPECT_TRUE(IsName(name)) << name;
  }
  for (const char* name : {"", "A", "1a", "_a", "a-b", "a:b", "ä", "a b"}) {
    EXPECT_FALSE(IsName(name)) << name;
  }
  EXPECT_TRUE(IsName(std::string(64, 'a')));
  EXPECT_FALSE(IsName(std::string(65, 'a')));
}

TEST(NameTableTest, RepeatedNamesKeepPositionsAndResolveToTheFirst) {
  const FieldPlace place =
      FieldPlace::Root("f", freshline::v1::Definitions::descriptor(), nullptr);
  NameTable table("source");
  Violations violations;
  table.Declare(place, "a", &violations);
  table.Declare(place, "a", &violations);
  table.Declare(place, "b", &violations);
  EXPECT_EQ(table.Resolve(place, "a", &violations), 0u);
  EXPECT_EQ(table.Resolve(place, "b", &violations), 2u);
  EXPECT_EQ(violations.size(), 1u);
  EXPECT_THAT(violations.ToStatus(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("source \"a\" is already defined at f")));
}

TEST(NameTableTest, UnknownAndMissingNamesAreReported) {
  const FieldPlace place =
      FieldPlace::Root("f", freshline::v1::Definitions::descriptor(), nullptr);
  NameTable table("source");
  Violations violations;
  table.Declare(place, "clicks", &violations);
  EXPECT_EQ(table.Resolve(place, "click", &violations), std::nullopt);
  EXPECT_EQ(table.Resolve(place, "", &violations), std::nullopt);
  EXPECT_EQ(violations.ToStatus().message(),
            "f: unknown source \"click\"; did you mean \"clicks\"?\n"
            "f: is required: the name of a source");
}

}  // namespace
}  // namespace freshline::registry
