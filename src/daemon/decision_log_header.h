// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/statusor.h"
#include "base/time.h"
#include "daemon/config/config.h"
#include "featurize/functions.h"
#include "freshline/record/v1/decision_log.pb.h"
#include "registry/revision.h"
#include "schedule/policies.h"

namespace freshline::daemon {

// What a decision log says of the daemon that writes it.
// Returns: the errors of reading the definition files.
absl::StatusOr<record::v1::Header> DecisionLogHeader(
    const DaemonConfig& config, const registry::Revision& revision,
    const featurize::ItemTables& tables, const schedule::PolicyConfig& policy,
    base::UnixMicros started_us);

}  // namespace freshline::daemon
