// SPDX-License-Identifier: Apache-2.0
#include "http2/frame_guard.h"

#include <algorithm>
#include <cstring>

#include "http2/screen.h"

namespace freshline::http2 {
namespace {

constexpr char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// RFC 9113, section 6.
constexpr uint8_t kData = 0;
constexpr uint8_t kHeaders = 1;
constexpr uint8_t kResetStream = 3;
constexpr uint8_t kSettings = 4;
constexpr uint8_t kPing = 6;
constexpr uint8_t kWindowUpdate = 8;
constexpr uint8_t kContinuation = 9;
constexpr uint8_t kEndStream = 0x1;
constexpr uint8_t kEndHeaders = 0x4;
constexpr uint8_t kAck = 0x1;
constexpr uint32_t kResetBytes = 4;

uint32_t BigEndian(const uint8_t* bytes, size_t n) {
  uint32_t value = 0;
  for (size_t i = 0; i < n; ++i) value = value << 8 | bytes[i];
  return value;
}

}  // namespace

FrameGuard::Fault FrameGuard::Read(std::span<const uint8_t> bytes,
                                   base::MonoTime now, Calls* calls) {
  passed_.clear();
  Refill(now);
  const uint8_t* from = bytes.data();  // what is behind it is passed, or cut
  const uint8_t* const end = from + bytes.size();
  if (!SkipPreface(&bytes)) {
    Pass(from, end);
    return fault_;
  }
  while (!bytes.empty() && fault_ == Fault::kNone) {
    if (payload_left_ > 0) {
      const size_t skip = std::min<uint64_t>(payload_left_, bytes.size());
      payload_left_ -= skip;
      bytes = bytes.subspan(skip);
      if (cutting_) from = bytes.data();
      continue;
    }
    const uint8_t* const header = bytes.data();
    const bool split = header_have_ > 0;
    const size_t take = std::min(kHeaderBytes - header_have_, bytes.size());
    std::copy_n(bytes.begin(), take, header_.begin() + header_have_);
    header_have_ += take;
    bytes = bytes.subspan(take);
    if (header_have_ < kHeaderBytes) {
      Pass(from, header);
      from = end;
      break;
    }
    header_have_ = 0;
    cutting_ = !OnFrame(bytes, calls);
    if (!cutting_ && !split) continue;
    Pass(from, header);
    from = bytes.data();
    if (cutting_) continue;
    split_ = header_;
    Pass(split_.data(), split_.data() + split_.size());
  }
  Pass(from, end);
  return fault_;
}

void FrameGuard::Refill(base::MonoTime now) {
  if (now <= refilled_) return;
  const double seconds = std::chrono::duration<double>(now - refilled_).count();
  credit_ = std::min(limits_.credit_max,
                     credit_ + seconds * limits_.credit_per_second);
  refilled_ = now;
}

bool FrameGuard::SkipPreface(std::span<const uint8_t>* bytes) {
  if (foreign_) return false;
  const size_t n = std::min(preface_left_, bytes->size());
  const char* expected = kPreface + (kPrefaceBytes - preface_left_);
  if (n > 0 && std::memcmp(bytes->data(), expected, n) != 0) {
    foreign_ = true;
    return false;
  }
  preface_left_ -= n;
  *bytes = bytes->subspan(n);
  return true;
}

bool FrameGuard::OnFrame(std::span<const uint8_t> payload, Calls* calls) {
  const uint32_t length = BigEndian(header_.data(), 3);
  const uint8_t type = header_[3];
  const uint8_t flags = header_[4];
  const uint32_t stream = BigEndian(header_.data() + 5, 4) & 0x7fffffffU;
  // To the session the stream was never opened.
  const bool unseen =
      stream > last_passed_ && stream <= last_stream_ && stream % 2 == 1;
  payload_left_ = length;
  switch (type) {
    case kData:
      if (length < kSmallData && (flags & kEndStream) == 0) Spend(1);
      if (screen_ != nullptr && (flags & kEndStream) != 0) {
        screen_->OnEnd(stream);
      }
      if (unseen) screen_->OnCut(length);
      return !unseen;
    case kHeaders: {
      const bool opens = stream > last_stream_;
      OnHeaders(stream, length, (flags & kEndHeaders) != 0, calls);
      if (opens && ScreenHead(stream, length, flags, payload)) return false;
      if (!opens && screen_ != nullptr) screen_->Forget();
      // To the session it opens a stream, whatever the client means by it.
      if (unseen) ++calls->opened;
      last_passed_ = std::max(last_passed_, stream);
      in_block_ = (flags & kEndHeaders) == 0;
      break;
    }
    case kContinuation:
      Spend(1);
      AddToBlock(length, (flags & kEndHeaders) != 0, calls);
      if (screen_ != nullptr) screen_->Forget();
      in_block_ = (flags & kEndHeaders) == 0;
      break;
    case kResetStream:
      Spend(kResetCost);
      if (stream <= last_stream_) {
        ++calls->reset;
        return !unseen;
      }
      return length != kResetBytes || stream % 2 == 0;
    case kPing:
      Spend(kPingCost);
      break;
    case kSettings:
      Spend(kSettingsCost);
      if (screen_ != nullptr && (flags & kAck) == 0) screen_->OnSettings();
      break;
    case kWindowUpdate:
      Spend(1);
      return !unseen;
    default: {
      // Unknown frames may be as long as they like.
      const uint32_t whole_kib = length / kSmallData;
      Spend(1 + whole_kib);
    }
  }
  return true;
}

bool FrameGuard::ScreenHead(uint32_t stream, uint32_t length, uint8_t flags,
                            std::span<const uint8_t> payload) {
  if (screen_ == nullptr) return false;
  // Not for what the session may take amiss, or what has not all come.
  if (in_block_ || stream % 2 == 0 || length > payload.size() ||
      (flags | kEndStream) != (kEndStream | kEndHeaders)) {
    screen_->Forget();
    return false;
  }
  return screen_->OnHead(stream, (flags & kEndStream) != 0,
                         payload.first(length));
}

void FrameGuard::OnHeaders(uint32_t stream, uint32_t length, bool end,
                           Calls* calls) {
  block_bytes_ = 0;
  if (stream > last_stream_) {
    last_stream_ = stream;
    ++calls->opened;
    credit_ = std::min(limits_.credit_max, credit_ + limits_.credit_per_stream);
  } else {
    Spend(1);
  }
  AddToBlock(length, end, calls);
}

void FrameGuard::Spend(double cost) {
  credit_ -= cost;
  if (credit_ < 0 && fault_ == Fault::kNone) fault_ = Fault::kIdleFrames;
}

void FrameGuard::AddToBlock(uint32_t length, bool end, Calls* calls) {
  block_bytes_ += kHeaderBytes + length;
  if (block_bytes_ > limits_.header_block_bytes_max) {
    fault_ = Fault::kHeaderBlock;
  }
  if (!end) return;
  calls->opened += block_bytes_ / kBlockBytesPerCall;
  block_bytes_ = 0;
}

}  // namespace freshline::http2
