// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <limits>
#include <regex>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "daemon/config/config.h"
#include "daemon/daemon.h"
#include "freshline/config/v1/daemon.pb.h"
#include "tests/support/status_matchers.h"

// What the configuration takes, the daemon starts with: no room below refuses
// it later, under a name and with a limit of its own.

namespace freshline::daemon {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

absl::StatusOr<DaemonConfig> Parse(const std::string& setting) {
  return ParseConfig(
      absl::StrCat("listen: '127.0.0.1:0' definitions: '", FRESHLINE_CONFIG_DIR,
                   "/fraud.textproto'\n", setting),
      "test.textproto", 2);
}

struct Setting {
  std::string section;
  const FieldDescriptor* field;

  std::string Text(absl::string_view value) const {
    return absl::StrCat(section, " { ", field->name(), ": ", value, " }");
  }
};

// Every setting of one message of the configuration.
std::vector<Setting> AllSettings() {
  std::vector<Setting> all;
  const Descriptor& daemon = *config::v1::Daemon::descriptor();
  for (int i = 0; i < daemon.field_count(); ++i) {
    if (daemon.field(i)->message_type() == nullptr) continue;
    const Descriptor& section = *daemon.field(i)->message_type();
    for (int f = 0; f < section.field_count(); ++f) {
      all.push_back({daemon.field(i)->name(), section.field(f)});
    }
  }
  return all;
}

uint64_t LargestOf(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
      return std::numeric_limits<uint32_t>::max();
    case FieldDescriptor::CPPTYPE_INT64:
      return std::numeric_limits<int64_t>::max();
    default:
      return std::numeric_limits<uint64_t>::max();
  }
}

// Both ends of a number's range, as the refusal of what lies beyond tells it.
std::vector<std::string> EndsOf(const Setting& setting) {
  const uint64_t largest = LargestOf(*setting.field);
  for (const uint64_t value : {uint64_t{0}, largest}) {
    const auto config = Parse(setting.Text(absl::StrCat(value)));
    if (config.ok()) continue;
    std::smatch range;
    const std::string text(config.status().message());
    if (std::regex_search(text, range,
                          std::regex("must be (\\d+) to (\\d+)"))) {
      return {range[1], range[2]};
    }
    ADD_FAILURE() << "no range in: " << text;
  }
  return {"0", absl::StrCat(largest)};
}

std::vector<std::string> ValuesOf(const Setting& setting) {
  switch (setting.field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return {"false", "true"};
    case FieldDescriptor::CPPTYPE_ENUM: {
      std::vector<std::string> names;
      for (int i = 0; i < setting.field->enum_type()->value_count(); ++i) {
        names.push_back(setting.field->enum_type()->value(i)->name());
      }
      return names;
    }
    case FieldDescriptor::CPPTYPE_STRING:
      return {"''"};
    default:
      return EndsOf(setting);
  }
}

TEST(EverySettingTest, StartsAtBothEndsOfItsRange) {
  spdlog::set_level(spdlog::level::off);
  const std::vector<Setting> settings = AllSettings();
  ASSERT_GT(settings.size(), 35U);
  for (const Setting& setting : settings) {
    for (const std::string& value : ValuesOf(setting)) {
      const std::string text = setting.Text(value);
      SCOPED_TRACE(text);
      const auto config = Parse(text);
      ASSERT_THAT(config, test::IsOk());
      EXPECT_THAT(CheckConfig(*config), test::IsOk());
      EXPECT_THAT(Daemon::Start(*config), test::IsOk());
    }
  }
}

}  // namespace
}  // namespace freshline::daemon
