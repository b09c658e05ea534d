// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

// The nouns that several rooms share, as types that do not convert into each
// other.

namespace freshline::base {

// Position of an event in the order of acceptance: 1, 2, 3, ... over all
// sources and keys of one daemon. 0 is "before every event".
using Seq = uint64_t;

// One entity instance in the table. A handle, not a hash: it names a slot and
// its generation, so that a handle kept past the end of its key is recognised.
// 0 is never issued.
enum class KeyId : uint64_t {};
inline constexpr KeyId kNoKey = KeyId{0};

// Index of a feature group in its revision.
enum class GroupId : uint32_t {};

// One waiting query; unique for the life of the daemon.
enum class TicketId : uint64_t {};

// Whose share of the workers a ticket consumes (a feature service).
enum class FlowId : uint32_t {};

enum class JobId : uint64_t {};
enum class WorkerId : uint32_t {};

// The unit of work and of coalescing: one feature group of one key.
struct RowId {
  KeyId key = kNoKey;
  GroupId group{};
  friend auto operator<=>(const RowId&, const RowId&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const RowId& r) {
    return H::combine(std::move(h), static_cast<uint64_t>(r.key),
                      static_cast<uint32_t>(r.group));
  }
};

// For printing and for indexing.
constexpr uint64_t ToInt(KeyId id) { return static_cast<uint64_t>(id); }
constexpr uint32_t ToInt(GroupId id) { return static_cast<uint32_t>(id); }
constexpr uint64_t ToInt(TicketId id) { return static_cast<uint64_t>(id); }
constexpr uint32_t ToInt(FlowId id) { return static_cast<uint32_t>(id); }
constexpr uint64_t ToInt(JobId id) { return static_cast<uint64_t>(id); }
constexpr uint32_t ToInt(WorkerId id) { return static_cast<uint32_t>(id); }

}  // namespace freshline::base
