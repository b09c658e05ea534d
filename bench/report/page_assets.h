// SPDX-License-Identifier: Apache-2.0
#pragma once

// Files that stand in every page, word for word.

namespace freshline::bench {

extern const char kPageCss[];
extern const char kPageScript[];
// uPlot, with the licence that its copies have to carry.
extern const char kChartCss[];
extern const char kChartScript[];
extern const char kChartLicense[];

}  // namespace freshline::bench
