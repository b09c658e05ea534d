// SPDX-License-Identifier: Apache-2.0
#include "daemon/housekeeper.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "base/thread.h"

namespace freshline::daemon {
namespace {

constexpr base::Duration kTick = std::chrono::milliseconds(10);
// At this rate a million keys are visited within a minute and a half.
constexpr size_t kKeysPerTick = 128;
constexpr base::Duration kWarnEvery = std::chrono::hours(1);
constexpr base::Duration kSecond = std::chrono::seconds(1);
constexpr base::Duration kHurryPoll = std::chrono::milliseconds(50);

}  // namespace

Housekeeper::Housekeeper(const base::JumpProofClock& clock, table::Table* table,
                         bool insecure, std::function<void()> every_second)
    : clock_(clock),
      table_(table),
      insecure_(insecure),
      every_second_(std::move(every_second)),
      waker_(clock),
      thread_([this] { Loop(); }) {}

Housekeeper::~Housekeeper() {
  stopping_ = true;
  waker_.Wake();
  thread_.join();
}

void Housekeeper::Loop() {
  base::PrepareThread("housekeeper", /*punctual=*/false);
  base::SetOwnSchedClass(base::SchedClass::kNormal);
  base::MonoTime next_warning = clock_.Now() + kWarnEvery;
  base::MonoTime next_second = clock_.Now();
  while (!stopping_) {
    const size_t removed = table_->Sweep(kKeysPerTick, clock_.WallNowMicros());
    if (removed > 0) spdlog::debug("{} keys ended", removed);
    WarnOfJumps();
    if (clock_.Now() >= next_second) {
      every_second_();
      next_second = clock_.Now() + kSecond;
    }
    if (insecure_ && clock_.Now() >= next_warning) {
      spdlog::warn("still listening in plaintext off loopback");
      next_warning += kWarnEvery;
    }
    waker_.WaitUntil(clock_.Now() + kTick);
  }
}

void Housekeeper::WarnOfJumps() {
  const uint64_t jumps = clock_.jumps();
  if (jumps == jumps_warned_) return;
  jumps_warned_ = jumps;
  const auto jump = clock_.PendingJump();
  if (!jump.has_value()) return;
  spdlog::warn(
      "the machine's clock jumped by {:.3f} s; windows and retention keep to "
      "the time before the jump until it has lasted for ten minutes: look at "
      "the time synchronisation of this machine",
      base::ToMillis(jump->by) / 1000);
}

void Housekeeper::WaitAtMost(base::Duration delay,
                             const std::atomic<bool>& hurry) const {
  base::EventFdWaker pause(clock_);
  const base::MonoTime until = clock_.Now() + delay;
  while (!hurry && clock_.Now() < until) {
    pause.WaitUntil(std::min(until, clock_.Now() + kHurryPoll));
  }
}

}  // namespace freshline::daemon
