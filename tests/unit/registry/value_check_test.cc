// SPDX-License-Identifier: Apache-2.0
#include "registry/value_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/text_format.h"
#include "registry/validate.h"

namespace freshline::registry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

freshline::v1::Value Value(const std::string& text) {
  freshline::v1::Value value;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &value));
  return value;
}

FieldPlace Place() {
  return FieldPlace::Root("f", freshline::v1::Value::descriptor(), nullptr);
}

std::string DefaultRefusal(const std::string& text, const ValueType& type) {
  Violations violations;
  const bool right = CheckDefault(Place(), Value(text), type, &violations);
  EXPECT_EQ(right, violations.empty());
  return std::string(violations.ToStatus().message());
}

// A one-feature row with the default in it.
RowBytes DefaultRow(const std::string& text, const RowLayout& layout) {
  EXPECT_EQ(DefaultRefusal(text, layout.type(0)), "");
  RowBytes bytes;
  RowWriter writer(layout, &bytes);
  WriteDefault(Value(text), layout.type(0), 0, &writer);
  EXPECT_EQ(RowView(layout, bytes).status(0), ValueStatus::kDefaulted);
  return bytes;
}

TEST(ValueCheckTest, ScalarDefaultsAreWritten) {
  const RowLayout b({ValueType::Of(Scalar::kBool)});
  EXPECT_TRUE(RowView(b, DefaultRow("bool: true", b)).Bool(0));
  const RowLayout i({ValueType::Of(Scalar::kInt64)});
  EXPECT_EQ(RowView(i, DefaultRow("int64: -3", i)).Int64(0), -3);
  const RowLayout f({ValueType::Of(Scalar::kFloat64)});
  EXPECT_EQ(RowView(f, DefaultRow("float64: 0.5", f)).Float64(0), 0.5);
  const RowLayout s({ValueType::Of(Scalar::kString)});
  const RowBytes row = DefaultRow("string: 'none'", s);
  EXPECT_EQ(RowView(s, row).String(0), "none");
  const RowLayout t({ValueType::Of(Scalar::kTimestamp)});
  EXPECT_EQ(RowView(t, DefaultRow("timestamp_us: 9", t)).Int64(0), 9);
}

TEST(ValueCheckTest, ListAndVectorDefaultsAreWritten) {
  const RowLayout b({ValueType::ListOf(Scalar::kBool)});
  RowBytes row = DefaultRow("list { bools { values: [true, false] } }", b);
  EXPECT_THAT(RowView(b, row).Int64List(0), ElementsAre(1, 0));
  const RowLayout i({ValueType::ListOf(Scalar::kInt64)});
  row = DefaultRow("list { int64s { values: [1, 2] } }", i);
  EXPECT_THAT(RowView(i, row).Int64List(0), ElementsAre(1, 2));
  row = DefaultRow("list {}", i);
  EXPECT_TRUE(RowView(i, row).Int64List(0).empty());
  const RowLayout t({ValueType::ListOf(Scalar::kTimestamp)});
  row = DefaultRow("list { timestamps_us { values: 5 } }", t);
  EXPECT_THAT(RowView(t, row).Int64List(0), ElementsAre(5));
  const RowLayout f({ValueType::ListOf(Scalar::kFloat64)});
  row = DefaultRow("list { float64s { values: [1, 2.5] } }", f);
  EXPECT_THAT(RowView(f, row).Float64List(0), ElementsAre(1, 2.5));
  const RowLayout s({ValueType::ListOf(Scalar::kString)});
  row = DefaultRow("list { strings { values: ['x', ''] } }", s);
  std::vector<absl::string_view> strings;
  RowView(s, row).AppendStringList(0, &strings);
  EXPECT_THAT(strings, ElementsAre("x", ""));
  const RowLayout v({ValueType::Vector(2)});
  row = DefaultRow("vector { dim: 2 values: [1, 0.5] }", v);
  EXPECT_THAT(RowView(v, row).Vector(0), ElementsAre(1, 0.5f));
}

TEST(ValueCheckTest, DefaultsOfAnotherTypeAreRefused) {
  EXPECT_EQ(DefaultRefusal("int64: 1", ValueType::Of(Scalar::kFloat64)),
            "f: is int64, but the type is FLOAT64: write { float64: ... }");
  EXPECT_EQ(DefaultRefusal("int64: 1", ValueType::ListOf(Scalar::kInt64)),
            "f: is int64, but the type is list of INT64: write { list: ... }");
  EXPECT_EQ(DefaultRefusal("list { int64s {} }",
                           ValueType::ListOf(Scalar::kTimestamp)),
            "f: list: is int64s, but the type is list of TIMESTAMP: write { "
            "timestamps_us: ... }");
  EXPECT_EQ(DefaultRefusal("", ValueType::Of(Scalar::kBool)),
            "f: has no value, but the type is BOOL: write { bool: ... }");
  EXPECT_EQ(DefaultRefusal("float64: 1", ValueType::Vector(3)),
            "f: is float64, but the type is vector of 3: write { vector: ... "
            "}");
}

TEST(ValueCheckTest, VectorsHaveTheDeclaredDimension) {
  const ValueType type = ValueType::Vector(2);
  EXPECT_EQ(DefaultRefusal("vector { dim: 3 values: [1, 2, 3] }", type),
            "f: vector.dim: is 3, but the type is vector of 2");
  EXPECT_EQ(DefaultRefusal("vector { dim: 2 values: 1 }", type),
            "f: vector: has 1 values, but the type is vector of 2");
}

TEST(ValueCheckTest, NumbersAreFinite) {
  EXPECT_THAT(DefaultRefusal("float64: inf", ValueType::Of(Scalar::kFloat64)),
              HasSubstr("is inf: it must be finite"));
  EXPECT_THAT(DefaultRefusal("list { float64s { values: [0, nan] } }",
                             ValueType::ListOf(Scalar::kFloat64)),
              HasSubstr("element 1 is nan"));
  EXPECT_THAT(
      DefaultRefusal("vector { dim: 1 values: -inf }", ValueType::Vector(1)),
      HasSubstr("element 0 is -inf"));
}

TEST(ValueCheckTest, DefaultsAreBounded) {
  std::string list = "list { int64s {";
  for (int i = 0; i < 1001; ++i) list += " values: 1";
  EXPECT_THAT(DefaultRefusal(list + " } }", ValueType::ListOf(Scalar::kInt64)),
              HasSubstr("has 1001 elements; at most 1000"));
  const std::string longer(kDefaultStringBytesMax + 1, 'x');
  EXPECT_THAT(DefaultRefusal(absl::StrCat("string: '", longer, "'"),
                             ValueType::Of(Scalar::kString)),
              HasSubstr("has 4097 bytes; at most 4096"));
  EXPECT_THAT(DefaultRefusal(
                  absl::StrCat("list { strings { values: '", longer, "' } }"),
                  ValueType::ListOf(Scalar::kString)),
              HasSubstr("an element has 4097 bytes; at most 4096"));
}

TEST(ValueCheckTest, OperandsAreReadAsTheirColumn) {
  Violations violations;
  const auto read = [&](const std::string& text, Scalar type) {
    const auto operand = ReadOperand(Place(), Value(text), type, &violations);
    EXPECT_TRUE(operand.has_value()) << text;
    return operand.value_or(ScalarValue{}).value;
  };
  using Variant = std::variant<int64_t, double, std::string>;
  EXPECT_EQ(read("bool: true", Scalar::kBool), Variant(int64_t{1}));
  EXPECT_EQ(read("int64: 5", Scalar::kInt64), Variant(int64_t{5}));
  EXPECT_EQ(read("int64: 5", Scalar::kFloat64), Variant(5.0));
  EXPECT_EQ(read("float64: 0.5", Scalar::kFloat64), Variant(0.5));
  EXPECT_EQ(read("string: 'x'", Scalar::kString), Variant(std::string("x")));
  EXPECT_EQ(read("timestamp_us: 7", Scalar::kTimestamp), Variant(int64_t{7}));
  EXPECT_TRUE(violations.empty());
  EXPECT_EQ(
      ReadOperand(Place(), Value("float64: 1"), Scalar::kInt64, &violations)
          .has_value(),
      false);
  EXPECT_EQ(violations.size(), 1u);
}

}  // namespace
}  // namespace freshline::registry
