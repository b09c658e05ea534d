// SPDX-License-Identifier: Apache-2.0
#include "featurize/content.h"

#include <cmath>
#include <numbers>

#include "base/random.h"

namespace freshline::featurize {
namespace {

constexpr float kPriceReachCategory = 0.3F;  // in log price
constexpr float kPriceReachBrand = 0.2F;
constexpr float kHalfRoot2 = std::numbers::sqrt2_v<float> / 2;

uint64_t HashText(absl::string_view text, uint64_t seed) {
  uint64_t hash = seed ^ 0xcbf29ce484222325ULL;  // FNV-1a
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  return base::MixBits(hash);
}

// A stream of signs: 64 columns per word.
class Signs {
 public:
  explicit Signs(uint64_t seed) : seed_(seed) {}
  float Next() {
    if (left_ == 0) {
      bits_ = base::MixBits(seed_ + words_++);
      left_ = 64;
    }
    --left_;
    const bool negative = (bits_ & 1) != 0;
    bits_ >>= 1;
    return negative ? -1.0F : 1.0F;
  }

 private:
  uint64_t seed_;
  uint64_t words_ = 0;
  uint64_t bits_ = 0;
  int left_ = 0;
};

}  // namespace

std::vector<float> DrawProjection(size_t columns, uint64_t seed) {
  base::Rng rng(seed);
  std::vector<float> arrays(4 * columns);
  for (size_t a = 0; a < 4; ++a) {
    for (size_t d = 0; d < columns; ++d) {
      const double value =
          a % 2 == 0 ? rng.Normal() : rng.Uniform() * 2 * std::numbers::pi;
      arrays[a * columns + d] = static_cast<float>(value);
    }
  }
  return arrays;
}

ContentProjection ViewProjection(std::span<const float> arrays,
                                 uint64_t hash_seed) {
  const size_t columns = arrays.size() / 4;
  const float* at = arrays.data();
  return {hash_seed,    columns,          at,
          at + columns, at + 2 * columns, at + 3 * columns};
}

void EncodeContent(const ContentProjection& projection,
                   const ItemAttributes& item, float* out) {
  const uint64_t category = base::MixBits(static_cast<uint64_t>(item.category) ^
                                          projection.hash_seed);
  Signs category_sign(category);
  Signs brand_sign(HashText(item.brand, category));
  const bool priced =
      item.price.has_value() && *item.price > 0 && std::isfinite(*item.price);
  const float log_price =
      priced ? std::log(static_cast<float>(*item.price)) : 0.0F;
  const float by_category = log_price / kPriceReachCategory;
  const float by_brand = log_price / kPriceReachBrand;
  const float scale = 1.0F / std::sqrt(static_cast<float>(projection.columns));
  for (size_t d = 0; d < projection.columns; ++d) {
    const float c = category_sign.Next();
    const float b = brand_sign.Next();
    float sum = c + b;
    if (priced) {
      sum += kHalfRoot2 *
             (c * std::cos(projection.frequency_category[d] * by_category +
                           projection.phase_category[d]) +
              b * std::cos(projection.frequency_brand[d] * by_brand +
                           projection.phase_brand[d]));
    }
    out[d] = sum * scale;
  }
}

bool Normalise(std::span<float> vector) {
  float squares = 0;
  for (const float v : vector) squares += v * v;
  if (!(squares > 0) || !std::isfinite(squares)) return false;
  const float scale = 1.0F / std::sqrt(squares);
  for (float& v : vector) v *= scale;
  return true;
}

}  // namespace freshline::featurize
