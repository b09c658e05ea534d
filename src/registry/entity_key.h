// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace freshline::registry {

// Builds the canonical bytes of one entity's join keys, in declared order:
// equal keys have equal bytes and no two keys share them. INT64 is 8 bytes
// little-endian, STRING is its length as 4 bytes and its bytes.
class EntityKeyBuilder {
 public:
  void Clear() { bytes_.clear(); }
  void AddInt64(int64_t value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  void AddString(absl::string_view value) {
    const auto size = static_cast<uint32_t>(value.size());
    bytes_.append(reinterpret_cast<const char*>(&size), sizeof(size));
    bytes_.append(value.data(), value.size());
  }
  absl::string_view bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace freshline::registry
