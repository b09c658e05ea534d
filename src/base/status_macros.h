// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns from the enclosing function when `expression` is not OK.
#define FRESHLINE_RETURN_IF_ERROR(expression)                               \
  do {                                                                      \
    if (absl::Status status_ = (expression); !status_.ok()) return status_; \
  } while (false)

// FRESHLINE_ASSIGN_OR_RETURN(auto x, Compute()); declares x or returns.
#define FRESHLINE_ASSIGN_OR_RETURN(lhs, expression)                            \
  FRESHLINE_ASSIGN_OR_RETURN_INNER(FRESHLINE_CONCAT(statusor_, __LINE__), lhs, \
                                   expression)
#define FRESHLINE_ASSIGN_OR_RETURN_INNER(tmp, lhs, expression) \
  auto tmp = (expression);                                     \
  if (!tmp.ok()) return std::move(tmp).status();               \
  lhs = *std::move(tmp)
#define FRESHLINE_CONCAT(a, b) FRESHLINE_CONCAT_INNER(a, b)
#define FRESHLINE_CONCAT_INNER(a, b) a##b
