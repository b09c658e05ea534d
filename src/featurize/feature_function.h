// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/status.h"
#include "base/job_shape.h"
#include "base/time.h"
#include "registry/row_layout.h"
#include "table/event_view.h"

namespace freshline::featurize {

// What a function sees of one key. The events are every accepted one up to the
// as-of sequence. A time window of w holds those after window_time_us - w; one
// that is ahead of window_time_us is inside (KeyView::window_time_us).
struct Input {
  table::EventView events;
  base::UnixMicros window_time_us = 0;
};

// Working memory of one thread for every function; made once, reused. A
// function gets the scratch that its MakeScratch() made.
class Scratch {
 public:
  virtual ~Scratch() = default;
};

// Computes the rows of one feature group.
//
// Thread-safety: const methods from any thread, each with its own Scratch.
// Workers call Compute(): it takes no lock, logs nothing, and allocates only
// where an output outgrows its capacity.
class FeatureFunction {
 public:
  virtual ~FeatureFunction() = default;

  // Newest events of the source that Compute() looks at; UINT32_MAX for all.
  virtual uint32_t events_needed() const = 0;

  // The size features that predict the cost of Compute() for this input.
  // REQUIRES: as Compute(). A few microseconds at most.
  virtual base::JobShape Shape(const Input& input, Scratch* scratch) const = 0;

  // When time alone changes what Compute() makes of this input, as far as its
  // events tell: the first of them leaves a time window, or is ended by the
  // retention (EventView::EndOf). May be early, never late; kHoldsForEver where
  // no event is left that could leave. Well below a microsecond.
  // This one is for functions without time windows: the oldest of the events
  // that they look at ends.
  virtual base::UnixMicros HoldsUntil(const Input& input) const {
    const table::EventView& events = input.events;
    const size_t used = std::min<size_t>(events.size, events_needed());
    if (used == 0) return table::kHoldsForEver;
    return events.EndOf(events.event_time_us[events.size - used]);
  }

  // Cheap enough to run while answering, whatever the key holds.
  virtual bool always_inline() const = 0;

  virtual std::unique_ptr<Scratch> MakeScratch() const = 0;

  // Computes one row per input. On error no output is used.
  // REQUIRES: outputs.size() == inputs.size(), 1 to batch_max of the group.
  virtual absl::Status Compute(std::span<const Input> inputs,
                               std::span<registry::RowBytes* const> outputs,
                               Scratch* scratch) const = 0;
};

}  // namespace freshline::featurize
