// SPDX-License-Identifier: Apache-2.0
#include "base/jump_proof_clock.h"

#include <algorithm>
#include <cstdlib>

namespace freshline::base {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

int64_t Micros(Duration d) { return d.count() / 1000; }

}  // namespace

JumpProofClock::JumpProofClock(const Clock& source, Options options)
    : source_(source),
      options_(options),
      offset_us_(OffsetMicros(source.Now(), source.WallNowMicros())) {}

int64_t JumpProofClock::OffsetMicros(MonoTime now, UnixMicros wall_us) {
  return wall_us - Micros(now.time_since_epoch());
}

bool JumpProofClock::IsJump(int64_t from_us, int64_t to_us) const {
  return std::abs(to_us - from_us) > Micros(options_.jump_min);
}

UnixMicros JumpProofClock::WallNowMicros() const {
  const MonoTime now = source_.Now();
  const UnixMicros wall_us = source_.WallNowMicros();
  const int64_t offset_us = OffsetMicros(now, wall_us);
  const int64_t ours_us = offset_us_.load(kRelaxed);
  if (IsJump(ours_us, offset_us)) return Jumped(now, offset_us);
  // The two clocks are read a moment apart: what is that small moves nothing.
  constexpr int64_t kReadApartUs = 1000;
  if (std::abs(offset_us - ours_us) > kReadApartUs) {
    offset_us_.store(offset_us, kRelaxed);
  }
  if (pending_.load(kRelaxed)) pending_.store(false, kRelaxed);
  return wall_us;
}

UnixMicros JumpProofClock::Jumped(MonoTime now, int64_t offset_us) const {
  MutexLock lock(&mu_);
  if (!pending_.load(kRelaxed) || IsJump(jumped_to_us_, offset_us)) {
    pending_.store(true, kRelaxed);
    jumps_.fetch_add(1, kRelaxed);
    jumped_at_ = now;
  } else if (now - jumped_at_ >= options_.hold) {
    offset_us_.store(offset_us, kRelaxed);
    pending_.store(false, kRelaxed);
  }
  jumped_to_us_ = offset_us;
  return Micros(now.time_since_epoch()) + offset_us_.load(kRelaxed);
}

UnixMicros JumpProofClock::LatestWallMicros() const {
  return std::max(WallNowMicros(), source_.WallNowMicros());
}

std::optional<JumpProofClock::Jump> JumpProofClock::PendingJump() const {
  WallNowMicros();
  MutexLock lock(&mu_);
  if (!pending_.load(kRelaxed)) return std::nullopt;
  return Jump{
      std::chrono::microseconds(jumped_to_us_ - offset_us_.load(kRelaxed)),
      jumped_at_};
}

}  // namespace freshline::base
