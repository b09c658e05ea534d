// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "freshline/answer.h"
#include "google/protobuf/message.h"

namespace freshline::cli {

// Lines of cells, printed in columns as wide as their widest cell, two spaces
// apart, without trailing spaces. Width counts UTF-8 characters.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header);
  // REQUIRES: as many cells as the header has.
  void Add(std::vector<std::string> cells);
  void Print(std::ostream& out) const;
  bool empty() const { return lines_.size() == 1; }

 private:
  std::vector<std::vector<std::string>> lines_;  // the header first
};

// One line per feature and row: value, status, how obtained, events pending,
// how long before `now_us` it was computed. Then the events' results.
void PrintAnswer(const FeatureAnswer& answer, int64_t now_us,
                 std::ostream& out);

// One value as text: numbers shortest, strings quoted, lists and vectors by
// their first eight elements; "-" where there is none.
std::string ValueText(const FeatureView& feature, size_t row);

// "1.5 ms", "3.2 s", "4 min", "2.0 h", "3.1 d".
std::string DurationText(int64_t us);

// Every scalar field as "path.to.field  value", zeros too; every repeated
// message as a table of its own, with the fields of a message in it as columns
// "message.field" and a map as one.
void PrintFields(const google::protobuf::Message& message, std::ostream& out);

// The message as JSON with the wire's field names and a line break.
// Returns: INTERNAL where protobuf cannot.
absl::Status PrintJson(const google::protobuf::Message& message, bool pretty,
                       std::ostream& out);

}  // namespace freshline::cli
