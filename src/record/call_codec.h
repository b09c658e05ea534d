// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "freshline/record/v1/decision_log.pb.h"
#include "schedule/recorder.h"

namespace freshline::record {

// A recorded call as a message of the log. Overwrites all of *out; its memory
// is reused.
void EncodeCall(const schedule::RecordedCall& call, v1::Call* out);

// Returns false where the message is none that EncodeCall() makes: an unknown
// kind, more than four levels of a need, a start without rows.
bool DecodeCall(const v1::Call& call, schedule::RecordedCall* out);

}  // namespace freshline::record
