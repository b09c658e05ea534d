// SPDX-License-Identifier: Apache-2.0
#include "registry/row_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "base/random.h"

namespace freshline::registry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// One feature's value as the test knows it; monostate: not set.
using Model = std::variant<std::monostate, int64_t, double, std::string,
                           std::vector<float>, std::vector<int64_t>,
                           std::vector<double>, std::vector<std::string>>;

bool IsAligned(const void* at) {
  return reinterpret_cast<uintptr_t>(at) % 8 == 0;
}

std::string RandomString(base::Rng* rng) {
  std::string s(rng->Below(20), '\0');
  for (char& c : s) c = static_cast<char>(rng->Below(256));
  return s;
}

template <typename T, typename Draw>
std::vector<T> RandomList(base::Rng* rng, Draw draw) {
  std::vector<T> list;
  for (uint64_t n = rng->Below(6); n > 0; --n) list.push_back(draw());
  return list;
}

ValueType RandomType(base::Rng* rng) {
  const auto scalar = static_cast<Scalar>(1 + rng->Below(5));
  switch (rng->Below(3)) {
    case 0:
      return ValueType::Of(scalar);
    case 1:
      return ValueType::ListOf(scalar);
    default:
      return ValueType::Vector(static_cast<uint32_t>(1 + rng->Below(9)));
  }
}

Model RandomScalar(base::Rng* rng, Scalar type) {
  if (type == Scalar::kFloat64) return rng->Normal();
  if (type == Scalar::kString) return RandomString(rng);
  if (type == Scalar::kBool) return static_cast<int64_t>(rng->Below(2));
  return static_cast<int64_t>(rng->Next());
}

Model RandomValue(base::Rng* rng, const ValueType& type) {
  if (rng->Chance(0.2)) return std::monostate{};
  if (type.shape == ValueType::Shape::kScalar) {
    return RandomScalar(rng, type.scalar);
  }
  if (type.shape == ValueType::Shape::kVector) {
    std::vector<float> floats(type.dim);
    for (float& f : floats) f = static_cast<float>(rng->Normal());
    return floats;
  }
  if (type.scalar == Scalar::kFloat64) {
    return RandomList<double>(rng, [&] { return rng->Normal(); });
  }
  if (type.scalar == Scalar::kString) {
    return RandomList<std::string>(rng, [&] { return RandomString(rng); });
  }
  return RandomList<int64_t>(rng,
                             [&] { return static_cast<int64_t>(rng->Next()); });
}

void Write(const Model& value, size_t i, RowWriter* row) {
  if (const auto* v = std::get_if<int64_t>(&value)) row->SetInt64(i, *v);
  if (const auto* v = std::get_if<double>(&value)) row->SetFloat64(i, *v);
  if (const auto* v = std::get_if<std::string>(&value)) row->SetString(i, *v);
  if (const auto* v = std::get_if<std::vector<float>>(&value)) {
    row->SetVector(i, *v);
  }
  if (const auto* v = std::get_if<std::vector<int64_t>>(&value)) {
    row->SetInt64List(i, *v);
  }
  if (const auto* v = std::get_if<std::vector<double>>(&value)) {
    row->SetFloat64List(i, *v);
  }
  if (const auto* v = std::get_if<std::vector<std::string>>(&value)) {
    row->SetStringList(i, std::vector<absl::string_view>(v->begin(), v->end()));
  }
}

template <typename T>
std::vector<T> Copy(std::span<const T> span) {
  EXPECT_TRUE(span.empty() || IsAligned(span.data()));
  return {span.begin(), span.end()};
}

Model Read(const RowView& row, size_t i, const ValueType& type) {
  if (!row.has_value(i)) return std::monostate{};
  if (type.shape == ValueType::Shape::kVector) return Copy(row.Vector(i));
  if (type.shape == ValueType::Shape::kScalar) {
    if (type.scalar == Scalar::kFloat64) return row.Float64(i);
    if (type.scalar == Scalar::kString) return std::string(row.String(i));
    return row.Int64(i);
  }
  if (type.scalar == Scalar::kFloat64) return Copy(row.Float64List(i));
  if (type.scalar == Scalar::kString) {
    std::vector<absl::string_view> views;
    row.AppendStringList(i, &views);
    return std::vector<std::string>(views.begin(), views.end());
  }
  return Copy(row.Int64List(i));
}

// Rows of random types, written in random order into one buffer, read back as
// they were written; every array is aligned for reading in place.
TEST(RowLayoutTest, ReadsBackWhatWasWritten) {
  RowBytes bytes;
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE(seed);
    base::Rng rng(seed);
    std::vector<ValueType> types(rng.Below(20));
    for (ValueType& type : types) type = RandomType(&rng);
    const RowLayout layout(types);
    std::vector<Model> values;
    std::vector<size_t> order;
    for (size_t i = 0; i < types.size(); ++i) {
      values.push_back(RandomValue(&rng, types[i]));
      order.insert(order.begin() + static_cast<int64_t>(rng.Below(i + 1)), i);
    }
    RowWriter writer(layout, &bytes);
    for (const size_t i : order) Write(values[i], i, &writer);
    EXPECT_EQ(bytes.size() % 8, 0u);
    const RowView row(layout, bytes);
    for (size_t i = 0; i < types.size(); ++i) {
      ASSERT_EQ(Read(row, i, types[i]), values[i]) << ToString(types[i]);
      ASSERT_EQ(row.status(i), values[i].index() == 0 ? ValueStatus::kNull
                                                      : ValueStatus::kPresent);
    }
  }
}

TEST(RowLayoutTest, SlotsFollowTheStatusesAndAreAligned) {
  const RowLayout layout({ValueType::Of(Scalar::kBool), ValueType::Vector(3),
                          ValueType::ListOf(Scalar::kInt64)});
  EXPECT_EQ(layout.slot(0), 8u);
  EXPECT_EQ(layout.slot(1), 16u);
  EXPECT_EQ(layout.slot(2), 32u);
  EXPECT_EQ(layout.fixed_bytes(), 40u);
}

TEST(RowLayoutTest, WritingForgetsTheRowBeforeAndReusesItsBuffer) {
  const RowLayout layout(
      {ValueType::Of(Scalar::kString), ValueType::ListOf(Scalar::kFloat64)});
  RowBytes bytes;
  RowWriter first(layout, &bytes);
  first.SetString(0, std::string(100, 'x'));
  first.SetFloat64List(1, std::vector<double>(50, 1.5));
  const std::byte* const buffer = bytes.data();
  const size_t capacity = bytes.capacity();

  RowWriter second(layout, &bytes);
  EXPECT_EQ(RowView(layout, bytes).status(1), ValueStatus::kNull);
  second.SetString(0, std::string(100, 'y'));
  EXPECT_EQ(bytes.data(), buffer);
  EXPECT_EQ(bytes.capacity(), capacity);
  EXPECT_EQ(RowView(layout, bytes).String(0), std::string(100, 'y'));
  EXPECT_FALSE(RowView(layout, bytes).has_value(1));
}

TEST(RowLayoutTest, StatusesSayWhetherThereIsAValue) {
  const RowLayout layout({ValueType::Of(Scalar::kInt64)});
  RowBytes bytes;
  RowWriter writer(layout, &bytes);
  writer.SetInt64(0, 7);
  const RowView row(layout, bytes);
  for (const ValueStatus status :
       {ValueStatus::kPresent, ValueStatus::kDefaulted,
        ValueStatus::kOutsideMaxAge, ValueStatus::kTruncated}) {
    writer.SetStatus(0, status);
    EXPECT_TRUE(row.has_value(0));
    EXPECT_EQ(row.Int64(0), 7);
  }
  for (const ValueStatus status :
       {ValueStatus::kNull, ValueStatus::kNotFound, ValueStatus::kError}) {
    writer.SetStatus(0, status);
    EXPECT_FALSE(row.has_value(0));
  }
}

TEST(RowLayoutTest, VectorsAreFilledInPlace) {
  const RowLayout layout({ValueType::Vector(3)});
  RowBytes bytes;
  RowWriter writer(layout, &bytes);
  const auto floats = writer.MutableVector(0);
  EXPECT_THAT(floats, ElementsAre(0, 0, 0));
  floats[2] = 2.5f;
  EXPECT_THAT(RowView(layout, bytes).Vector(0), ElementsAre(0, 0, 2.5f));
}

TEST(RowLayoutTest, EmptyStringsAndListsArePresent) {
  const RowLayout layout({ValueType::Of(Scalar::kString),
                          ValueType::ListOf(Scalar::kString),
                          ValueType::ListOf(Scalar::kInt64)});
  RowBytes bytes;
  RowWriter writer(layout, &bytes);
  writer.SetString(0, "");
  writer.SetStringList(1, {});
  writer.SetInt64List(2, {});
  const RowView row(layout, bytes);
  std::vector<absl::string_view> strings;
  row.AppendStringList(1, &strings);
  EXPECT_TRUE(row.has_value(0) && row.has_value(1) && row.has_value(2));
  EXPECT_EQ(row.String(0), "");
  EXPECT_THAT(strings, IsEmpty());
  EXPECT_THAT(row.Int64List(2), IsEmpty());
}

TEST(RowLayoutTest, BoolsAreZeroOrOne) {
  const RowLayout layout(
      {ValueType::Of(Scalar::kBool), ValueType::Of(Scalar::kBool)});
  RowBytes bytes;
  RowWriter writer(layout, &bytes);
  writer.SetBool(0, true);
  writer.SetBool(1, false);
  EXPECT_TRUE(RowView(layout, bytes).Bool(0));
  EXPECT_FALSE(RowView(layout, bytes).Bool(1));
}

TEST(RowLayoutTest, AProjectionKeepsWhatIsWanted) {
  const RowLayout layout(
      {ValueType::Of(Scalar::kInt64), ValueType::Of(Scalar::kString),
       ValueType::ListOf(Scalar::kString), ValueType::Vector(3),
       ValueType::ListOf(Scalar::kFloat64), ValueType::Of(Scalar::kString)});
  RowBytes row;
  RowWriter writer(layout, &row);
  writer.SetInt64(0, -7);
  writer.SetString(1, std::string(1000, 'x'));
  const absl::string_view texts[] = {"one", "", "three"};
  writer.SetStringList(2, texts);
  const float floats[] = {1, 2, 3};
  writer.SetVector(3, floats);
  const double doubles[] = {.5, .25};
  writer.SetFloat64List(4, doubles);
  writer.SetStatus(4, ValueStatus::kTruncated);
  writer.SetString(5, "");

  RowBytes out;
  ProjectRow(layout, row, {true, false, true, true, true, true}, &out);
  const RowView view(layout, out);
  EXPECT_EQ(view.Int64(0), -7);
  EXPECT_EQ(view.status(1), ValueStatus::kNull);
  std::vector<absl::string_view> got;
  view.AppendStringList(2, &got);
  EXPECT_THAT(got, ElementsAre("one", "", "three"));
  EXPECT_THAT(view.Vector(3), ElementsAre(1, 2, 3));
  EXPECT_THAT(view.Float64List(4), ElementsAre(.5, .25));
  EXPECT_TRUE(IsAligned(view.Float64List(4).data()));
  EXPECT_EQ(view.status(4), ValueStatus::kTruncated);
  EXPECT_EQ(view.String(5), "");
  EXPECT_EQ(view.status(5), ValueStatus::kPresent);
  EXPECT_LT(out.size(), row.size() - 999);
}

}  // namespace
}  // namespace freshline::registry
