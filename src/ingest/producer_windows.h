// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace freshline::ingest {

// Which of one producer's last 4,096 sequences were accepted: a high-water
// mark and a bitmap of the sequences up to it. Not thread-safe.
class SequenceWindow {
 public:
  static constexpr uint64_t kSize = 4096;

  enum class Seen : uint8_t {
    kNew,
    kDuplicate,
    kOutside,  // older than the window: cannot be told
  };
  Seen Look(uint64_t sequence) const;

  // Marks a sequence as accepted, and moves the window up to it.
  // REQUIRES: Look(sequence) == kNew.
  void Mark(uint64_t sequence);

 private:
  static constexpr uint64_t kWords = kSize / 64;
  bool empty_ = true;
  uint64_t high_water_ = 0;
  std::array<uint64_t, kWords> bits_{};  // of sequence s: bit s mod kSize
};

// The windows of the producers heard last. Bounds: `producers_max`; beyond, the
// one not heard for longest is forgotten and counted, and its events are no
// longer recognised. Not thread-safe.
class ProducerWindows {
 public:
  explicit ProducerWindows(size_t producers_max);

  // The window of a producer, made where it is new. Valid until the next call.
  SequenceWindow& Touch(absl::string_view producer);

  size_t size() const { return producers_.size(); }
  uint64_t evictions() const { return evictions_; }

 private:
  struct Producer {
    std::string id;
    SequenceWindow window;
  };
  const size_t producers_max_;
  std::list<Producer> producers_;  // heard last first
  // Keys view Producer::id.
  absl::flat_hash_map<absl::string_view, std::list<Producer>::iterator> index_;
  uint64_t evictions_ = 0;
};

}  // namespace freshline::ingest
