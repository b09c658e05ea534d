// SPDX-License-Identifier: Apache-2.0
#include "featurize/item_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>

#include "base/random.h"
#include "featurize/item_table_layout.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/featurize/shop_fixture.h"

namespace freshline::featurize {
namespace {

using test::IsOk;
using test::MakeShop;
using test::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string ReadBytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A file on disk that tests damage.
class ItemTableFileTest : public testing::Test {
 protected:
  ItemTableFileTest() {
    EXPECT_THAT(WriteItemTable(path_, shop_), IsOk());
    bytes_ = ReadBytes(path_);
    std::memcpy(&header_, bytes_.data(), sizeof(header_));
  }
  ~ItemTableFileTest() override { std::remove(path_.c_str()); }

  absl::Status OpenBytes(const std::string& bytes, uint32_t dim = 16) {
    // A file cut to nothing and written again is flushed by some systems.
    std::remove(path_.c_str());
    std::ofstream(path_, std::ios::binary) << bytes;
    return ItemTable::Open(path_, dim).status();
  }
  // With checksums that fit, as someone with intent would write it.
  absl::Status OpenForged(ItemTableHeader header, std::string bytes) {
    header.contents_crc =
        Crc32(0, bytes.data() + sizeof(header), bytes.size() - sizeof(header));
    header.header_crc = HeaderCrc(header);
    std::memcpy(bytes.data(), &header, sizeof(header));
    return OpenBytes(bytes, 0);
  }
  template <typename T>
  absl::Status OpenWith(uint64_t offset, T value) {
    std::string bytes = bytes_;
    std::memcpy(bytes.data() + offset, &value, sizeof(value));
    return OpenForged(header_, bytes);
  }

  const ItemTableContents shop_ =
      MakeShop({.dim = 16, .items = 40, .padding = 5});
  const std::string path_ = test::TempTablePath("file");
  std::string bytes_;
  ItemTableHeader header_;
};

TEST(ItemTableTest, ReadsBackWhatWasWritten) {
  for (const uint32_t dim : {2U, 3U, 64U, 65U}) {
    const ItemTableContents shop =
        MakeShop({.dim = dim, .items = 83, .padding = 20, .never_clicked = 3});
    const auto table = test::OpenShop(shop);
    ASSERT_NE(table, nullptr);
    EXPECT_EQ(table->dim(), dim);
    EXPECT_EQ(table->items(), 83U);
    EXPECT_EQ(table->rows(), 103U);
    EXPECT_EQ(table->beta(), shop.beta);
    EXPECT_EQ(table->projection().hash_seed, shop.hash_seed);
    EXPECT_EQ(0, std::memcmp(table->projection().frequency_category,
                             shop.projection.data(),
                             shop.projection.size() * sizeof(float)));
    for (uint32_t row = 0; row < table->rows(); ++row) {
      EXPECT_EQ(0, std::memcmp(table->vector(row), &shop.vectors[row * dim],
                               dim * sizeof(float)));
      EXPECT_EQ(table->popularity(row), shop.popularity[row]);
      EXPECT_EQ(table->is_candidate(row), row < 80);
    }
    for (uint32_t row = 0; row < table->items(); ++row) {
      EXPECT_EQ(table->item(row), shop.ids[row]);
      EXPECT_EQ(table->Find(shop.ids[row]), row);
      EXPECT_EQ(table->Find(shop.ids[row] + 1), std::nullopt);
      EXPECT_EQ(table->total(row), shop.totals[row]);
      const auto neighbours = table->neighbours(row);
      ASSERT_EQ(neighbours.size(), shop.offsets[row + 1] - shop.offsets[row]);
      for (size_t i = 0; i < neighbours.size(); ++i) {
        EXPECT_EQ(neighbours[i], shop.neighbours[shop.offsets[row] + i]);
        EXPECT_EQ(table->weights(row)[i], shop.weights[shop.offsets[row] + i]);
      }
    }
  }
}

TEST(ItemTableTest, QuantisesEachRowToItsOwnScale) {
  const ItemTableContents shop = MakeShop({.items = 40});
  const auto table = test::OpenShop(shop);
  for (uint32_t row = 0; row < table->rows(); ++row) {
    const int8_t* const block = table->block(row / kBlockRows);
    for (size_t d = 0; d < table->content_columns(); ++d) {
      const int8_t code =
          block[(d / kGroupColumns * kBlockRows + row % kBlockRows) *
                    kGroupColumns +
                d % kGroupColumns];
      EXPECT_NEAR(static_cast<float>(code) * table->scales()[row],
                  table->vector(row)[d], table->scales()[row] * 0.5F + 1e-6F);
    }
  }
}

TEST(ItemTableTest, HoldsNothing) {
  ItemTableContents empty;
  empty.projection = DrawProjection(63, 1);
  empty.offsets = {0};
  const auto table = test::OpenShop(empty);
  ASSERT_NE(table, nullptr);
  EXPECT_EQ(table->rows(), 0U);
  EXPECT_EQ(table->Find(0), std::nullopt);
}

TEST(ItemTableTest, RefusesContentsThatDoNotFit) {
  const auto refused = [](const auto& change, const char* reason) {
    ItemTableContents shop = MakeShop({});
    change(&shop);
    EXPECT_THAT(
        WriteItemTable(test::TempTablePath("refused"), shop),
        StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(reason)));
  };
  refused([](auto* s) { s->dim = 1; }, "dim is 1");
  refused([](auto* s) { s->projection.pop_back(); }, "projection has 251");
  refused([](auto* s) { s->vectors.pop_back(); }, "vectors has");
  refused([](auto* s) { s->offsets.pop_back(); }, "offsets has 150");
  refused([](auto* s) { s->weights.pop_back(); }, "weights has");
  refused([](auto* s) { s->totals.pop_back(); }, "totals has 149");
  refused([](auto* s) { s->ids[3] = s->ids[9]; }, "stands in rows 3 and 9");
  EXPECT_THAT(WriteItemTable("/no/such/directory/x.fltab", MakeShop({})),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("/no/such/directory/x.fltab")));
}

TEST_F(ItemTableFileTest, NamesWhatIsWrongWithAFile) {
  EXPECT_THAT(ItemTable::Open(path_ + ".none", 16),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(path_)));
  EXPECT_THAT(ItemTable::Open(testing::TempDir(), 16),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("not a regular file")));
  EXPECT_THAT(OpenBytes(""),
              StatusIs(absl::StatusCode::kDataLoss,
                       AllOf(HasSubstr(path_), HasSubstr("has 0 bytes"))));
  EXPECT_THAT(OpenBytes("event_time,event_type" + std::string(100, ',')),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("not an item table")));
  EXPECT_THAT(
      OpenBytes(bytes_, 64),
      StatusIs(absl::StatusCode::kInvalidArgument,
               AllOf(HasSubstr("of 16 columns"), HasSubstr("dim: 64"))));
  ItemTableHeader newer = header_;
  newer.version = 2;
  EXPECT_THAT(OpenForged(newer, bytes_),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("version 2"), HasSubstr("version 1"))));
  EXPECT_THAT(OpenBytes(bytes_), IsOk());
}

TEST_F(ItemTableFileTest, NoticesEveryTruncationAndAppendix) {
  for (size_t size = 0; size < bytes_.size(); size += size < 200 ? 1 : 97) {
    ASSERT_FALSE(OpenBytes(bytes_.substr(0, size)).ok()) << size;
  }
  EXPECT_THAT(
      OpenBytes(bytes_ + "x"),
      StatusIs(absl::StatusCode::kDataLoss, HasSubstr("its header describes")));
}

TEST_F(ItemTableFileTest, NoticesEveryChangedByteOfTheHeader) {
  for (size_t at = 0; at < sizeof(ItemTableHeader); ++at) {
    for (const char flip : {'\x01', '\x80', '\xff'}) {
      std::string bytes = bytes_;
      bytes[at] = static_cast<char>(bytes[at] ^ flip);
      ASSERT_FALSE(OpenBytes(bytes).ok()) << "byte " << at;
    }
  }
}

TEST_F(ItemTableFileTest, NoticesChangedContents) {
  base::Rng rng(8);
  for (int i = 0; i < 200; ++i) {
    std::string bytes = bytes_;
    const size_t at = sizeof(ItemTableHeader) +
                      rng.Below(bytes.size() - sizeof(ItemTableHeader));
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    ASSERT_THAT(OpenBytes(bytes), StatusIs(absl::StatusCode::kDataLoss,
                                           HasSubstr("have checksum")))
        << "byte " << at;
  }
}

// Whatever counts a header claims, opening ends in a status.
TEST_F(ItemTableFileTest, SurvivesForgedCounts) {
  constexpr uint64_t kSeed = 21;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  base::Rng rng(kSeed);
  const uint64_t extremes[] = {0,
                               1,
                               2,
                               39,
                               41,
                               64,
                               1U << 16,
                               1U << 31,
                               UINT32_MAX,
                               uint64_t{1} << 32,
                               uint64_t{1} << 60,
                               uint64_t{1} << 63,
                               UINT64_MAX};
  for (int i = 0; i < 1000; ++i) {
    ItemTableHeader header = header_;
    uint64_t* const counts[] = {&header.rows, &header.items, &header.neighbours,
                                &header.index_slots};
    const uint64_t changes = 1 + rng.Below(3);
    for (uint64_t c = 0; c < changes; ++c) {
      const uint64_t value = extremes[rng.Below(std::size(extremes))];
      const uint64_t which = rng.Below(5);
      if (which == 4) {
        header.dim = static_cast<uint32_t>(value);
      } else {
        *counts[which] = value;
      }
    }
    header.header_crc = HeaderCrc(header);
    std::string bytes = bytes_;
    std::memcpy(bytes.data(), &header, sizeof(header));
    if (std::memcmp(&header, &header_, sizeof(header)) == 0) continue;
    ASSERT_FALSE(OpenBytes(bytes, 0).ok());
  }
}

TEST_F(ItemTableFileTest, RefusesForgedIndexesAndNumbers) {
  const ItemTableLayout layout(header_);
  const auto refused = [](const absl::Status& status, const char* reason) {
    EXPECT_THAT(status,
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr(reason)));
  };
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  refused(OpenWith(layout.index, uint32_t{40}), "names row 40 of 40");
  refused(OpenWith(layout.offsets, uint32_t{1'000'000}), "row 0 begin at");
  refused(OpenWith(layout.offsets + 40 * 4, uint32_t{0}), "row 40 begin at 0");
  refused(OpenWith(layout.neighbours, uint32_t{40}), "neighbour 0 is row 40");
  refused(OpenWith(layout.weights, kNan), "neighbour 0");
  refused(OpenWith(layout.weights, kInfinity), "weight 0 is inf");
  refused(OpenWith(layout.totals + 8, -1.0F), "total 2 is -1");
  refused(OpenWith(layout.biases, 0.5F), "popularity 0 is 0.5");
  refused(OpenWith(layout.biases + 40 * 4, -0.5F), "row 40 is no item");
  refused(OpenWith(layout.scales + 4, kNan), "scale 1 is nan");
  refused(OpenWith(layout.vectors, 3.0F), "vectors 0 is 3");
  refused(OpenWith(layout.projection, kInfinity), "projection 0 is inf");
  ItemTableHeader sharp = header_;
  sharp.beta = kNan;
  refused(OpenForged(sharp, bytes_), "beta is nan");
}

TEST_F(ItemTableFileTest, FindsNothingForeverInAFullIndex) {
  const ItemTableLayout layout(header_);
  std::string bytes = bytes_;
  for (uint64_t slot = 0; slot < header_.index_slots; ++slot) {
    const uint32_t row = 3;
    std::memcpy(bytes.data() + layout.index + slot * 4, &row, sizeof(row));
  }
  ASSERT_THAT(OpenForged(header_, bytes), IsOk());
  const auto table = ItemTable::Open(path_, 0);
  ASSERT_THAT(table, IsOk());
  EXPECT_EQ((*table)->Find(-1), std::nullopt);
  EXPECT_EQ((*table)->Find(shop_.ids[3]), 3U);
}

TEST_F(ItemTableFileTest, StaysWholeWhileItIsReplaced) {
  const auto old_table = ItemTable::Open(path_, 16);
  ASSERT_THAT(old_table, IsOk());
  ASSERT_THAT(
      WriteItemTable(path_, MakeShop({.seed = 2, .dim = 16, .items = 9})),
      IsOk());
  EXPECT_EQ((*old_table)->item(39), shop_.ids[39]);
  const auto new_table = ItemTable::Open(path_, 16);
  ASSERT_THAT(new_table, IsOk());
  EXPECT_EQ((*new_table)->items(), 9U);
}

}  // namespace
}  // namespace freshline::featurize
