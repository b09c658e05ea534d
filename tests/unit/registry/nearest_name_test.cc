// SPDX-License-Identifier: Apache-2.0
#include "registry/nearest_name.h"

#include <gtest/gtest.h>

#include <vector>

namespace freshline::registry {
namespace {

TEST(NearestNameTest, SuggestsNamesWithinAThirdOfTheLettersNearestFirst) {
  const std::vector<std::string> names = {"brand", "pieces", "price"};
  EXPECT_EQ(SuggestName("prices", names),
            "; did you mean \"price\" or \"pieces\"?");
}

TEST(NearestNameTest, SuggestsAtMostThree) {
  const std::vector<std::string> names = {"a1", "a2", "a3", "a4"};
  EXPECT_EQ(SuggestName("a0", names),
            "; did you mean \"a1\" or \"a2\" or \"a3\"?");
}

TEST(NearestNameTest, ListsWhatIsKnownWhereNothingIsNear) {
  const std::vector<std::string> names = {"brand", "price"};
  EXPECT_EQ(SuggestName("quantity", names), "; known are brand, price");
  EXPECT_EQ(SuggestName("quantity", {}), "; none is defined");
}

TEST(NearestNameTest, ListsAtMostTen) {
  std::vector<std::string> names;
  for (int i = 0; i < 11; ++i) names.push_back("name" + std::to_string(i));
  const std::string text = SuggestName("zzzzzzzz", names);
  EXPECT_NE(text.find("name9, ..."), std::string::npos) << text;
  EXPECT_EQ(text.find("name10"), std::string::npos) << text;
}

TEST(NearestNameTest, VeryLongNamesAreComparedByTheirBeginning) {
  const std::vector<std::string> names = {std::string(200, 'a')};
  const std::string text = SuggestName(std::string(1 << 20, 'a'), names);
  EXPECT_NE(text.find("did you mean"), std::string::npos) << text;
}

}  // namespace
}  // namespace freshline::registry
