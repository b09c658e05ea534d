// SPDX-License-Identifier: Apache-2.0
#include "base/number_text.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"

namespace freshline::base {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

template <typename Float>
std::string Shortest(Float value) {
  char text[64];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  return std::string(text, end);
}

// A decimal number taken apart: 12.50e1 has the digits 1250, of which 2 are
// decimals, and the exponent 1.
struct Decimal {
  bool negative = false;
  absl::string_view whole;
  absl::string_view decimals;
  int64_t exponent = 0;
};

absl::string_view TakeDigits(absl::string_view* text) {
  size_t n = 0;
  while (n < text->size() && IsDigit((*text)[n])) ++n;
  const absl::string_view digits = text->substr(0, n);
  text->remove_prefix(n);
  return digits;
}

std::optional<Decimal> SplitDecimal(absl::string_view text) {
  Decimal number;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    number.negative = text.front() == '-';
    text.remove_prefix(1);
  }
  number.whole = TakeDigits(&text);
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    number.decimals = TakeDigits(&text);
  }
  if (number.whole.empty() && number.decimals.empty()) return std::nullopt;
  if (!text.empty() && (text.front() == 'e' || text.front() == 'E')) {
    text.remove_prefix(1);
    if (!text.empty() && text.front() == '+') {
      text.remove_prefix(1);
      if (text.empty() || !IsDigit(text.front())) return std::nullopt;
    }
    if (!absl::SimpleAtoi(text, &number.exponent)) return std::nullopt;
    text = "";
  }
  if (!text.empty()) return std::nullopt;
  return number;
}

// value * 10 + digit, towards negative numbers, of which there is one more.
bool Append(char digit, int64_t* value) {
  return !__builtin_mul_overflow(*value, 10, value) &&
         !__builtin_sub_overflow(*value, digit - '0', value);
}

}  // namespace

std::string ShortestText(double value) { return Shortest(value); }
std::string ShortestText(float value) { return Shortest(value); }

std::optional<int64_t> ParseWholeNumber(absl::string_view text) {
  const std::optional<Decimal> number = SplitDecimal(text);
  if (!number.has_value()) return std::nullopt;
  const auto whole = static_cast<int64_t>(number->whole.size());
  const auto digits = whole + static_cast<int64_t>(number->decimals.size());
  const auto digit = [&](int64_t i) {
    return i < whole ? number->whole[static_cast<size_t>(i)]
                     : number->decimals[static_cast<size_t>(i - whole)];
  };
  // So many digits stand before the decimal mark once it has been moved.
  constexpr int64_t kFar = 1'000'000;
  if (number->exponent > kFar || number->exponent < -kFar) return std::nullopt;
  const int64_t before = whole + number->exponent;
  int64_t value = 0;
  for (int64_t i = 0; i < digits; ++i) {
    if (i >= before) {
      if (digit(i) != '0') return std::nullopt;
    } else if (!Append(digit(i), &value)) {
      return std::nullopt;
    }
  }
  for (int64_t i = digits; i < before && value != 0; ++i) {
    if (!Append('0', &value)) return std::nullopt;
  }
  if (number->negative) return value;
  if (value == std::numeric_limits<int64_t>::min()) return std::nullopt;
  return -value;
}

std::optional<double> ParseFiniteNumber(absl::string_view text) {
  if (!text.empty() && text.front() == '+') {
    text.remove_prefix(1);
    if (text.empty() || text.front() == '-') return std::nullopt;
  }
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() || text.empty()) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    // Too small a number is 0; from_chars does not say which it was.
    if (!absl::SimpleAtod(text, &value)) return std::nullopt;
  } else if (error != std::errc()) {
    return std::nullopt;
  }
  if (!std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<bool> ParseTruth(absl::string_view text) {
  for (const char* yes : {"true", "t", "yes", "y", "1"}) {
    if (absl::EqualsIgnoreCase(text, yes)) return true;
  }
  for (const char* no : {"false", "f", "no", "n", "0"}) {
    if (absl::EqualsIgnoreCase(text, no)) return false;
  }
  return std::nullopt;
}

}  // namespace freshline::base
