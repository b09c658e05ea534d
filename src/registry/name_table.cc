// SPDX-License-Identifier: Apache-2.0
#include "registry/name_table.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "registry/nearest_name.h"

namespace freshline::registry {
namespace {

constexpr size_t kNameCharsMax = 64;

std::string Quote(absl::string_view text) {
  return absl::StrCat("\"", text.substr(0, kNameCharsMax + 1), "\"");
}

}  // namespace

bool IsName(absl::string_view name) {
  return !name.empty() && name.size() <= kNameCharsMax &&
         absl::ascii_islower(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_';
         });
}

void NameTable::Declare(const FieldPlace& place, const std::string& name,
                        Violations* violations) {
  const auto position = static_cast<uint32_t>(names_.size());
  names_.push_back(name);
  where_.push_back(place.Where());
  if (name.empty()) {
    place.Report(absl::StrCat("every ", kind_, " needs a name"), violations);
    return;
  }
  if (!IsName(name)) {
    place.Report(absl::StrCat(Quote(name),
                              " is not a name: use a lower-case letter, then "
                              "at most 63 of a-z, 0-9 and _"),
                 violations);
  }
  const auto [at, added] = index_.emplace(name, position);
  if (!added) {
    place.Report(
        absl::StrCat(kind_, " ", Quote(name), " is already defined at ",
                     where_[at->second], ": rename one of the two"),
        violations);
  }
}

std::optional<uint32_t> NameTable::Resolve(const FieldPlace& place,
                                           const std::string& name,
                                           Violations* violations) const {
  const auto at = index_.find(name);
  if (at != index_.end()) return at->second;
  if (name.empty()) {
    place.Report(absl::StrCat("is required: the name of a ", kind_),
                 violations);
  } else {
    place.Report(absl::StrCat("unknown ", kind_, " ", Quote(name),
                              SuggestName(name, names_)),
                 violations);
  }
  return std::nullopt;
}

}  // namespace freshline::registry
