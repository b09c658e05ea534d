// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace freshline::base {

// A well-mixed 64-bit hash of one word (the finaliser of SplitMix64, Steele et
// al. 2014). The same in every process and on every machine.
constexpr uint64_t MixBits(uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// A seeded random source whose every draw is specified by this file, so that a
// seed means the same trace on every machine: xoshiro256** (Blackman & Vigna
// 2018). Not thread-safe; not for secrets.
class Rng {
 public:
  explicit Rng(uint64_t seed) {
    for (uint64_t& word : state_) word = seed = MixBits(seed);
  }

  uint64_t Next() {
    const uint64_t result = Rotate(state_[1] * 5, 7) * 9;
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = Rotate(state_[3], 45);
    return result;
  }
  // In [0, 1).
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
  // In [0, n). REQUIRES: n > 0. The bias is below n / 2^64.
  uint64_t Below(uint64_t n) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * n) >>
                                 64);
  }
  bool Chance(double p) { return Uniform() < p; }
  double Exponential(double mean) { return -mean * std::log1p(-Uniform()); }
  // Standard normal, by Box-Muller; one of the pair is thrown away so that the
  // state after a draw does not depend on history.
  double Normal() {
    const double radius = std::sqrt(-2.0 * std::log1p(-Uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * Uniform());
  }
  double LogNormal(double mu, double sigma) {
    return std::exp(mu + sigma * Normal());
  }
  // Number of failures before the first success of probability p.
  uint64_t Geometric(double p) {
    return static_cast<uint64_t>(std::log1p(-Uniform()) / std::log1p(-p));
  }

 private:
  static constexpr uint64_t Rotate(uint64_t x, int k) {
    return (x << k) | (x >> (64 - k));
  }
  uint64_t state_[4];
};

}  // namespace freshline::base
