// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/time.h"
#include "daemon/config/config.h"
#include "log/async_log.h"
#include "schedule/policies.h"

namespace freshline::daemon {

// The composition root: the only place that sees every concrete room.
//
// Lifecycle: Start() builds bottom-up and serves; Drain() answers what waits
// and stops top-down; then destroy.
class Daemon {
 public:
  // The policy is that of the name in `catalogue`. The status tells what became
  // of the lines of `log`; null: there is none.
  // Returns: INVALID_ARGUMENT for definitions, item tables or addresses that
  // do not hold (each named), FAILED_PRECONDITION where the machine refuses or
  // a file of somebody else stands where one is to be written.
  static absl::StatusOr<std::unique_ptr<Daemon>> Start(
      const DaemonConfig& config,
      const schedule::PolicyCatalogue& catalogue =
          schedule::PolicyCatalogue::BuiltIn(),
      const log::AsyncLog* log = nullptr);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // The bound port of listen address i.
  int port(size_t i) const;

  // Health NOT_SERVING, no new queries, the waiting ones answered, connections
  // closed within the configured drain timeout. `hurry` skips the waits.
  void Drain(bool hurry);

  // After Drain(): ends the workers, and returns how many threads are still
  // computing when `patience` is over. Where there are some, the destructor
  // would wait for them: end the process without it.
  uint32_t StopWorkers(base::Duration patience);

  // After StopWorkers(): writes what files still lack. The process may end
  // then without the destructor, which gives back a table of millions of keys
  // one by one: the kernel takes it as a whole.
  void CloseFiles();

 private:
  struct Rep;
  explicit Daemon(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

// Everything that can be checked without serving: definitions, item tables,
// files to be written.
absl::Status CheckConfig(const DaemonConfig& config,
                         const schedule::PolicyCatalogue& catalogue =
                             schedule::PolicyCatalogue::BuiltIn());

}  // namespace freshline::daemon
