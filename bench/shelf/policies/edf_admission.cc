// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

// EDF (Liu and Layland 1973) behind an admission test that sheds the lowest
// density while the queue does not fit; ours without price and background.
schedule::PolicyConfig EdfAdmission() {
  schedule::PolicyConfig policy;
  policy.name = "edf_admission";
  policy.summary = "a query waits if admitted; the earliest answer_by first";
  policy.index.function = schedule::EarliestAnswerBy;
  policy.admission = policy.guard = true;
  return policy;
}

}  // namespace freshline::bench
