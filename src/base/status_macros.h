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
#define FRESHLINE_ASSIGN_OR_RETURN(lhs, expression)                        \
  FRESHLINE_ASSIGN_OR_RETURN_(FRESHLINE_CONCAT_(statusor_, __LINE__), lhs, \
                              expression)
#define FRESHLINE_ASSIGN_OR_RETURN_(tmp, lhs, expression) \
  auto tmp = (expression);                                \
  if (!tmp.ok()) return std::move(tmp).status();          \
  lhs = *std::move(tmp)
#define FRESHLINE_CONCAT_(a, b) FRESHLINE_CONCAT_INNER_(a, b)
#define FRESHLINE_CONCAT_INNER_(a, b) a##b
