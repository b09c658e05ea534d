// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ostream>

#include "freshline/v1/operations.pb.h"

namespace freshline::cli {

// A daemon's status for a person: one line of what it is, then what is wrong,
// one line each, or that all is well, then every field.
void PrintStatus(const v1::GetStatusResponse& status, std::ostream& out);

}  // namespace freshline::cli
