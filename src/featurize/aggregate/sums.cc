// SPDX-License-Identifier: Apache-2.0
#include "featurize/aggregate/sums.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace freshline::featurize {
namespace {

using Wide = unsigned __int128;

int BitWidth(Wide x) {
  const auto high = static_cast<uint64_t>(x >> 64);
  return static_cast<int>(high != 0 ? 64 + std::bit_width(high)
                                    : std::bit_width(static_cast<uint64_t>(x)));
}

}  // namespace

double MeanOf(__int128 sum, uint64_t count) {
  const bool negative = sum < 0;
  const Wide size = negative ? -static_cast<Wide>(sum) : static_cast<Wide>(sum);
  // The quotient gets two bits more than a double has, and the lowest says
  // whether there is a rest: then the one rounding of the conversion is that of
  // the exact quotient. What is shifted has at most 55 + 64 bits.
  constexpr int kBits = std::numeric_limits<double>::digits + 2;
  const int shift = std::max(0, kBits + BitWidth(count) - BitWidth(size));
  const Wide shifted = size == 0 ? 0 : size << shift;
  const auto quotient = static_cast<uint64_t>(shifted / count);
  const uint64_t rest = shifted % count != 0 ? 1 : 0;
  const double mean = std::ldexp(static_cast<double>(quotient | rest), -shift);
  return negative ? -mean : mean;
}

}  // namespace freshline::featurize
