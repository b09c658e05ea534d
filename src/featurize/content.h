// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/strings/string_view.h"

namespace freshline::featurize {

// What is known of an item that nobody has clicked yet.
struct ItemAttributes {
  int64_t category = 0;
  absl::string_view brand;      // empty: none
  std::optional<double> price;  // absent or not positive: unknown
};

// Random projections that place an item by its attributes: equal category and
// brand give near vectors, and nearer ones the closer the log prices are
// (random Fourier features; Rahimi & Recht 2007). A view.
struct ContentProjection {
  uint64_t hash_seed = 0;
  size_t columns = 0;
  const float* frequency_category = nullptr;  // [columns], N(0,1)
  const float* phase_category = nullptr;      // [columns], U(0, 2 pi)
  const float* frequency_brand = nullptr;     // "
  const float* phase_brand = nullptr;         // "
};

// The four arrays of a projection, one after the other: [4 x columns].
std::vector<float> DrawProjection(size_t columns, uint64_t seed);
ContentProjection ViewProjection(std::span<const float> arrays,
                                 uint64_t hash_seed);

// Writes the vector, not of unit length, into out[0, columns):
//   (s_c + s_b + s_c cos(w lp / .3 + p) / sqrt 2
//              + s_b cos(w' lp / .2 + p') / sqrt 2) / sqrt columns
// with signs s_c, s_b by hash of the category, of (category, brand), and lp the
// log price; without a price the cosines are left out. The same bits in every
// process of one C library. Cost: 1 to 3 us for 63 columns.
void EncodeContent(const ContentProjection& projection,
                   const ItemAttributes& item, float* out);

// Scales to unit length. Returns: false, and leaves it, for a zero vector.
bool Normalise(std::span<float> vector);

}  // namespace freshline::featurize
