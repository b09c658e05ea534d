// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

namespace freshline::bench {

// How much slower a run is for the runs beside it: of runs on one machine with
// their numbers of others (averages over the run) and their times, as ratios to
// what runs of their kind take, the line
//     ratio = alone + each * others
// by least squares, which what the workers share (memory, cores) makes rise.
//
// A value.
class Contention {
 public:
  struct Sample {
    double others = 0;  // 0 or more
    double ratio = 1;
  };

  // Nothing is known: others make no difference.
  Contention() = default;
  // As above. Nothing is known of fewer than 100 samples, or where all had
  // about as many others; a line that does not rise by three standard errors
  // counts as level.
  static Contention Of(const std::vector<Sample>& samples);

  // The factor on a run's time beside so many others, 1 beside as many as the
  // samples had on average. Beyond the most that a sample had, as at the most.
  double FactorBeside(double others) const;

 private:
  double mean_others_ = 0;
  double mean_ratio_ = 1;
  double each_ = 0;
  double others_max_ = 0;
};

}  // namespace freshline::bench
