// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/check.h"
#include "http2/frame_guard.h"
#include "http2/screen.h"
#include "http2/session.h"

namespace {

using freshline::http2::Field;
using freshline::http2::FrameGuard;
using freshline::http2::Screen;
using freshline::http2::Session;
using freshline::http2::Stream;
using freshline::http2::StreamId;

constexpr Field kHeaders[] = {{":status", "200"}};
constexpr Field kTrailers[] = {{"grpc-status", "0"}};

// Counts, so that no stream is told of its end twice, or never.
struct EchoStream final : Stream {
  explicit EchoStream(int* open) : open_(open) { ++*open_; }
  void OnData(std::span<const uint8_t> bytes) override {
    FRESHLINE_CHECK(id() != 0);
    data.append(bytes.begin(), bytes.end());
  }
  void OnEnd() override { ended = true; }
  void OnClose(uint64_t unsent) override {
    FRESHLINE_CHECK(!closed && id() == 0);
    FRESHLINE_CHECK(unsent <= answer_bytes);
    closed = true;
    --*open_;
  }
  std::string data;
  uint64_t answer_bytes = 0;
  bool ended = false;
  bool closed = false;
  bool answered = false;

 private:
  int* const open_;
};

class EchoServer final : public Session::Handler, private Screen::Judge {
 public:
  EchoServer() : session_({.streams_max = 16}, this) {
    guard_.ShowTo(&screen_);
  }

  void OnBegin() override {
    fields_ = 0;
    timeout_ = -1;
  }
  void OnHeader(absl::string_view name, absl::string_view) override {
    refuse_ = name == "refuse";
    if (name == "grpc-timeout") timeout_ = fields_;
    ++fields_;
  }
  Stream* OnRequest(StreamId id) override {
    screen_.Learn(id, this, fields_, timeout_);
    if (refuse_) {
      session_.RespondOnly(id, kHeaders);
      return nullptr;
    }
    auto stream = std::make_unique<EchoStream>(&open_);
    Stream* const told = stream.get();
    streams_[id] = std::move(stream);
    return told;
  }

  // Returns: whether the connection goes on.
  bool Read(std::span<const uint8_t> bytes) {
    FrameGuard::Calls calls;
    screen_.BeginRead(session_.settled());
    if (guard_.Read(bytes, freshline::base::MonoTime{}, &calls) !=
        FrameGuard::Fault::kNone) {
      return false;
    }
    TakeRefusals();
    for (const auto& part : guard_.passed()) {
      if (!session_.Receive(part)) return false;
    }
    for (auto& [id, stream] : streams_) {
      if (stream->closed || !stream->ended || stream->answered) continue;
      stream->answered = true;
      stream->answer_bytes = stream->data.size();
      session_.Respond(stream.get(), kHeaders);
      session_.Send(stream.get(), stream->data);
      session_.Finish(stream.get(), kTrailers);
    }
    std::string out;
    const bool sent = session_.Produce(&out, 1 << 16);
    FRESHLINE_CHECK(session_.streams() == static_cast<size_t>(open_));
    std::erase_if(streams_, [](const auto& s) { return s.second->closed; });
    return sent && !session_.over();
  }

 private:
  // Every other one that is known.
  bool Refuses() override { return true; }
  const std::string* Refuse(const void* kind, size_t) override {
    FRESHLINE_CHECK(kind == this);
    return ++asked_ % 2 == 0 ? &block_ : nullptr;
  }
  // No request is refused twice. (One that was may be opened by a client that
  // sends its headers again.)
  void TakeRefusals() {
    std::string out;
    screen_.Take(&out);
    const auto byte = [&](size_t at) {
      return uint32_t{static_cast<uint8_t>(out[at])};
    };
    for (size_t at = 0; at + 9 <= out.size();) {
      const uint32_t stream = byte(at + 5) << 24 | byte(at + 6) << 16 |
                              byte(at + 7) << 8 | byte(at + 8);
      constexpr uint32_t kHeadersType = 1;
      if (byte(at + 3) == kHeadersType) {
        FRESHLINE_CHECK(refused_.insert(stream).second);
      }
      at += 9 + (byte(at + 1) << 8 | byte(at + 2));
    }
  }

  FrameGuard guard_{FrameGuard::Limits{}};
  Screen screen_{this};
  const std::string block_ = freshline::http2::ConstantBlock(kHeaders);
  std::set<uint32_t> refused_;
  int asked_ = 0;
  int fields_ = 0;
  int timeout_ = -1;
  int open_ = 0;
  bool refuse_ = false;
  std::map<StreamId, std::unique_ptr<EchoStream>> streams_;
  Session session_;  // goes first, and tells the streams
};

}  // namespace

// Whatever a client sends, cut wherever: the session keeps its promises. The
// first byte says how long the pieces are.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1 || size > 1 << 16) return 0;
  const size_t piece = 1 + data[0] * size_t{16};
  std::span<const uint8_t> bytes(data + 1, size - 1);
  EchoServer server;
  while (!bytes.empty()) {
    const size_t n = std::min(piece, bytes.size());
    if (!server.Read(bytes.first(n))) break;
    bytes = bytes.subspan(n);
  }
  return 0;
}
