// SPDX-License-Identifier: Apache-2.0
#include "serve/repeated_rows.h"

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "registry/entity_key.h"

namespace freshline::serve {

std::vector<uint32_t> FirstRowsOfKeys(const ingest::KeyExtractor& keys,
                                      uint32_t rows) {
  if (rows < 2 || keys.shared()) return {};
  std::vector<uint32_t> first(rows);
  bool repeated = false;
  absl::flat_hash_map<size_t, uint32_t> by_hash;
  by_hash.reserve(rows);
  registry::EntityKeyBuilder builder;
  registry::EntityKeyBuilder other;
  for (uint32_t row = 0; row < rows; ++row) {
    const absl::string_view key = keys.Key(row, &builder);
    const auto [it, is_new] = by_hash.emplace(absl::HashOf(key), row);
    first[row] = row;
    // Two keys of one hash count as different: each is then computed.
    if (is_new || keys.Key(it->second, &other) != key) continue;
    first[row] = it->second;
    repeated = true;
  }
  if (!repeated) first.clear();
  return first;
}

}  // namespace freshline::serve
