// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "freshline/client.h"
#include "freshline/v1/operations.pb.h"
#include "freshline/v1/types.pb.h"

namespace freshline::cli {

struct SchemaColumn {
  std::string name;
  v1::ScalarType type = v1::SCALAR_TYPE_UNSPECIFIED;
  bool key = false;  // a join key of the source's entity
};

struct SchemaSource {
  std::string name;
  std::vector<SchemaColumn> columns;  // the join keys first
  std::string retention;              // as definitions write durations
  std::string allowed_lateness;

  // nullptr where there is none of that name.
  const SchemaColumn* Find(absl::string_view column) const;
};

// What the daemon takes: by it the command reads values whose type is not
// written beside them, from files and from its arguments.
class Schema {
 public:
  explicit Schema(const v1::GetSchemaResponse& response);

  // Asks the daemon.
  // Returns: the client's errors; FAILED_PRECONDITION where the daemon is too
  // old to tell.
  static absl::StatusOr<Schema> Ask(Client& client);

  // Returns: NOT_FOUND naming the sources that there are.
  absl::StatusOr<const SchemaSource*> GetSource(absl::string_view name) const;

  // The type of a join key; nullopt where entities declare it differently.
  // Returns: NOT_FOUND naming the join keys that there are.
  absl::StatusOr<std::optional<v1::ScalarType>> KeyType(
      absl::string_view join_key) const;

  // Of one request; 0 where the daemon does not say.
  uint32_t request_bytes_max() const { return request_bytes_max_; }
  uint32_t events_per_request_max() const { return events_per_request_max_; }

 private:
  struct Key {
    std::string name;
    std::optional<v1::ScalarType> type;
  };
  std::vector<Key> keys_;
  std::vector<SchemaSource> sources_;
  uint32_t request_bytes_max_ = 0;
  uint32_t events_per_request_max_ = 0;
};

}  // namespace freshline::cli
