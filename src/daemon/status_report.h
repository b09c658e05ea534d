// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/jump_proof_clock.h"
#include "daemon/concerns.h"
#include "daemon/config/memory_limit.h"
#include "execute/dispatcher.h"
#include "execute/thread_worker_pool.h"
#include "freshline/v1/operations.pb.h"
#include "ingest/ingest.h"
#include "log/async_log.h"
#include "outcome/outcome_book.h"
#include "record/decision_log_writer.h"
#include "registry/revision.h"
#include "rpc/server.h"
#include "serve/feature_server.h"
#include "staleness/metric_set.h"
#include "table/table.h"

namespace freshline::daemon {

// Everything that Operations.GetStatus tells, gathered from the rooms.
struct StatusSources {
  const base::JumpProofClock* clock;
  base::MonoTime started;
  std::string policy;
  std::string kernels;
  table::TableOptions table_options;
  const registry::Revision* revision;
  const staleness::MetricSet* metrics;  // of the revision
  const table::Table* table;
  const ingest::EventIngest* ingest;
  const serve::FeatureServer* features;
  const execute::Dispatcher* dispatcher;
  const execute::ThreadWorkerPool* workers;
  const outcome::OutcomeBook* outcomes;
  const record::DecisionLogWriter* decision_log;  // null: none
  const log::AsyncLog* log;                       // null: none
  MemoryLimit memory;
  // Beside those of the server.
  std::vector<rpc::ServingThread> threads;
};

// Everything but `degraded`, which Concerns reads off the rest.
//
// Thread-safety: any thread; each counter is exact, their sum is not atomic.
void FillStatus(const StatusSources& sources, const rpc::ServerReport& server,
                v1::GetStatusResponse* out);

}  // namespace freshline::daemon
