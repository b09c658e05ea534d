// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace freshline::featurize {

// The sum of finite doubles, compensated (Neumaier 1974; the error of each
// addition is found by Knuth's two-sum, which needs no branch): what is left
// of error is one rounding of the result, and of the terms' absolute sum n^2
// roundings squared. Adding the terms one after another loses n roundings of
// it: 1e16 + 1 - 1e16 is 1 here, and 0 there.
//
// A sum that is finite may have partial sums that are not. Then total() is not
// finite either, and the terms are added again, each times kScale:
// total() / kScale is the sum, or infinite where it lies beyond the doubles.
//
// Cost: about a nanosecond a term, as a plain sum: the additions of the error
// do not wait for each other.
class CompensatedSum {
 public:
  // A power of two, so that scaling rounds nothing but numbers that are too
  // small to count beside those which overflow. 2^32 terms fit.
  static constexpr double kScale = 0x1p-32;

  void Add(double term) {
    const double sum = sum_ + term;
    const double of_term = sum - sum_;
    error_ += (sum_ - (sum - of_term)) + (term - of_term);
    sum_ = sum;
  }

  // Adds the sum of other terms, with its error.
  void Add(double sum, double error) {
    Add(sum);
    error_ += error;
  }

  double total() const { return sum_ + error_; }

 private:
  double sum_ = 0;
  double error_ = 0;
};

// The double nearest to sum / count; ties go to even. Nearest, so that the mean
// lies between the smallest and the largest term as doubles.
// REQUIRES: count is not 0, and |sum| <= 2^63 * count.
double MeanOf(__int128 sum, uint64_t count);

}  // namespace freshline::featurize
