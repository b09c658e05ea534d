// SPDX-License-Identifier: Apache-2.0
#include "daemon/decision_log_header.h"

#include <algorithm>
#include <string>

#include "base/status_macros.h"
#include "featurize/item_table.h"
#include "record/fingerprint.h"
#include "registry/textproto.h"
#include "version/version.h"

namespace freshline::daemon {

absl::StatusOr<record::v1::Header> DecisionLogHeader(
    const DaemonConfig& config, const registry::Revision& revision,
    const featurize::ItemTables& tables, const schedule::PolicyConfig& policy,
    base::UnixMicros started_us) {
  record::v1::Header header;
  header.set_version(1);
  header.set_commit(std::string(version::Commit()));
  record::Fingerprint fingerprint;
  for (const std::string& file : config.definitions) {
    FRESHLINE_ASSIGN_OR_RETURN(const std::string text,
                               registry::ReadTextFile(file));
    fingerprint.Add(text);
  }
  header.set_definitions(fingerprint.hex());
  for (const registry::FeatureGroup& group : revision.groups()) {
    record::v1::Header::Group* to = header.add_groups();
    to->set_name(group.name);
    to->set_batch_max(std::min(group.batch_max, config.scheduler.batch_max));
  }
  const auto add_flow = [&](const std::string& service, double weight,
                            base::Duration slo) {
    record::v1::Header::Flow* to = header.add_flows();
    to->set_service(service);
    to->set_weight(weight);
    to->set_slo_ns(slo.count());
  };
  for (const registry::FeatureService& service : revision.services()) {
    add_flow(service.name, service.weight, service.plan->slo);
  }
  add_flow("", 1, revision.adhoc_slo());
  header.set_workers(config.scheduler.workers);
  header.set_half_life_runs(config.estimator.half_life_runs);
  header.set_kernel(std::string(featurize::KernelName()));
  uint64_t rows = 0;
  for (uint32_t i = 0; i < tables.size(); ++i) rows += tables.table(i)->rows();
  header.set_table_rows(rows);
  header.set_started_us(started_us);
  header.set_violation_budget_ppm(config.scheduler.violation_budget_ppm);
  record::v1::Header::Policy* to = header.mutable_policy();
  to->set_name(policy.name);
  to->set_background(policy.background);
  to->set_tickets_max(policy.tickets_max);
  to->set_rows_max(policy.rows_max);
  to->set_background_max(policy.background_max);
  to->set_quarantine_failures(policy.quarantine_failures);
  to->set_backoff_min_ns(policy.backoff_min.count());
  to->set_probe_interval_ns(policy.probe_interval.count());
  return header;
}

}  // namespace freshline::daemon
