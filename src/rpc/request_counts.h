// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace freshline::rpc {

// How the calls of one method ended: counted once, where the answer leaves.
//
// Thread-safety: every method from any thread; relaxed, each count is exact.
class CodeCounts {
 public:
  void Count(absl::StatusCode code) {
    At(code).fetch_add(1, std::memory_order_relaxed);
  }

  // Those that are not 0, in the order of the codes.
  std::vector<std::pair<absl::StatusCode, uint64_t>> All() const {
    std::vector<std::pair<absl::StatusCode, uint64_t>> all;
    for (size_t i = 0; i < counts_.size(); ++i) {
      const uint64_t count = counts_[i].load(std::memory_order_relaxed);
      if (count > 0) all.emplace_back(static_cast<absl::StatusCode>(i), count);
    }
    return all;
  }

 private:
  // gRPC's codes are 0 to 16.
  static constexpr size_t kCodes = 17;
  std::atomic<uint64_t>& At(absl::StatusCode code) {
    const auto index = static_cast<size_t>(code);
    return counts_[index < kCodes
                       ? index
                       : static_cast<size_t>(absl::StatusCode::kUnknown)];
  }
  std::array<std::atomic<uint64_t>, kCodes> counts_{};
};

enum class Method : uint8_t {
  kGetFeatures,
  kPushEvents,
  kReportOutcome,
  kGetStatus,
  kGetSchema,
  kCheckHealth,
};
inline constexpr size_t kMethods = 6;
inline constexpr std::array<absl::string_view, kMethods> kMethodNames = {
    "GetFeatures", "PushEvents", "ReportOutcome",
    "GetStatus",   "GetSchema",  "Health.Check"};

// The bounds at which a request is refused before it is looked at.
enum class CallRefusal : uint8_t { kDraining, kInFlight, kIntake };
inline constexpr size_t kCallRefusals = 3;
// As the configuration calls them.
inline constexpr std::array<absl::string_view, kCallRefusals>
    kCallRefusalNames = {"draining", "rpc.requests_in_flight_max",
                         "rpc.intake_bytes_max"};

// Of one server. Thread-safety: as CodeCounts.
struct RequestCounts {
  std::array<CodeCounts, kMethods> by_method;
  std::array<std::atomic<uint64_t>, kCallRefusals> refused{};

  const CodeCounts& Of(Method method) const {
    return by_method[static_cast<size_t>(method)];
  }
  CodeCounts& Of(Method method) {
    return by_method[static_cast<size_t>(method)];
  }
  void Refused(CallRefusal refusal) {
    refused[static_cast<size_t>(refusal)].fetch_add(1,
                                                    std::memory_order_relaxed);
  }
};

}  // namespace freshline::rpc
