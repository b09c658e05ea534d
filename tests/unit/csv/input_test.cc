// SPDX-License-Identifier: Apache-2.0
#include "csv/input.h"

#include <gmock/gmock.h>
#include <zlib.h>

#include <fstream>
#include <sstream>

#include "tests/support/status_matchers.h"

namespace freshline::csv {
namespace {

using test::IsOk;
using test::StatusIs;
using ::testing::HasSubstr;

std::string Pack(const std::string& text) {
  const std::string path = ::testing::TempDir() + "pack.gz";
  gzFile gz = gzopen(path.c_str(), "wb");
  gzwrite(gz, text.data(), static_cast<unsigned>(text.size()));
  gzclose(gz);
  std::ifstream in(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(in)), {});
}

// Everything up to the end or the first error, in blocks of `block`.
absl::Status Drain(Input& input, std::string* text, size_t block = 1 << 16) {
  std::string buffer(block, '\0');
  while (true) {
    const auto n = input.Read(buffer.data(), block);
    if (!n.ok()) return n.status();
    if (*n == 0) return absl::OkStatus();
    text->append(buffer, 0, *n);
  }
}

absl::Status DrainText(const std::string& bytes, std::string* text,
                       size_t block = 1 << 16) {
  std::istringstream in(bytes);
  return Drain(*Input::FromStream(in), text, block);
}

std::string Long() {
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += std::to_string(i * 7919);
  return text;
}

TEST(InputTest, ReadsFilesAndStreamsPlainAndPacked) {
  const std::string text = Long();
  for (const std::string& bytes : {text, Pack(text)}) {
    std::string from_stream;
    EXPECT_THAT(DrainText(bytes, &from_stream), IsOk());
    EXPECT_EQ(from_stream, text);
    const std::string path = ::testing::TempDir() + "input.bin";
    std::ofstream(path, std::ios::binary) << bytes;
    auto input = Input::OpenFile(path);
    ASSERT_THAT(input, IsOk());
    std::string from_file;
    EXPECT_THAT(Drain(**input, &from_file), IsOk());
    EXPECT_EQ((*input)->packed(), bytes != text);
    EXPECT_EQ(from_file, text);
  }
}

TEST(InputTest, SmallBlocksAndShortTextsAreNoMatter) {
  for (const std::string& text : {std::string(), std::string("a"),
                                  std::string("\x1f"), std::string("ab\n")}) {
    std::string got;
    EXPECT_THAT(DrainText(text, &got, 1), IsOk());
    EXPECT_EQ(got, text);
  }
  std::string got;
  EXPECT_THAT(DrainText(Pack("some text"), &got, 1), IsOk());
  EXPECT_EQ(got, "some text");
}

TEST(InputTest, MembersOfAnArchiveAreReadAsOneAndPaddingIsNoMember) {
  std::string got;
  EXPECT_THAT(DrainText(Pack("one,") + Pack("") + Pack("two"), &got), IsOk());
  EXPECT_EQ(got, "one,two");
  got.clear();
  EXPECT_THAT(DrainText(Pack("one") + std::string(512, '\0'), &got), IsOk());
  EXPECT_EQ(got, "one");
}

TEST(InputTest, ADamagedArchiveIsAnErrorBehindWhatStandsBeforeIt) {
  const std::string text = Long();
  const std::string packed = Pack(text);
  std::string got;
  EXPECT_THAT(DrainText(packed.substr(0, packed.size() / 2), &got),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("ends early")));
  EXPECT_FALSE(got.empty());
  EXPECT_EQ(text.substr(0, got.size()), got);
  got.clear();
  std::string damaged = packed;
  damaged.replace(packed.size() / 2, 64, std::string(64, '\x55'));
  EXPECT_THAT(DrainText(damaged, &got),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("damaged")));
  got.clear();
  EXPECT_THAT(DrainText(packed + "rest", &got),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("damaged")));
}

TEST(InputTest, SaysWhyAFileCannotBeOpened) {
  EXPECT_THAT(Input::OpenFile("/no/such/file").status(),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("/no/such/file: cannot be opened: No such")));
  EXPECT_THAT(
      Input::OpenFile(::testing::TempDir()).status(),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("directory")));
}

}  // namespace
}  // namespace freshline::csv
