// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

// What a policy is made with where nobody says otherwise: by freshlined, whose
// configuration may change each of them (daemon.proto), and by the simulator,
// which thereby runs what the daemon ships.

namespace freshline::schedule {

inline constexpr uint32_t kTicketsMaxDefault = 10'000;
inline constexpr uint32_t kBackgroundRowsMaxDefault = 10'000;
inline constexpr uint32_t kQuarantineFailuresDefault = 5;
inline constexpr std::chrono::milliseconds kBackoffMinDefault{1000};
inline constexpr std::chrono::milliseconds kBackoffMaxDefault{60'000};
inline constexpr std::chrono::milliseconds kProbeIntervalDefault{100};

}  // namespace freshline::schedule
