// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "registry/textproto.h"

namespace freshline::registry {

// Whether `name` matches [a-z][a-z0-9_]{0,63}.
bool IsName(absl::string_view name);

// The names declared of one kind of thing, in order. An invalid or repeated
// name still takes a position, so that positions are those of the
// declarations. Not thread-safe; used while validating only.
class NameTable {
 public:
  // `kind` is what messages call a thing: "source".
  explicit NameTable(absl::string_view kind) : kind_(kind) {}

  // Declares the next name. Reports it where it is no name, or declared
  // before. `place` is that of the field that holds it.
  void Declare(const FieldPlace& place, const std::string& name,
               Violations* violations);

  // The position of `name`, or nullopt, reported at `place`, where it is empty
  // or unknown.
  std::optional<uint32_t> Resolve(const FieldPlace& place,
                                  const std::string& name,
                                  Violations* violations) const;

  const std::vector<std::string>& names() const { return names_; }
  const absl::flat_hash_map<std::string, uint32_t>& index() const {
    return index_;
  }

 private:
  std::string kind_;
  std::vector<std::string> names_;
  std::vector<std::string> where_;  // by position
  absl::flat_hash_map<std::string, uint32_t> index_;
};

}  // namespace freshline::registry
