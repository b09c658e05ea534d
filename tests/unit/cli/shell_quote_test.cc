// SPDX-License-Identifier: Apache-2.0
#include "cli/shell_quote.h"

#include <gtest/gtest.h>

namespace freshline::cli {
namespace {

TEST(ShellQuoteTest, QuotesWhatAShellWouldChange) {
  EXPECT_EQ(ShellQuote("--csv"), "--csv");
  EXPECT_EQ(ShellQuote("a/b-c_d.csv"), "a/b-c_d.csv");
  EXPECT_EQ(ShellQuote(""), "''");
  EXPECT_EQ(ShellQuote("#1"), "'#1'");
  EXPECT_EQ(ShellQuote("it's"), "'it'\\''s'");
  EXPECT_EQ(ShellQuote("$HOME *"), "'$HOME *'");
  EXPECT_EQ(ShellQuote("\t"), "$'\\t'");
  EXPECT_EQ(ShellQuote("a\x1b'\xc3\xa9"), "$'a\\033\\'\xc3\xa9'");
}

}  // namespace
}  // namespace freshline::cli
