// SPDX-License-Identifier: Apache-2.0
#include "csv/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace freshline::csv {
namespace {

TEST(IsUtf8Test, TakesEveryCharacterWhereverItStands) {
  for (const char* text : {"", "plain ascii text", "\xc3\xbc", "\xe2\x82\xac",
                           "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"}) {
    for (size_t before = 0; before < 20; ++before) {
      EXPECT_TRUE(IsUtf8(std::string(before, 'x') + text + "yyyyyyyyy"));
    }
  }
}

TEST(IsUtf8Test, RefusesWhatIsNone) {
  for (const char* text :
       {"\xfc", "\xc3", "\x80", "\xc0\xaf", "\xe0\x9f\xbf", "\xed\xa0\x80",
        "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xff", "\xe2\x82"}) {
    for (size_t before = 0; before < 20; ++before) {
      EXPECT_FALSE(IsUtf8(std::string(before, 'x') + text));
      EXPECT_FALSE(IsUtf8(std::string(before, 'x') + text + "yyyyyyyyy"));
    }
  }
}

}  // namespace
}  // namespace freshline::csv
