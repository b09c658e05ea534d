// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <istream>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cli/push.h"
#include "freshline/client.h"

namespace freshline::cli {

struct CommonFlags {
  std::string target = "127.0.0.1:7460";
  std::string timeout = "5s";  // as definitions write durations
  bool json = false;
};

struct GetFlags {
  std::string service;
  std::vector<std::string> features;
  std::vector<std::string> entities;
  std::vector<std::string> events;
  std::string producer;
  std::string budget;  // empty: the service's SLO
  std::optional<uint32_t> max_pending;
  std::string max_age;
  std::string request_id;
};

struct ReportFlags {
  std::string service;
  std::vector<std::string> entities;
  std::vector<std::string> losses;  // REQUEST_ID=LOSS
};

struct StatusFlags {
  bool watch = false;
  std::string interval = "1s";
  int count = 0;  // of answers, with watch; 0: until interrupted
};

// Each connects, does its work and prints. Errors are the client's, and those
// of reading what was given; of Push() see there.
absl::Status RunGet(const CommonFlags& common, const GetFlags& flags,
                    std::ostream& out);
absl::Status RunPush(const CommonFlags& common, const PushFlags& flags,
                     std::istream& in, std::ostream& out, std::ostream& err);
absl::Status RunReport(const CommonFlags& common, const ReportFlags& flags,
                       std::ostream& out);
absl::Status RunStatus(const CommonFlags& common, const StatusFlags& flags,
                       std::ostream& out);
// OK with healthy = false where the daemon answers that it is not serving. Asks
// again for as long as `wait` says, a duration, or empty for not at all.
absl::Status RunHealthcheck(const CommonFlags& common,
                            const std::string& service, const std::string& wait,
                            std::ostream& out, bool* healthy);

}  // namespace freshline::cli
