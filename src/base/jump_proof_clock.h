// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/mutex.h"

namespace freshline::base {

// A wall clock that a jump of the machine's does not move at once: what time
// ends (windows, retention) is ended for good, and a clock that was set wrong
// for a minute must not do that.
//
// Against the monotonic clock the machine's wall clock moves by corrections
// below `jump_min`, which are followed. One that jumps further is followed when
// it has kept to its new time for `hold`; until then time goes on as before the
// jump. When it jumps back meanwhile, nothing has happened.
//
// Thread-safety: any thread. Cost: the source's clocks and one load, ~50 ns.
class JumpProofClock final : public Clock {
 public:
  struct Options {
    Duration jump_min = std::chrono::seconds(1);
    Duration hold = std::chrono::minutes(10);
  };
  explicit JumpProofClock(const Clock& source)
      : JumpProofClock(source, Options{}) {}
  // `source` outlives this.
  JumpProofClock(const Clock& source, Options options);

  MonoTime Now() const override { return source_.Now(); }
  UnixMicros WallNowMicros() const override;
  // The machine's where that is ahead: who is right is not known yet.
  UnixMicros LatestWallMicros() const override;

  // A jump that is not followed yet.
  struct Jump {
    Duration by{};   // below 0: backwards
    MonoTime since;  // first seen
  };
  std::optional<Jump> PendingJump() const;
  // Jumps seen since the start.
  uint64_t jumps() const { return jumps_.load(std::memory_order_relaxed); }

 private:
  // Of the wall clock from the monotonic one.
  static int64_t OffsetMicros(MonoTime now, UnixMicros wall_us);
  bool IsJump(int64_t from_us, int64_t to_us) const;
  // The time where the machine's offset is a jump away from ours.
  UnixMicros Jumped(MonoTime now, int64_t offset_us) const;

  const Clock& source_;
  const Options options_;
  // Ours. Relaxed: any value read was right when it was written.
  mutable std::atomic<int64_t> offset_us_;
  mutable std::atomic<bool> pending_{false};
  mutable std::atomic<uint64_t> jumps_{0};

  mutable Mutex mu_;
  mutable int64_t jumped_to_us_ ABSL_GUARDED_BY(mu_) = 0;  // while pending_
  mutable MonoTime jumped_at_ ABSL_GUARDED_BY(mu_);        // "
};

}  // namespace freshline::base
