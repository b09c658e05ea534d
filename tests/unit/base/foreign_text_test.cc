// SPDX-License-Identifier: Apache-2.0
#include "base/foreign_text.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"

namespace freshline::base {
namespace {

// Every code point, written as the standard's table says.
std::string Encode(uint32_t c) {
  std::string s;
  const auto add = [&](uint32_t byte) { s.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    add(c);
  } else if (c < 0x800) {
    add(0xc0 | c >> 6);
    add(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    add(0xe0 | c >> 12);
    add(0x80 | (c >> 6 & 0x3f));
    add(0x80 | (c & 0x3f));
  } else {
    add(0xf0 | c >> 18);
    add(0x80 | (c >> 12 & 0x3f));
    add(0x80 | (c >> 6 & 0x3f));
    add(0x80 | (c & 0x3f));
  }
  return s;
}

TEST(ForeignTextTest, EveryCharacterIsUtf8ButSurrogates) {
  for (uint32_t c = 0; c < 0x120000; ++c) {
    const std::string text = Encode(c);
    const bool valid = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
    ASSERT_EQ(IsUtf8(text), valid) << std::hex << c;
    ASSERT_EQ(Utf8CharBytes(text), valid ? text.size() : 0) << std::hex << c;
  }
}

TEST(ForeignTextTest, OverlongCutAndLooseBytesAreNot) {
  for (const char* text :
       {"\xff", "\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xe2\x82",
        "\xf0\x8f\xbf\xbf", "\xf0\x9f\x98", "abcdefgh\xe2\x82", "\xe2(\xa1",
        "long enough to be looked at by words\xfe"}) {
    EXPECT_FALSE(IsUtf8(text)) << Printable(text);
  }
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8(absl::string_view("a\0b", 3)));
  EXPECT_TRUE(IsUtf8("na\xc3\xafve caf\xc3\xa9, \xf0\x9f\x98\x80"));
}

TEST(ForeignTextTest, ItDoesNotMatterWhereACharacterStands) {
  for (size_t before = 0; before < 20; ++before) {
    const std::string start(before, 'x');
    for (const char* text :
         {"", "\xc3\xbc", "\xe2\x82\xac", "\xf4\x8f\xbf\xbf"}) {
      EXPECT_TRUE(IsUtf8(start + text + "yyyyyyyyy")) << before;
    }
    for (const char* text :
         {"\xfc", "\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
      EXPECT_FALSE(IsUtf8(start + text)) << before;
      EXPECT_FALSE(IsUtf8(start + text + "yyyyyyyyy")) << before;
    }
  }
}

TEST(ForeignTextTest, APrefixCutsNoCharacter) {
  const std::string text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";
  const size_t ends[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
  for (size_t max = 0; max < std::size(ends); ++max) {
    EXPECT_EQ(Utf8Prefix(text, max).size(), ends[max]) << max;
  }
  EXPECT_EQ(Utf8Prefix("\x80\x80\x80\x80\x80\x80", 4).size(), 4U);
}

TEST(ForeignTextTest, QuotesAreShortAndPlain) {
  EXPECT_EQ(Quoted("user_id"), "\"user_id\"");
  EXPECT_EQ(Quoted("gr\xc3\xb6\xc3\x9f"
                   "e"),
            "\"gr\xc3\xb6\xc3\x9f"
            "e\"");
  EXPECT_EQ(Quoted("a\"b\\c\n\x1b[2J"), "\"a\\\"b\\\\c\\n\\033[2J\"");
  EXPECT_EQ(Quoted("\xff"), "\"\\377\"");
  EXPECT_EQ(Quoted(std::string(1'000'000, 'x')),
            "\"" + std::string(128, 'x') + "\"... (1000000 bytes)");
}

TEST(ForeignTextTest, WhatIsPrintableIsOneLineOfUtf8) {
  EXPECT_EQ(Printable("\"\xe2\x82\xac\" 100%"), "\"\xe2\x82\xac\" 100%");
  EXPECT_EQ(Printable("a\nb\x1b\x7f\xff\xc2\x9b"),
            "a\\x0ab\\x1b\\x7f\\xff\\xc2\\x9b");
  Rng rng(5);
  for (int i = 0; i < 2000; ++i) {
    std::string text(rng.Below(20), ' ');
    for (char& c : text) c = static_cast<char>(rng.Next());
    const std::string printable = Printable(text);
    ASSERT_TRUE(IsUtf8(printable));
    for (const char c : printable) {
      ASSERT_FALSE(static_cast<unsigned char>(c) < 0x20 || c == 0x7f);
    }
  }
}

}  // namespace
}  // namespace freshline::base
