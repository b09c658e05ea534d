// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

// Numbers and truth values as people and other tools write them.

namespace freshline::base {

// The shortest text that reads back as the same number: 1234567.75, 0.1, 1e+30,
// nan, inf.
std::string ShortestText(double value);
std::string ShortestText(float value);

// The whole number that `text` is, to the last digit: 42, +42, -7, 0017, and
// decimal forms of a whole number: 10.0, 1e3, 12.50e1.
// nullopt: no number, not whole, or beyond 64 bits.
std::optional<int64_t> ParseWholeNumber(absl::string_view text);

// A decimal number: 42, 4.5, .5, 1e3; never nan or inf, nor a number too large
// for a double. nullopt for anything else.
std::optional<double> ParseFiniteNumber(absl::string_view text);

// true, t, yes, y, 1 and false, f, no, n, 0, in upper or lower case.
std::optional<bool> ParseTruth(absl::string_view text);

}  // namespace freshline::base
