// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "freshline/answer.h"

namespace freshline::cli {

// What became of the events pushed so far.
class PushTally {
 public:
  // Adds the results of a request; `lines` are those of the file that its
  // events stand on, batch after batch, or none.
  void Add(const PushAnswer& answer, absl::Span<const uint64_t> lines);

  // "pushed 3 events: 2 ACCEPTED, 1 LATE; acknowledged MEMORY, newest sequence
  // 2", or the same as one line of JSON.
  void Print(bool json, std::ostream& out) const;

  uint64_t total() const { return total_; }
  uint64_t accepted() const { return Of(EventStatus::kAccepted); }
  uint64_t Of(EventStatus status) const {
    return by_status_[static_cast<size_t>(status)];
  }
  // The line of the first event that came to `status`; 0 where it is not known.
  uint64_t FirstLine(EventStatus status) const {
    return first_line_[static_cast<size_t>(status)];
  }
  // The lines of the first and the last event; 0 where they are not known.
  uint64_t begin_line() const { return begin_line_; }
  uint64_t end_line() const { return end_line_; }

 private:
  static constexpr size_t kStatuses = 6;
  uint64_t total_ = 0;
  std::array<uint64_t, kStatuses> by_status_{};
  std::array<uint64_t, kStatuses> first_line_{};
  uint64_t begin_line_ = 0;
  uint64_t end_line_ = 0;
  uint64_t newest_ = 0;
  AckLevel level_{};
};

// What the push knows and the reasons for refused events may hang on.
struct PushContext {
  std::string source;
  std::string retention;
  std::string allowed_lateness;
  std::string producer;
};

// Why events were not accepted and what to do about it, each status that came
// up in one sentence, with the first line it came up on. Empty where all were
// accepted.
std::vector<std::string> Refusals(const PushTally& tally,
                                  const PushContext& context);

// Tells now and then how far a long push has come.
class PushProgress {
 public:
  // Both must outlive it.
  PushProgress(const base::Clock& clock, std::ostream& err)
      : clock_(clock), err_(err), begun_(clock.Now()), told_(begun_) {}

  // A line about it, where five seconds have passed since the last one.
  void Tell(const PushTally& tally);

 private:
  const base::Clock& clock_;
  std::ostream& err_;
  const base::MonoTime begun_;
  base::MonoTime told_;
};

}  // namespace freshline::cli
