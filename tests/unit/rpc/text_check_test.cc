// SPDX-License-Identifier: Apache-2.0
#include "rpc/text_check.h"

#include <gmock/gmock.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <string>

#include "base/random.h"
#include "freshline/v1/feature_store.pb.h"

namespace freshline::rpc {
namespace {

using google::protobuf::io::ArrayInputStream;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// `piece` bytes at a time, as a message comes in slices.
TextCheck::Finding Check(const std::string& bytes, int piece = -1) {
  static const TextCheck text_check(v1::GetFeaturesRequest::descriptor());
  ArrayInputStream input(bytes.data(), static_cast<int>(bytes.size()), piece);
  return text_check.Check(&input);
}

bool Passes(const TextCheck::Finding& found) {
  return found.error.empty() && found.well_formed;
}

int lines_logged = 0;

// What the parser logs is counted, and goes nowhere.
class TextCheckTest : public ::testing::Test {
 protected:
  TextCheckTest()
      : before_(google::protobuf::SetLogHandler(
            [](google::protobuf::LogLevel, const char*, int,
               const std::string&) { ++lines_logged; })) {}
  ~TextCheckTest() override { google::protobuf::SetLogHandler(before_); }

  static v1::GetFeaturesRequest Full() {
    v1::GetFeaturesRequest request;
    request.set_feature_service("service");
    request.add_features("group:a");
    request.add_features("group:b");
    request.set_request_id("request");
    request.set_budget_us(-1);
    request.set_overhead_us(7);
    request.mutable_freshness()->set_max_pending(3);
    for (const char* name : {"first", "second"}) {
      auto* column = request.add_entities();
      column->set_name(name);
      auto* strings = column->mutable_values()->mutable_strings();
      strings->add_values("");
      strings->add_values("tab\tand nul");
      strings->add_values("caf\xc3\xa9 of a length that is looked at by words");
    }
    auto* batch = request.add_events();
    batch->set_source("clicks");
    batch->set_producer_id("producer");
    batch->add_event_time_us(1'704'067'200'000'000);
    batch->add_producer_sequence(1);
    auto* price = batch->add_columns();
    price->set_name("price");
    price->mutable_values()->mutable_float64s()->add_values(-1.5);
    auto* nested = batch->add_columns();
    nested->set_name("nested");
    nested->add_null_rows(0);
    nested->mutable_values()
        ->mutable_lists()
        ->mutable_elements()
        ->mutable_strings()
        ->add_values("deep");
    return request;
  }

  google::protobuf::LogHandler* const before_;
};

TEST_F(TextCheckTest, TextThatIsUtf8Passes) {
  const std::string bytes = Full().SerializeAsString();
  EXPECT_TRUE(Passes(Check(bytes)));
  for (int piece = 1; piece < 40; ++piece) {
    EXPECT_TRUE(Passes(Check(bytes, piece))) << piece;
  }
  EXPECT_TRUE(Passes(Check("")));
}

TEST_F(TextCheckTest, EveryTextFieldIsNamed) {
  const struct {
    const char* text;
    const char* path;
  } cases[] = {
      {"service", "feature_service: "},
      {"group:b", "features[1]: "},
      {"request", "request_id: "},
      {"second", "entities[1].name: "},
      {"tab\tand nul", "entities[0].values.strings.values[1]: "},
      {"by words", "entities[0].values.strings.values[2]: "},
      {"clicks", "events[0].source: "},
      {"producer", "events[0].producer_id: "},
      {"price", "events[0].columns[0].name: "},
      {"deep", "events[0].columns[1].values.lists.elements.strings.values[0]"},
  };
  for (const auto& c : cases) {
    std::string bytes = Full().SerializeAsString();
    const size_t at = bytes.find(c.text);
    ASSERT_NE(at, std::string::npos) << c.text;
    bytes[at + 1] = '\xff';
    for (const int piece : {-1, 1, 5}) {
      const std::string error = Check(bytes, piece).error;
      EXPECT_THAT(error, AllOf(StartsWith(c.path), HasSubstr("\\377"),
                               HasSubstr("is no UTF-8")));
    }
  }
}

TEST_F(TextCheckTest, FieldsThatTheSchemaDoesNotKnowMayHoldAnything) {
  // Field 15: bytes, and a group with bytes in it.
  const std::string unknown("\x7a\x02\xff\xfe\x7b\x0a\x01\xff\x7c", 9);
  EXPECT_TRUE(Passes(Check(unknown)));
  EXPECT_TRUE(v1::GetFeaturesRequest().ParseFromString(unknown));
  // What comes behind a group is looked at.
  EXPECT_THAT(Check(unknown + "\x0a\x01\xff").error,
              StartsWith("feature_service: "));
}

TEST_F(TextCheckTest, BytesThatAreNoMessageAreKnown) {
  for (const std::string& bytes :
       {std::string("\xff"),
        std::string("\x0a\x05"
                    "abc"),
        std::string("\x7b\x0a\x01\xff"), std::string("\x7c"),
        std::string("\x00\x0a\x01\xff", 4), std::string("\x0e"),
        std::string(500, '\x7b')}) {
    EXPECT_FALSE(Check(bytes).well_formed);
    EXPECT_FALSE(v1::GetFeaturesRequest().ParseFromString(bytes));
  }
}

// What the check lets through makes the parser log nothing, and what the
// parser takes the check takes.
TEST_F(TextCheckTest, AgreesWithTheParser) {
  const std::string whole = Full().SerializeAsString();
  base::Rng rng(3);
  int refused = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string bytes = whole;
    for (uint64_t n = 1 + rng.Below(3); n > 0; --n) {
      bytes[rng.Below(bytes.size())] = static_cast<char>(rng.Next());
    }
    if (rng.Chance(.1)) bytes.resize(rng.Below(bytes.size()));
    const TextCheck::Finding found = Check(bytes);
    lines_logged = 0;
    const bool parsed = v1::GetFeaturesRequest().ParseFromString(bytes);
    if (Passes(found)) {
      ASSERT_EQ(lines_logged, 0) << "round " << round;
    } else {
      ASSERT_FALSE(parsed) << "round " << round;
    }
    refused += found.error.empty() ? 0 : 1;
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace freshline::rpc
