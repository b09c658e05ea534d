// SPDX-License-Identifier: Apache-2.0
#include "ingest/producer_windows.h"

#include <utility>

#include "base/check.h"

namespace freshline::ingest {

SequenceWindow::Seen SequenceWindow::Look(uint64_t sequence) const {
  if (empty_ || sequence > high_water_) return Seen::kNew;
  if (high_water_ - sequence >= kSize) return Seen::kOutside;
  const uint64_t bit = sequence % kSize;
  const bool marked = (bits_[bit / 64] >> (bit % 64)) & 1;
  return marked ? Seen::kDuplicate : Seen::kNew;
}

void SequenceWindow::Mark(uint64_t sequence) {
  FRESHLINE_DCHECK(Look(sequence) == Seen::kNew);
  if (empty_) {
    high_water_ = sequence;
    empty_ = false;
  } else if (sequence > high_water_) {
    const uint64_t step = sequence - high_water_;
    if (step >= kSize) {
      bits_.fill(0);
    } else {
      for (uint64_t i = 1; i < step; ++i) {
        const uint64_t bit = (high_water_ + i) % kSize;
        bits_[bit / 64] &= ~(uint64_t{1} << (bit % 64));
      }
    }
    high_water_ = sequence;
  }
  const uint64_t bit = sequence % kSize;
  bits_[bit / 64] |= uint64_t{1} << (bit % 64);
}

ProducerWindows::ProducerWindows(size_t producers_max)
    : producers_max_(producers_max) {
  FRESHLINE_CHECK(producers_max > 0);
}

SequenceWindow& ProducerWindows::Touch(absl::string_view producer) {
  const auto found = index_.find(producer);
  if (found != index_.end()) {
    producers_.splice(producers_.begin(), producers_, found->second);
    return producers_.front().window;
  }
  if (producers_.size() >= producers_max_) {
    const std::string& oldest = producers_.back().id;
    index_.erase(absl::string_view(oldest.data(), oldest.size()));
    producers_.pop_back();
    ++evictions_;
  }
  producers_.push_front({std::string(producer.data(), producer.size()), {}});
  const std::string& id = producers_.front().id;
  index_.emplace(absl::string_view(id.data(), id.size()), producers_.begin());
  return producers_.front().window;
}

}  // namespace freshline::ingest
