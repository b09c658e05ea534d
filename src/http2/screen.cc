// SPDX-License-Identifier: Apache-2.0
#include "http2/screen.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/string_view.h"

namespace freshline::http2 {
namespace {

using Bytes = std::span<const uint8_t>;

// RFC 9113, section 6.
constexpr char kHeaders = 1;
constexpr char kResetStream = 3;
constexpr char kWindowUpdate = 8;
constexpr char kEndStreamAndHeaders = 0x5;
// Less is given back later.
constexpr uint64_t kWindowStep = 16 << 10;
// How many of the requests that were refused last are still looked for when a
// body ends; it follows its head, as a rule.
constexpr size_t kEndsMax = 16;

void AppendBigEndian(uint32_t value, int bytes, std::string* out) {
  for (int i = bytes - 1; i >= 0; --i) {
    out->push_back(static_cast<char>(value >> (8 * i)));
  }
}

void AppendFrame(char type, char flags, uint32_t stream, size_t length,
                 std::string* out) {
  AppendBigEndian(static_cast<uint32_t>(length), 3, out);
  out->push_back(type);
  out->push_back(flags);
  AppendBigEndian(stream, 4, out);
}

// RFC 7541, section 5.1, of a first byte whose other bits are 0.
void AppendInteger(size_t value, int prefix_bits, std::string* out) {
  const size_t most = (size_t{1} << prefix_bits) - 1;
  if (value < most) {
    out->push_back(static_cast<char>(value));
    return;
  }
  out->push_back(static_cast<char>(most));
  for (value -= most; value >= 128; value >>= 7) {
    out->push_back(static_cast<char>(value % 128 + 128));
  }
  out->push_back(static_cast<char>(value));
}

void AppendString(absl::string_view text, std::string* out) {
  AppendInteger(text.size(), 7, out);
  out->append(text.data(), text.size());
}

// Takes an integer off `bytes`. Returns: false for none, or a huge one.
bool TakeInteger(Bytes* bytes, int prefix_bits, size_t* value) {
  if (bytes->empty()) return false;
  const size_t most = (size_t{1} << prefix_bits) - 1;
  *value = bytes->front() & most;
  *bytes = bytes->subspan(1);
  if (*value < most) return true;
  for (int shift = 0; shift < 21 && !bytes->empty(); shift += 7) {
    const uint8_t byte = bytes->front();
    *bytes = bytes->subspan(1);
    *value += static_cast<size_t>(byte & 127) << shift;
    if (byte < 128) return true;
  }
  return false;
}

bool TakeString(Bytes* bytes) {
  size_t size = 0;
  if (!TakeInteger(bytes, 7, &size) || size > bytes->size()) return false;
  *bytes = bytes->subspan(size);
  return true;
}

// Takes a field off `bytes` that adds nothing to what is remembered. `value`
// becomes what of it is a value in full, if any. Returns: false where there is
// no such field.
bool TakeField(Bytes* bytes, Bytes* value) {
  if (bytes->empty()) return false;
  const uint8_t first = bytes->front();
  size_t index = 0;
  *value = {};
  if ((first & 0x80) != 0) return TakeInteger(bytes, 7, &index);
  if ((first & 0xe0) != 0) return false;  // added, or another size
  if (!TakeInteger(bytes, 4, &index)) return false;
  if (index == 0 && !TakeString(bytes)) return false;
  const Bytes from = *bytes;
  if (!TakeString(bytes)) return false;
  *value = from.first(from.size() - bytes->size());
  return true;
}

bool AddsNothing(Bytes block) {
  Bytes value;
  while (!block.empty()) {
    if (!TakeField(&block, &value)) return false;
  }
  return true;
}

bool Equal(const std::string& text, Bytes bytes) {
  return std::memcmp(text.data(), bytes.data(), text.size()) == 0;
}

}  // namespace

std::string ConstantBlock(std::span<const Field> fields) {
  std::string block;
  for (const Field& field : fields) {
    if (field.name == ":status" && field.value == "200") {
      block.push_back(static_cast<char>(0x88));
      continue;
    }
    block.push_back('\0');  // not to be remembered
    AppendString(field.name, &block);
    AppendString(field.value, &block);
  }
  return block;
}

bool Screen::Matches(const Known& known, Bytes block) {
  if (block.size() < known.before.size() || !Equal(known.before, block)) {
    return false;
  }
  block = block.subspan(known.before.size());
  if (known.varies && !TakeString(&block)) return false;
  return block.size() == known.after.size() && Equal(known.after, block);
}

bool Screen::OnHead(uint32_t stream, bool ended, Bytes block) {
  if (stopped_ || !settled_ || !judge_->Refuses()) {
    // It may add what is not looked for.
    if (!known_.empty()) Forget();
    return false;
  }
  for (const Known& known : known_) {
    if (!Matches(known, block)) continue;
    const std::string* const answer = judge_->Refuse(known.kind, ahead_);
    if (answer == nullptr) break;
    refused_.push_back({stream, ended, answer});
    return true;
  }
  ++ahead_;
  if (block.size() > kHeadBytesMax || !AddsNothing(block)) {
    Forget();
  } else {
    candidate_.emplace(
        Candidate{stream, std::string(block.begin(), block.end())});
  }
  return false;
}

void Screen::OnEnd(uint32_t stream) {
  size_t looks = std::min(refused_.size(), kEndsMax);
  for (auto i = refused_.rbegin(); looks > 0; ++i, --looks) {
    if (i->stream != stream) continue;
    i->ended = true;
    return;
  }
}

void Screen::Learn(StreamId stream, const void* kind, int fields, int varying) {
  if (!candidate_ || candidate_->stream != static_cast<uint32_t>(stream)) {
    return;
  }
  const std::string block = std::move(candidate_->block);
  candidate_.reset();
  const Bytes all{reinterpret_cast<const uint8_t*>(block.data()), block.size()};
  Bytes rest = all;
  Bytes varies;
  int seen = 0;
  for (; !rest.empty(); ++seen) {
    Bytes value;
    if (!TakeField(&rest, &value)) return;
    if (seen == varying) varies = value;
  }
  // The library keeps some fields to itself.
  if (seen != fields) return;
  Known known;
  known.kind = kind;
  known.varies = !varies.empty();
  const size_t at = known.varies
                        ? static_cast<size_t>(varies.data() - all.data())
                        : block.size();
  known.before = block.substr(0, at);
  known.after = block.substr(at + varies.size());
  for (const Known& other : known_) {
    if (Matches(other, all)) return;
  }
  if (known_.size() < kKnownMax) {
    known_.push_back(std::move(known));
  } else {
    known_[next_known_++ % kKnownMax] = std::move(known);
  }
}

size_t Screen::Take(std::string* out) {
  for (const Refused& refused : refused_) {
    AppendFrame(kHeaders, kEndStreamAndHeaders, refused.stream,
                refused.block->size(), out);
    out->append(*refused.block);
    if (refused.ended) continue;
    // The client need not send the rest.
    AppendFrame(kResetStream, 0, refused.stream, 4, out);
    AppendBigEndian(static_cast<uint32_t>(ErrorCode::kNone), 4, out);
  }
  if (cut_bytes_ >= kWindowStep) {
    AppendFrame(kWindowUpdate, 0, 0, 4, out);
    AppendBigEndian(static_cast<uint32_t>(std::exchange(cut_bytes_, 0)), 4,
                    out);
  }
  const size_t n = refused_.size();
  refused_.clear();
  return n;
}

}  // namespace freshline::http2
