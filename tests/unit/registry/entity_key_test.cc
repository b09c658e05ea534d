// SPDX-License-Identifier: Apache-2.0
#include "registry/entity_key.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>

#include "base/random.h"

namespace freshline::registry {
namespace {

TEST(EntityKeyTest, ClearForgetsTheKeyBefore) {
  EntityKeyBuilder builder;
  builder.AddString("x");
  builder.Clear();
  builder.AddInt64(1);
  EXPECT_EQ(builder.bytes(), absl::string_view("\1\0\0\0\0\0\0\0", 8));
}

// Short strings over two letters, so that concatenations collide wherever the
// encoding would let them.
TEST(EntityKeyTest, DifferentKeysHaveDifferentBytes) {
  constexpr uint64_t kSeed = 11;
  SCOPED_TRACE(kSeed);
  base::Rng rng(kSeed);
  std::map<std::string, std::pair<std::string, std::string>> seen;
  for (int i = 0; i < 20'000; ++i) {
    std::pair<std::string, std::string> key;
    for (std::string* part : {&key.first, &key.second}) {
      for (uint64_t n = rng.Below(6); n > 0; --n) {
        part->push_back(rng.Chance(0.5) ? 'a' : '\0');
      }
    }
    EntityKeyBuilder builder;
    builder.AddString(key.first);
    builder.AddString(key.second);
    const auto [at, added] = seen.emplace(std::string(builder.bytes()), key);
    ASSERT_EQ(at->second, key);
  }
  EXPECT_GT(seen.size(), 1000u);
}

}  // namespace
}  // namespace freshline::registry
