// SPDX-License-Identifier: Apache-2.0
#include "rpc/message_reader.h"

#include <algorithm>

namespace freshline::rpc {

MessageReader::Event MessageReader::Read(std::span<const uint8_t>* bytes) {
  if (prefix_have_ < kPrefixBytes) {
    const size_t take = std::min(kPrefixBytes - prefix_have_, bytes->size());
    std::copy_n(bytes->begin(), take, prefix_.begin() + prefix_have_);
    prefix_have_ += take;
    *bytes = bytes->subspan(take);
    if (prefix_have_ < kPrefixBytes) return Event::kNeedMore;
    announced_ = 0;
    for (size_t i = 1; i < kPrefixBytes; ++i) {
      announced_ = announced_ << 8 | prefix_[i];
    }
    message_.clear();
    if (prefix_[0] != 0) return Event::kCompressed;
    if (announced_ > bytes_max_) return Event::kTooLarge;
  }
  const size_t take =
      std::min<uint64_t>(announced_ - message_.size(), bytes->size());
  message_.append(reinterpret_cast<const char*>(bytes->data()), take);
  *bytes = bytes->subspan(take);
  if (message_.size() < announced_) return Event::kNeedMore;
  prefix_have_ = 0;
  return Event::kMessage;
}

std::array<char, 5> MessagePrefix(uint32_t bytes) {
  return {0, static_cast<char>(bytes >> 24), static_cast<char>(bytes >> 16),
          static_cast<char>(bytes >> 8), static_cast<char>(bytes)};
}

}  // namespace freshline::rpc
