// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "google/protobuf/text_format.h"

// Text protobuf with positions: the parser's errors and our own violations are
// reported in one list, each as "file:line:column: message".

namespace freshline::registry {

// What is wrong with a set of files: every violation, in the order found.
// Bounded: those beyond kReportedMax are counted only. Not thread-safe.
class Violations {
 public:
  static constexpr size_t kReportedMax = 100;

  // `where` is "file:line:column", or as much of it as is known; empty where
  // the message says it.
  void Add(absl::string_view where, absl::string_view message);

  size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }

  // Returns: OK when empty, else INVALID_ARGUMENT with one violation per line.
  absl::Status ToStatus() const;

 private:
  std::vector<std::string> lines_;
  size_t count_ = 0;
};

using LocationTree = google::protobuf::TextFormat::ParseInfoTree;

// A field of a parsed message: where it stands in its file, and its path as in
// "feature_group[1].feature[0].aggregate.over". A view of the names and of the
// location tree given to Root(), which outlive it.
class FieldPlace {
 public:
  // The whole message. `locations` is null for one that no text was parsed
  // for: then places are the file and the path alone.
  static FieldPlace Root(absl::string_view file,
                         const google::protobuf::Descriptor* message,
                         const LocationTree* locations);

  // The place of a field of this message. A field that was not written stands
  // where this message does. REQUIRES: the message has such a field; `index`
  // for the repeated ones.
  FieldPlace Field(absl::string_view name) const { return Field(name, -1); }
  FieldPlace Field(absl::string_view name, int index) const;

  // "file:line:column", or the file alone.
  std::string Where() const;
  const std::string& path() const { return path_; }

  // Reports "<where>: <path>: <message>".
  void Report(absl::string_view message, Violations* violations) const;

 private:
  absl::string_view file_;
  const google::protobuf::Descriptor* descriptor_ = nullptr;
  const LocationTree* locations_ = nullptr;
  std::string path_;
  int line_ = -1;  // from 0; -1: unknown
  int column_ = -1;
};

// Largest text that is read or parsed.
inline constexpr size_t kTextBytesMax = size_t{8} << 20;

// Reads a file whole.
// Returns: NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT when it is larger
// than kTextBytesMax or no regular file; each names the path.
absl::StatusOr<std::string> ReadTextFile(const std::string& path);

// Parses `text` into `message`, which it clears first, and the location of
// each field into `locations`. Every error that the parser finds is reported;
// an unknown field is an error, with the nearest name, and so is text that is
// no UTF-8. Returns: whether `message` holds all but the unknown fields, so
// that looking for further violations makes sense. It may be true with
// violations reported.
bool ParseTextproto(absl::string_view text, absl::string_view file,
                    google::protobuf::Message* message, LocationTree* locations,
                    Violations* violations);

}  // namespace freshline::registry
