// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "daemon/config/config.h"
#include "freshline/config/v1/daemon.pb.h"
#include "registry/textproto.h"

// What DaemonConfig::origin is filled with: private to this folder, as the
// messages are.

namespace freshline::daemon {

// The places of what can turn out wrong after the configuration was read.
void KeepPlaces(const registry::FieldPlace& root,
                const freshline::config::v1::Daemon& from, DaemonConfig* out);

// The defaults on a machine with plenty of memory.
struct PlentyDefaults {
  uint64_t table_bytes_max;
  uint64_t memory_quota_bytes;
  uint64_t intake_bytes_max;
};

// Says what is smaller than on a larger machine, and what is larger than this
// one allows.
void TellOfMemory(const freshline::config::v1::Daemon& from,
                  const MemoryLimit& memory, const PlentyDefaults& plenty,
                  DaemonConfig* out);

}  // namespace freshline::daemon
