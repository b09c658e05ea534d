// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace freshline::rpc {

// Takes the messages of a call out of the bytes of its DATA: each stands behind
// five bytes that say whether it is compressed, and how long it is. A message
// is refused by these five, before any of it is kept.
//
// Thread-safety: none.
// Bounds: one message of `bytes_max`; memory grows with what has come, not with
// what was announced.
class MessageReader {
 public:
  enum class Event : uint8_t {
    kNeedMore,    // the bytes are used up
    kMessage,     // message() is there; read on after taking it
    kTooLarge,    // announced() bytes, which are too many
    kCompressed,  // nobody said that we understand that
  };

  explicit MessageReader(uint64_t bytes_max) : bytes_max_(bytes_max) {}

  // Takes bytes off `bytes` up to the next event. After kTooLarge and
  // kCompressed there is no going on.
  Event Read(std::span<const uint8_t>* bytes);

  // The whole message, to be moved away.
  std::string& message() { return message_; }
  uint64_t announced() const { return announced_; }
  // What it keeps in memory.
  size_t kept_bytes() const { return message_.capacity(); }
  // Whether it is between two messages.
  bool at_end() const { return prefix_have_ == 0; }

 private:
  static constexpr size_t kPrefixBytes = 5;

  const uint64_t bytes_max_;
  std::array<uint8_t, kPrefixBytes> prefix_{};
  size_t prefix_have_ = 0;
  uint64_t announced_ = 0;
  std::string message_;
};

// The five bytes that go before a message of `bytes`, not compressed.
std::array<char, 5> MessagePrefix(uint32_t bytes);

}  // namespace freshline::rpc
