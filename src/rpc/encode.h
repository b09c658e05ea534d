// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "freshline/v1/feature_store.pb.h"
#include "serve/answer.h"

namespace freshline::rpc {

// Writes the rows of `answer` as columns into `response`, which is empty.
// Cost: one walk over the values; statuses are written only for columns that
// need them.
void EncodeAnswer(const serve::Answer& answer,
                  v1::GetFeaturesResponse* response);

}  // namespace freshline::rpc
