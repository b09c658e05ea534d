// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace freshline::bench {

// Strings by small number: a trace names few brands and categories, often.
// 0 is the empty string. Not thread-safe.
class StringPool {
 public:
  StringPool() { Intern(""); }
  StringPool(const StringPool&) = delete;
  StringPool& operator=(const StringPool&) = delete;

  uint32_t Intern(absl::string_view text) {
    const auto it = index_.find(text);
    if (it != index_.end()) return it->second;
    const auto id = static_cast<uint32_t>(texts_.size());
    texts_.emplace_back(text.data(), text.size());
    index_.emplace(texts_.back(), id);
    return id;
  }
  const std::string& text(uint32_t id) const { return texts_[id]; }
  size_t size() const { return texts_.size(); }

 private:
  std::deque<std::string> texts_;  // keeps addresses, which index_ views
  absl::flat_hash_map<absl::string_view, uint32_t> index_;
};

enum class ClickType : uint8_t { kView, kCart, kPurchase, kOther };

// One row of a click trace.
struct Click {
  int64_t time_us = 0;  // Unix microseconds
  int64_t user = 0;
  int64_t item = 0;
  int64_t category = 0;
  uint64_t session = 0;  // hash of its name
  double price = 0;
  uint32_t category_code = 0;  // in the pool of the reader
  uint32_t brand = 0;          // "
  ClickType type = ClickType::kView;
};

// "view", "cart", "purchase", "other".
absl::string_view ClickTypeName(ClickType type);

}  // namespace freshline::bench
